"""Settings, faults, what an analysis always holds, and that the same run gives the same numbers."""

import json
from collections import Counter
from dataclasses import fields, replace

import pytest
import torch
from analyzers.recomputing import intervals, recomputed, silent

from biaskit import analyzers
from biaskit.analyzers.biaslens import BiasLens
from biaskit.analyzers.biaslens.findings import TRIED
from biaskit.concepts.sae_training import SaeTraining, TrainedOn, train
from biaskit.errors import NothingAuditedError, RequestError, SparseAutoencoderMismatchError, UnknownNameError
from biaskit.records.finding import Analysis
from biaskit.records.site import Site
from biaskit.reporting.words import METRIC_WORDS
from tests.analyzers.biaslens import toys
from tests.analyzers.biaslens.planted import new_session, some_targets

AXIS = toys.drawn("the axis of the log-odds", 0.7)
QUICK = {"random_directions": 3, "autoencoder": "none"}


def toy_session(compared, vectors=toys.by_word, seed=0):
    model = toys.Toy(lambda h: h @ AXIS, vectors, nouns=toys.nouns(compared), vocabulary=80)
    return toys.session(model, compared, seed=seed)


def analysed(seed=0, settings=None, **shape):
    return BiasLens(**QUICK | (settings or {})).analyze(toy_session(toys.comparison(**shape), seed=seed))


@pytest.mark.parametrize(
    ("settings", "near"),
    [
        ({"axes": ("statd",)}, "stated"),
        ({"axes": ("stated", "redout")}, "readout"),
        ({"readings": ("references given targets",)}, "references given target"),
        ({"positions": ("lst",)}, "last"),
        ({"positions": ("mean",)}, None),
        ({"preset": "papr"}, "paper"),
        ({"rule": "trapezium"}, "trapezoid"),
        ({"paper_norm": "l3"}, "l1"),
        ({"paper_positions": "position "}, "position"),
        ({"sites": ("resid_pots.1",)}, "resid_post"),
    ],
)
def test_a_setting_that_names_nothing_is_answered_with_near_names(settings, near):
    with pytest.raises(UnknownNameError) as caught:
        BiasLens(**settings)
    assert near is None or near in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"axis_controls": 0},
        {"words_per_pole": 0},
        {"random_directions": -1},
        {"readings": ()},
        {"positions": ()},
        {"paper_tau": 1.0},
        {"paper_tau": 0.0},
        {"paper_delta": 0.0},
    ],
)
def test_a_setting_that_cannot_work_is_refused_before_anything_runs(settings):
    with pytest.raises(RequestError):
        BiasLens(**settings)


def test_settings_survive_json():
    chosen = BiasLens(axes=("readout",), positions=("last",), words_per_pole=4, paper_norm="max")
    session = toy_session(toys.comparison())
    written = json.dumps(replace(chosen, autoencoder="none").analyze(session).settings)
    built = analyzers.build("biaslens", json.loads(written))
    assert built == replace(chosen, autoencoder="none")
    assert set(json.loads(written)) == {field.name for field in fields(BiasLens)}


def test_an_analysis_survives_json():
    analysis = analysed()
    assert Analysis.model_validate_json(analysis.model_dump_json()) == analysis


def test_every_number_is_computed_again_from_its_rows():
    analysis = analysed(settings={"axes": ("stated", "cav", "readout")})
    told = {one.metric.partition(".")[2] for one in analysis.findings if one.estimate.value is not None}
    assert recomputed(analysis) == told >= {"reliability", "cav_auc", "agreement", "kl"}
    assert intervals(analysis) == {"score", "behaviour", "patching", "patching_slope", "kl"}
    assert not silent(analysis)


def test_a_token_that_was_only_tried_says_why_it_keeps_no_cells():
    analysis = analysed(settings={"positions": ("span", "last")})
    why = {(one.metric, one.unkept) for one in analysis.findings if one.unkept}
    assert why == {("biaslens.agreement", TRIED)}
    assert not silent(analysis)


def test_no_number_rests_on_one_row_that_holds_it():
    analysis = analysed(targets={"soup": ("soup",), "bus": ("bus",), "hall": ("hall", "court")})
    counts = Counter(row[:5] for row in analysis.tables[1].rows)
    assert min(counts.values()) > 1


def test_the_same_seed_gives_the_same_analysis():
    assert analysed().model_dump_json() == analysed().model_dump_json()


def test_another_seed_draws_other_directions_and_leaves_the_score():
    one, other = (
        {(f.metric, f.concepts, f.group): f.estimate.value for f in analysed(seed=s).findings} for s in (0, 1)
    )
    assert "biaslens.patching" in {key[0] for key in one if one[key] != other[key]}
    scores = [key for key in one if key[0] in {"biaslens.score", "biaslens.behaviour"}]
    assert [one[key] for key in scores] == [other[key] for key in scores]


def test_every_target_has_inside_behaviour_and_cause():
    found = {(f.metric, f.concepts[0], f.group) for f in analysed().findings}
    for target in ("soup", "bus", "hall"):
        for group in ("references given target", "target given references"):
            for metric in ("score", "behaviour", "erasure", "profile"):
                assert (f"biaslens.{metric}", target, group) in found
        assert ("biaslens.patching", target, "references given target") in found


def test_every_number_says_what_it_rests_on():
    for finding in analysed().findings:
        estimate = finding.estimate
        assert estimate.method
        assert estimate.resampling_unit
        assert estimate.value is None or estimate.n >= 1
        if estimate.interval is not None and estimate.value is not None:
            assert estimate.value in estimate.interval


def test_evidence_are_the_cells_that_move_the_score_most():
    (finding,) = (
        f
        for f in analysed().findings
        if f.metric == "biaslens.score" and f.concepts == ("soup",) and f.group == "references given target"
    )
    sizes = [abs(row.value) for row in finding.evidence]
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) == 10
    assert all(row.text == row.template.replace("{target}", row.filler) for row in finding.evidence)


def test_a_pole_without_single_token_words_is_refused_with_advice():
    compared = toys.comparison()
    continuations = {"up": ("unheard of",), "down": ("bad",)}
    pair = compared.pair.model_copy(update={"continuations": continuations})
    with pytest.raises(NothingAuditedError, match="'up'") as caught:
        BiasLens(**QUICK).analyze(toy_session(replace(compared, pair=pair)))
    assert "unheard of" in caught.value.why
    assert caught.value.fix


def test_a_word_that_is_not_one_token_is_left_out_and_named():
    compared = toys.comparison()
    continuations = {**compared.pair.continuations, "up": ("good", "great", "out of this world")}
    pair = compared.pair.model_copy(update={"continuations": continuations})
    analysis = BiasLens(**QUICK).analyze(toy_session(replace(compared, pair=pair)))
    assert any("out of this world" in caveat for caveat in analysis.caveats)


def test_too_few_nouns_for_the_reverse_reading_is_a_note():
    compared = toys.comparison()
    session = toys.session(toys.Toy(lambda h: h @ AXIS, toys.by_word), compared)
    analysis = BiasLens(**QUICK).analyze(session)
    assert any("was not read" in caveat for caveat in analysis.caveats)
    assert {f.group for f in analysis.findings} == {"references given target"}


def test_a_target_without_a_single_token_noun_says_so_in_the_reverse_reading():
    compared = toys.comparison()
    known = [noun for noun in toys.nouns(compared) if noun not in compared.targets.targets["bus"]]
    model = toys.Toy(lambda h: h @ AXIS, toys.by_word, nouns=known, vocabulary=80)
    found = BiasLens(**QUICK).analyze(toys.session(model, compared)).findings
    (silent,) = (
        f.estimate
        for f in found
        if f.metric == "biaslens.score" and f.concepts == ("bus",) and f.group == "target given references"
    )
    assert silent.value is None
    assert "single token" in silent.reason


def test_nothing_to_compare_is_said():
    session = replace(toy_session(toys.comparison()), comparisons=())
    with pytest.raises(RequestError, match="--concepts"):
        BiasLens().analyze(session)


@pytest.mark.parametrize(
    "shape",
    [
        {"targets": {"soup": ("soup",)}, "stems": 1},
        {"targets": {"soup": ("soup",)}},
        {"stems": 1},
        {"templates": 1},
        {"controls": 1},
        {"controls": 2},
    ],
)
def test_the_smallest_probe_sets_give_numbers_with_their_reasons(shape):
    for finding in analysed(**shape).findings:
        estimate = finding.estimate
        assert estimate.interval is not None or estimate.reason


def test_an_autoencoder_that_names_nothing_is_refused():
    with pytest.raises(SparseAutoencoderMismatchError, match="neither a folder nor"):
        analysed(settings={"autoencoder": "no-such-thing"})


def test_an_unknown_release_is_answered_with_near_names():
    with pytest.raises(UnknownNameError, match="gpt2-small"):
        analysed(settings={"autoencoder": "gpt2-small-res-jbb:blocks.99.hook_resid_pre"})


@pytest.mark.parametrize(("width", "site"), [(toys.WIDTH + 3, "resid_post.0"), (toys.WIDTH, "resid_post.1")])
def test_an_autoencoder_of_another_width_or_site_is_refused(tmp_path, width, site):
    rows = torch.randn(64, width)
    trained = train(
        rows, SaeTraining(d_sae=16, k=4, steps=5), TrainedOn(Site.parse(site), "toy", prepend_bos=False)
    )
    trained.save(tmp_path)
    with pytest.raises(SparseAutoencoderMismatchError):
        analysed(settings={"autoencoder": str(tmp_path)})


def test_the_organisms_own_autoencoder_names_latents(model, organism):
    doses = organism.doses["sentiment"]
    ranked = sorted(doses, key=doses.get)
    session = new_session(model, some_targets("sentiment", (ranked[0], ranked[-1]), controls=24))
    settings = {"axes": ("sae",), "readings": ("references given target",), "random_directions": 3}
    analysis = BiasLens(**settings).analyze(session)
    assert any("own for resid_post.2" in note for note in analysis.notes)
    (fvu,) = (f.estimate for f in analysis.findings if f.metric == "biaslens.fvu")
    assert 0 < fvu.value < 0.5
    assert recomputed(analysis) >= {"fvu", "latent", "erasure", "calibration_sae"}
    assert intervals(analysis) >= {"fvu", "random_erasure"}
    assert not silent(analysis)
    latents = [f for f in analysis.findings if f.metric == "biaslens.latent"]
    score = {f.concepts[0]: f.estimate.value for f in analysis.findings if f.metric == "biaslens.score"}
    for target, value in score.items():
        own = [f for f in latents if f.concepts == (target,)]
        assert own
        assert all(f.evidence for f in own)
        # Together the strongest latents push to the same side as the whole.
        assert sum(f.estimate.value for f in own) * value > 0


def test_only_the_sites_asked_for_are_read(model, organism):
    compared = some_targets("sentiment", ("food",), controls=24)
    lens = BiasLens(sites=("resid_post.1", "mlp_out.2"), axes=(), random_directions=2, autoencoder="none")
    found = lens.analyze(new_session(model, compared))
    read = {str(one.site) for one in found.findings if one.metric == "biaslens.profile"}
    assert read == {"resid_post.1", "mlp_out.2"}


def test_a_site_that_the_model_does_not_have_is_answered_with_near_names(model, organism):
    compared = some_targets("sentiment", ("food",), controls=24)
    with pytest.raises(UnknownNameError) as caught:
        BiasLens(sites=("resid_post.9",)).analyze(new_session(model, compared))
    assert "resid_post" in str(caught.value)


def test_every_metric_is_declared():
    found = {finding.metric for finding in analysed().findings}
    assert found <= set(METRIC_WORDS)
