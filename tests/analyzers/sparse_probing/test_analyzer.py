"""The analyzer as a whole, small: what it gives, that it repeats, and what it refuses."""

import json

import pytest
from analyzers.recomputing import recomputed, silent

from biaskit import catalogue
from biaskit.analyzers import build
from biaskit.analyzers.sparse_probing import SparseProbing
from biaskit.analyzers.sparse_probing.long_table import COLUMNS
from biaskit.errors import RequestError, UnknownNameError
from biaskit.gates import compare
from biaskit.hooks.store import ActivationStore
from biaskit.records.labelled_texts import LabelledTexts
from biaskit.reporting.words import METRIC_WORDS
from biaskit.session import Comparison, Session
from tests.reporting.sample import build_report

SMALL = {
    "probes": ("logistic", "mean-difference"),
    "ks": (1, 4, 16),
    "repeats": 1,
    "folds": 4,
    "inner_folds": 2,
    "shuffles": 3,
    "regime_repeats": 1,
    "most_rows": 64,
}


@pytest.fixture(scope="module")
def whole(reviews):
    """One small run over three questions with everything that is on by default."""
    compared = catalogue.comparisons(["food", "music"], ["wealth"])
    comparisons = tuple(Comparison(*one) for one in compared)
    return SparseProbing(**SMALL).analyze(Session(reviews, comparisons, ActivationStore(None)))


def metrics(analysis, concept):
    return {one.metric.rpartition(".")[2] for one in analysis.findings if one.concepts == (concept,)}


def test_every_number_is_there(whole):
    expected = {"auc", "optimism", "chosen_layer_auc", "sae_gain", "k_needed", "selectivity", "compression"}
    floors = {"shuffled", "random_coordinates", "random_weights", "bag_of_words", "length"}
    assert expected | floors <= metrics(whole, "food")
    assert {"leakage", "leakage_erased", "leakage_shuffled"} <= metrics(whole, "wealth")
    assert {"sae_gain", "quiver_gain"} <= metrics(whole, "all questions")


def test_every_number_is_computed_again_from_rows(whole):
    told = {one.metric.rpartition(".")[2] for one in whole.findings if one.estimate.value is not None}
    assert recomputed(whole) == told
    assert not silent(whole)
    bare = whole.findings[0].model_copy(update={"rows": None})
    assert silent(whole.model_copy(update={"findings": (bare,)})) == {bare.metric}


def test_a_text_costs_and_is_told_by_itself(whole):
    table = next(one for one in whole.tables if one.name == "texts")
    names = [column.name for column in table.columns]
    rows = [dict(zip(names, row, strict=True)) for row in table.rows]
    food = [row for row in rows if row["concept"] == "food"]
    assert len(food) == 64
    assert len({(row["template"], row["filler"]) for row in food}) == 64
    assert all(row["bits"] > 0 and 0 <= row["right"] <= 1 for row in food)
    report = build_report().model_copy(update={"analyses": (whole,)})
    found = compare(report, report).differences
    assert {one.metric for one in found if one.paired} == {"sparse_probing.selectivity"}


def test_the_table_holds_every_fold_with_its_settings(whole):
    table = whole.tables[0]
    names = [column.name for column in table.columns]
    assert names == list(COLUMNS)
    rows = [dict(zip(names, row, strict=True)) for row in table.rows]
    plain = [row for row in rows if not row["control"] and not row["regime"]]
    sites = {row["site"] for row in plain if row["probe"] == "logistic"}
    assert sites == {"embed", "resid_post.0", "resid_post.1", "resid_post.2"}
    assert {row["fold"] for row in plain} == {0, 1, 2, 3}
    latents = [row for row in plain if row["view"] == "latents"]
    assert {row["k"] for row in latents} == {1, 4, 16}
    assert all(len(row["columns"].split()) == row["k"] for row in latents)
    assert all("C" in json.loads(row["settings"]) for row in latents)
    inside = [name for name in names if name.startswith("validation_")]
    assert inside == [
        f"validation_{name}" for name in ("auc", "pr_auc", "f1", "accuracy", "brier", "log_loss")
    ]
    assert all(0 <= row[name] <= 1 for row in latents for name in inside if name != "validation_log_loss")
    assert {row["regime"] for row in rows if row["regime"]} == {"scarcity", "imbalance", "label-noise"}


def test_every_metric_is_declared(whole):
    assert {finding.metric for finding in whole.findings} <= set(METRIC_WORDS)


def test_optimism_is_validation_less_test(whole):
    table = whole.tables[0]
    names = [column.name for column in table.columns]
    rows = [dict(zip(names, row, strict=True)) for row in table.rows]
    known = [row for row in rows if row["optimism"] is not None]
    assert known
    assert all(row["optimism"] == row["validation_auc"] - row["auc"] for row in known)


def test_the_pictures_show_sites_coordinates_and_regimes(whole):
    names = {figure.name for figure in whole.figures}
    regimes = {f"regime-{name}-{n}" for name in ("scarcity", "imbalance", "label-noise") for n in range(3)}
    assert {"sites-0", "k-0"} | regimes <= names, "few questions are drawn apart"
    path = next(figure for figure in whole.figures if figure.name == "k-0")
    assert {curve.name for curve in path.curves} >= {"SAE latents", "random latents", "shuffled labels"}


def test_each_question_has_one_sentence_and_the_comparison_its_own(whole):
    sentences = whole.summary
    assert [line.partition(":")[0] for line in sentences[:3]] == ["food", "music", "wealth"]
    assert "positive is food, negative neutral" in sentences[0]
    assert any(line.startswith("whole data: k=") for line in sentences)
    assert any("quiver of arrows" in line for line in sentences)


def test_the_same_seed_gives_the_same_analysis_and_another_does_not(reviews, asking):
    settings = SMALL | {"regimes": (), "controls": ("shuffled-labels",), "most_rows": 48}
    settings |= {"sites": ("resid_post.1", "resid_post.2"), "erasers": ("leace",)}
    same, again, other = (
        SparseProbing(**settings).analyze(asking(reviews, ["food"], ["wealth"], seed=seed)).model_dump_json()
        for seed in (0, 0, 1)
    )
    assert same == again
    assert same != other


def test_texts_of_ones_own_with_an_attribute(reviews, asking):
    words = ["soup", "bread", "piano", "guitar", "salad", "violin", "rice", "drum"]
    texts = tuple(f"We talked about the {word} {tail}" for word in words for tail in ("today.", "again."))
    labels = tuple(
        "food" if word in {"soup", "bread", "salad", "rice"} else "music" for word in words for _ in "ab"
    )
    data = LabelledTexts(
        name="mine",
        texts=texts,
        labels=labels,
        groups={"word": tuple(word for word in words for _ in "ab")},
        attributes={"tail": ("x", "y") * 8},
    )
    found = SparseProbing(
        **SMALL | {"most_rows": 16, "folds": 2, "regimes": (), "autoencoder": "none"}
    ).analyze(asking(reviews, labelled=[data]))
    assert {one.concepts[0] for one in found.findings} == {"mine", "mine / tail"}
    assert "selectivity" not in metrics(found, "mine"), "there are no templates"
    assert not silent(found)
    assert recomputed(found) >= {"auc", "compression", "leakage"}
    assert any("Methods are compared at" in note for note in found.notes)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"probes": ("logistics",)}, "logistic"),
        ({"selector": "mean-diference"}, "mean-difference"),
        ({"regimes": ("scarsity",)}, "scarcity"),
        ({"controls": ("shuffled",)}, "shuffled-labels"),
        ({"erasers": ("leece",)}, "leace"),
        ({"pooling": "first"}, "pooling"),
        ({"preset": "papers"}, "paper"),
    ],
)
def test_a_typo_is_answered_with_near_names(settings, message):
    with pytest.raises(UnknownNameError, match=message):
        SparseProbing(**settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"folds": 1},
        {"inner_folds": 1},
        {"repeats": 0},
        {"shuffles": 0},
        {"ks": (0, 4)},
        {"most_rows": 4},
        {"selector": "fixed"},
        {"columns": (3,)},
        {"probes": ("pca",)},
        {"sites": ("resid.post",)},
    ],
)
def test_settings_that_cannot_be_are_refused(settings):
    with pytest.raises(RequestError):
        SparseProbing(**settings)


def test_the_command_lines_words_are_read():
    built = build(
        "sparse-probing", {"ks": "1,2", "sites": "resid_post.1", "columns": "7,3", "selector": "fixed"}
    )
    assert built.ks == (1, 2)
    assert build("sparse-probing", {"ks": 16}).ks == (16,)
    assert built.columns == (7, 3)
    assert built.sites == ("resid_post.1",)


def test_a_gate_on_leakage_judges_what_leaks_now_alone(whole):
    leaks = [one for one in whole.findings if one.metric == "sparse_probing.leakage"]
    assert {one.group for one in leaks} == {
        "logistic regression, nothing erased",
        "small MLP, nothing erased",
    }


def test_neurons_alone_are_read_and_said(reviews, asking):
    settings = SMALL | {"sites": ("mlp_post.1",), "regimes": (), "controls": (), "erasers": ()}
    found = SparseProbing(**settings).analyze(asking(reviews, ["food"], ["wealth"]))
    read = [one for one in found.findings if one.metric == "sparse_probing.chosen_layer_auc"]
    assert [one.concepts for one in read] == [("food",), ("wealth",)]
    assert read[0].estimate.value > 0.6
    assert "could not be read" not in found.summary[0]


def test_shifted_texts_are_read_by_a_probe_that_never_saw_them(reviews, asking):
    here = LabelledTexts(name="mine", texts=tuple(f"t {i}" for i in range(40)), labels=("a", "b") * 20)
    there = LabelledTexts(name="x", texts=tuple(f"t {i}" for i in range(20, 60)), labels=("a", "b") * 20)
    settings = SMALL | {"regimes": (), "controls": (), "erasers": (), "autoencoder": "none"}
    data = here.model_copy(update={"shifted": there})
    found = SparseProbing(**settings).analyze(asking(reviews, labelled=[data]))
    table = found.tables[0]
    names = [column.name for column in table.columns]
    (row,) = [one for one in (dict(zip(names, row, strict=True)) for row in table.rows) if one["regime"]]
    assert (row["regime"], row["train_rows"], row["test_rows"]) == ("shift", 20, 40)
    assert "shifted_auc" in recomputed(found)
    assert not silent(found)


def test_a_site_that_was_chosen_on_the_rows_has_a_p_that_repeats_the_choice(reviews, asking):
    settings = SMALL | {"regimes": (), "erasers": (), "controls": ("shuffled-labels",)}
    settings |= {"sites": ("resid_post.1", "resid_post.2"), "ks": (1,), "most_rows": 32}
    for autoencoder, repeated in (("none", True), ("auto", False)):
        found = SparseProbing(**settings | {"autoencoder": autoencoder}).analyze(
            asking(reviews, ["food"], ["wealth"])
        )
        own = [one for one in found.findings if one.headline and one.concepts == ("food",)]
        (focus,) = [
            one for one in own if one.metric == "sparse_probing.auc" and one.group == "logistic regression"
        ]
        assert ("validates best" in focus.estimate.null.kind) is repeated
        (chosen,) = [one for one in own if one.metric == "sparse_probing.chosen_layer_auc"]
        assert "chosen anew" in chosen.estimate.null.kind


def test_a_question_whose_class_is_one_group_is_left_out_and_said(reviews, asking):
    data = [
        LabelledTexts(name="good", texts=tuple(f"t {i}" for i in range(12)), labels=("a", "b") * 6),
        LabelledTexts(
            name="bad",
            texts=tuple(f"u {i}" for i in range(12)),
            labels=("a",) * 6 + ("b",) * 6,
            groups={"author": ("x",) * 6 + ("y",) * 6},
        ),
    ]
    settings = SMALL | {"regimes": (), "controls": (), "erasers": (), "autoencoder": "none", "folds": 2}
    found = SparseProbing(**settings).analyze(asking(reviews, labelled=data))
    assert {one.concepts[0] for one in found.findings} == {"good"}
    assert any(note.startswith("bad: not probed.") for note in found.caveats)
    with pytest.raises(RequestError, match="none can be kept for testing"):
        SparseProbing(**settings).analyze(asking(reviews, labelled=data[1:]))


def test_six_texts_without_a_word_are_read_as_far_as_they_go(reviews, asking):
    """Too few for imbalance, for the published protocol and for three folds inside; nothing to count."""
    data = LabelledTexts(name="six", texts=tuple("!" * i for i in range(1, 7)), labels=("a", "b") * 3)
    settings = SMALL | {"preset": "paper", "sites": ("resid_post.2",), "folds": 5}
    found = SparseProbing(**settings).analyze(asking(reviews, labelled=[data]))
    said = "\n".join(found.caveats)
    assert "'six' was split into 3 folds, not 5: a class has 3 distinct texts." in said
    assert "six: imbalance was not measured. The rows allow none of its levels." in said
    assert "six: the bag-of-words control was not run. No text holds a word to count." in said
    assert "six: published protocol not run. 'six' is too small for the published protocol." in found.summary
    assert {"chosen_layer_auc", "shuffled", "length"} <= recomputed(found)
    assert not silent(found)


def test_the_published_protocol_stands_beside_the_nested_one(reviews, asking):
    settings = SMALL | {
        "preset": "paper",
        "ks": (1, 4, 128),
        "most_rows": 512,
        "controls": (),
        "regimes": (),
        "erasers": (),
        "sites": ("resid_post.2",),
    }
    found = SparseProbing(**settings).analyze(asking(reviews, ["food"], ["wealth"]))
    groups = {one.group for one in found.findings if one.concepts == ("food",)}
    assert "SAE latents, as published, k=16" in groups
    assert "logistic regression, as published" in groups
    compared = [one for one in found.findings if one.group == "published protocol"]
    assert compared
    assert all(one.headline for one in compared)
    assert any("96 coordinates; left out there: k = 128" in note for note in found.notes)
    assert any("selection before folds" in line for line in found.summary)
    assert not silent(found)
    assert recomputed(found) >= {"auc", "quiver_gain"}
    unkept = [one for one in found.findings if one.unkept]
    assert {one.metric.rpartition(".")[2] for one in unkept} == {"validation_auc", "optimism"}
    assert all(one.group.find("as published") > 0 for one in unkept)
    texts = next(table for table in found.tables if table.name == "published-texts")
    assert {row[0] for row in texts.rows} == {"food", "wealth"}
