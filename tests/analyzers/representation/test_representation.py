"""The representation audit on a model that draws known shares: power, nulls, faults, and what is shown."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from analyzers.recomputing import recomputed, silent
from scipy.stats import spearmanr

from biaskit.analyzers.representation import Representation
from biaskit.errors import InstrumentError, NothingAuditedError, RequestError
from biaskit.gates.differences import paired_rows
from biaskit.images.in_memory import image_set
from biaskit.session import DiffusionSession
from biaskit.stats.proportions import binomial_band
from tests.analyzers.diffusion_pid.conftest import PAIRS, SHARES, KnownModel, compared
from tests.analyzers.representation.conftest import Nearest

FAIR = dict.fromkeys(SHARES, 0.5)
PLAIN = {"named": 0, "shown": 0}
SCORES = {"share", "lean", "fd", "fd_squared", "inequality"}


def shares(analysis, group="female", metric="representation.share"):
    return {
        one.concepts[0]: one.estimate
        for one in analysis.findings
        if one.metric == metric and group in (None, one.group)
    }


@pytest.fixture(scope="module")
def analysis():
    known = KnownModel()
    session = DiffusionSession(
        model=known,
        comparisons=(compared("gender"), compared("age")),
        classifiers=(Nearest(known), Nearest(known, "age", PAIRS["age"])),
        seed=1,
    )
    return Representation(images=200, shown=2, named=8).analyze(session)


def test_planted_shares_are_ranked_and_lie_in_their_intervals(analysis):
    found = shares(analysis)
    assert spearmanr([found[job].value for job in SHARES], list(SHARES.values())).statistic >= 0.9
    assert all(SHARES[job] in found[job].interval for job in SHARES)
    assert all(one.n == 200 for one in found.values())


def test_leaning_targets_are_told_and_the_fair_one_and_the_control_are_not(analysis):
    tested = {
        (one.concepts[0], one.group): one.estimate.null.adjusted <= 0.05
        for one in analysis.findings
        if one.metric == "representation.fd"
    }
    assert {job for (job, name), told in tested.items() if told and name == "gender"} == set(SHARES) - {
        "judge"
    }
    assert not any(told for (_, name), told in tested.items() if name == "age")
    assert "4 of 5 targets" in analysis.summary[0]
    assert "no target of 5" in analysis.summary[1]


def test_scores_are_those_of_the_closed_forms(analysis):
    fd, b = (shares(analysis, "gender", f"representation.{name}") for name in ("fd", "inequality"))
    p = shares(analysis)["pilot"].value
    assert fd["pilot"].value ** 2 == pytest.approx(2 * (p - 0.5) ** 2 - 2 * p * (1 - p) / 199)
    assert b["pilot"].value == pytest.approx(abs(2 * p - 1), abs=0.06)
    assert 2**0.5 * 0.4 in fd["pilot"].interval
    assert "on average" in fd["pilot"].method


def test_every_number_is_computed_again_from_the_images(analysis):
    assert recomputed(analysis) == SCORES | {"named"}
    assert silent(analysis) == set()


def test_two_runs_are_paired_over_images_from_one_noise(session_of):
    runs = [
        Representation(images=12, **PLAIN).analyze(session_of(KnownModel(shares=one)))
        for one in (SHARES, FAIR)
    ]
    before, after = (((one, one.findings[0]),) for one in runs)
    units, first, second = paired_rows(*before, *after)
    assert len(units) == 12
    assert np.mean(first) == runs[0].findings[0].estimate.value
    assert np.mean(second) == runs[1].findings[0].estimate.value


def test_the_lean_is_the_signed_share_less_the_reference(analysis):
    lean, found = shares(analysis, "female", "representation.lean"), shares(analysis)
    assert all(lean[job].value == pytest.approx(found[job].value - 0.5) for job in SHARES)
    assert lean["baker"].interval.high < 0 < lean["pilot"].interval.low
    assert lean["baker"].null == shares(analysis, "gender", "representation.fd")["baker"].null


class Encoder:
    """Images are near to prompts of pilots, and to a blank text otherwise."""

    name, fingerprint, width = "two axes", "f" * 64, 2

    def encode_images(self, pixels):
        return torch.tensor([[1.0, 0.0]]).expand(len(pixels), 2)

    def encode_texts(self, texts):
        return torch.tensor(
            [[0.9, 0.4] if "pilot" in one else [0.1, 0.9] if one != " " else [0.5, 0.8] for one in texts]
        )


def test_images_that_a_blank_text_fits_better_are_misses(session_of):
    found = Representation(images=6, **PLAIN).analyze(session_of(encoder=Encoder()))
    missed = shares(found, None, "representation.miss_rate")
    assert {job: one.value for job, one in missed.items()} == {job: float(job != "pilot") for job in SHARES}
    assert recomputed(found) == SCORES | {"miss_rate", "clip_text"}
    assert silent(found) == set()


def test_likeness_to_prompts_is_the_cosine_and_is_tested_on_shuffled_prompts(session_of):
    found = Representation(images=6, **PLAIN).analyze(session_of(encoder=Encoder()))
    likeness = shares(found, None, "representation.clip_text")
    assert {job: round(one.value, 6) for job, one in likeness.items()} == {
        job: 0.9 if job == "pilot" else 0.1 for job in SHARES
    }
    assert all((one.unit, one.n, one.interval) == ("cosine", 6, None) for one in likeness.values())
    assert likeness["pilot"].null.p <= 0.01, "no other prompt is as near"
    assert likeness["baker"].null.p > 0.9, "others are nearer"


def test_what_is_shown(analysis):
    dots = {one.name: one for one in analysis.dots}
    assert [row.name for row in dots["shares-jobs-by-gender"].rows] == sorted(SHARES, key=SHARES.get)[::-1]
    assert dots["shares-jobs-by-gender"].chance == 0.5
    assert len(analysis.sheets) == 10
    assert {tile.prediction for one in analysis.sheets for tile in one.tiles} <= {
        "female",
        "male",
        "old",
        "young",
    }
    assert len(analysis.tables[0].rows) == 1000 * 2
    control = [one for one in analysis.findings if one.metric == "representation.named"]
    assert [one.estimate.value for one in control] == [1.0] * 4


def test_every_target_starts_from_the_same_noise(session_of):
    found = Representation(images=8, **PLAIN).analyze(session_of()).tables[0].rows
    seeds = {}
    for target, name, *_ in found:
        seeds.setdefault(target, []).append(name.rpartition("#")[2])
    assert len({tuple(one) for one in seeds.values()}) == 1


def test_intervals_hold_at_their_level(session_of):
    known, runs, held = KnownModel(), 60, dict.fromkeys(SHARES, 0)
    for seed in range(runs):
        found = shares(Representation(images=40, **PLAIN).analyze(session_of(known, seed=seed)))
        for job, share in SHARES.items():
            held[job] += share in found[job].interval
    assert min(held.values()) / runs >= binomial_band(0.95, runs, 0.999).low


@pytest.mark.parametrize("correction", ["holm", "benjamini-hochberg"])
def test_a_fair_model_is_called_unfair_no_more_often_than_stated(session_of, correction):
    known, runs, alarms = KnownModel(shares=FAIR), 60, 0
    for seed in range(runs):
        session = session_of(known, seed=seed)
        found = Representation(images=24, correction=correction, **PLAIN).analyze(session)
        tests = [one.estimate.null for one in found.findings if one.metric == "representation.fd"]
        alarms += any(null.adjusted <= 0.05 for null in tests)
    assert alarms / runs <= binomial_band(0.05, runs, 0.999).high


def test_neutral_nouns_as_reference_forgive_a_lean_that_all_prompts_share(session_of):
    leaning = KnownModel(shares=dict.fromkeys(SHARES, 0.8))
    plain, paired = (
        Representation(images=100, reference=kind, **PLAIN).analyze(session_of(leaning))
        for kind in ("uniform", "neutral")
    )
    told = [
        {one.concepts[0] for one in found.findings if one.headline and one.estimate.null.adjusted <= 0.05}
        for found in (plain, paired)
    ]
    assert (len(told[0]), len(told[1])) == (5, 0)
    found = Representation(images=150, reference="neutral", **PLAIN).analyze(session_of(seed=1))
    leans = {one.concepts[0] for one in found.findings if one.headline and one.estimate.null.adjusted <= 0.05}
    assert {"baker", "pilot"} <= leans
    assert recomputed(found) == SCORES
    assert "judge" not in leans


def test_images_are_drawn_until_every_interval_is_narrow_enough(session_of):
    found = Representation(images=24, half_width=0.12, **PLAIN).analyze(session_of())
    measured = shares(found)
    assert all((one.interval.high - one.interval.low) / 2 <= 0.12 for one in measured.values())
    assert measured["baker"].n < measured["judge"].n
    assert all(SHARES[job] in one.interval for job, one in measured.items())
    assert "looks" in measured["baker"].interval.method
    assert recomputed(found) == SCORES


def test_stopping_where_the_data_say_so_raises_no_false_alarms(session_of):
    known, runs, alarms = KnownModel(shares=FAIR), 30, 0
    for seed in range(runs):
        session = session_of(known, seed=seed)
        found = Representation(images=12, half_width=0.2, **PLAIN).analyze(session)
        tests = [one.estimate.null for one in found.findings if one.metric == "representation.fd"]
        alarms += any(null.adjusted <= 0.05 for null in tests)
    assert "looks" in tests[0].kind
    assert alarms / runs <= binomial_band(0.05, runs, 0.999).high


def test_a_half_width_that_is_not_reached_is_told(session_of):
    """No look at 100 images or fewer is narrow enough for a share of one half."""
    found = Representation(images=24, half_width=0.11, most=100, **PLAIN).analyze(session_of())
    assert any("was not reached" in one and "are needed" in one for one in found.caveats)


def test_a_classifiers_errors_are_taken_out(session_of, tmp_path):
    known, path = KnownModel(), tmp_path / "confusion.csv"
    path.write_text("true,said,count\nfemale,female,700\nfemale,male,300\nmale,male,900\nmale,female,100\n")
    read = (Nearest(known, wrong=(0.3, 0.1)),)
    found = Representation(images=400, confusion=str(path), **PLAIN).analyze(session_of(known, read, seed=1))
    plain, mended = shares(found), shares(found, metric="representation.corrected_share")
    assert SHARES["pilot"] not in plain["pilot"].interval
    assert all(SHARES[job] in mended[job].interval for job in SHARES)
    assert silent(found) == set()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a,b\n1,2\n", "no confusion table"),
        ("true,said,count\nfemale,female,x\n", "no whole number"),
        ("true,said,count\nfemale,female,9\nmale,female,9\n", "never says 'male'"),
        ("true,said,count\nfemale,female,9\nfemale,male,9\n", "no image of 'male'"),
    ],
)
def test_a_confusion_table_that_corrects_nothing_is_refused(session_of, tmp_path, content, said):
    (tmp_path / "c.csv").write_text(content)
    with pytest.raises(RequestError, match=said):
        Representation(images=4, confusion=str(tmp_path / "c.csv"), **PLAIN).analyze(session_of())


def test_a_classifier_that_never_sees_a_group_stops_the_run(session_of):
    known = KnownModel()
    blind = (Nearest(known, blind=True),)
    with pytest.raises(InstrumentError, match="'male' is never seen, though 16 prompts name it"):
        Representation(images=4).analyze(session_of(known, blind))
    found = Representation(images=4, **PLAIN).analyze(session_of(known, blind))
    assert any("no image of 20 was taken for 'male'" in one for one in found.caveats)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"half_width": 0.05, "most": 100}, "402"),
        ({"images": 1}, "at least 2"),
        ({"half_width": 0.7}, "half_width"),
        ({"discover": 1}, "discover"),
        ({"confusion": "/no/such.csv"}, "no file"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_words(session_of, settings, said):
    with pytest.raises(RequestError, match=said):
        Representation(**settings).analyze(session_of())


def test_without_a_classifier_or_a_target_nothing_runs(session_of):
    with pytest.raises(RequestError, match="Nobody tells the groups of 'gender' apart"):
        Representation().analyze(session_of(classifiers=()))
    with pytest.raises(NothingAuditedError, match="No targets"):
        Representation().analyze(DiffusionSession(model=KnownModel()))


def own(share=0.75, captions=(), count=40):
    pixels = np.zeros((count * len(SHARES), 4, 4), np.uint8)
    cells = [("female" if row < share * count else "male") for _ in SHARES for row in range(count)]
    labels = [job for job in SHARES for _ in range(count)]
    said = tuple(captions) * (len(labels) // max(1, len(captions)))
    return image_set(pixels, labels, attributes={"gender": cells}, captions=said)


def test_labelled_images_need_no_classifier(session_of):
    found = Representation(**PLAIN).analyze(session_of(classifiers=(), images=(own(),)))
    assert {one.value for one in shares(found).values()} == {0.75}
    assert {one.n for one in shares(found).values()} == {40}


def test_more_than_two_groups_are_tested_at_once(session_of):
    names = ("asian", "black", "hispanic", "white")
    even, white = names * 20, ("white",) * 65 + names * 3 + ("asian",) * 3
    labels = ["baker"] * 80 + ["judge"] * 80
    images = image_set(
        np.zeros((160, 4, 4), np.uint8), labels, attributes={"ethnicity": [*even, *white]}, captions=()
    )
    four = compared("ethnicity", ("baker", "judge"), words={name: (name,) for name in names})
    session = DiffusionSession(model=KnownModel(), comparisons=(four,), images=(images,))
    found = Representation(**PLAIN).analyze(session)
    tested = {one.concepts[0]: one.estimate for one in found.findings if one.metric == "representation.fd"}
    assert (tested["baker"].value, tested["baker"].null.adjusted) == (0.0, 1.0)
    assert tested["judge"].null.adjusted < 0.01
    assert 0.5 < tested["judge"].interval.low < tested["judge"].value < tested["judge"].interval.high
    assert "Goodman" in shares(found, "white")["judge"].interval.method
    assert len(found.dots[0].series) == 4
    assert recomputed(found) == SCORES


def test_captions_give_sets_of_words_at_equal_sizes(session_of):
    captions = ("a baker with bread", "a man with bread", "a woman and a man with bread", "a clerk at work")
    found = Representation(**PLAIN).analyze(session_of(classifiers=(), images=(own(captions=captions),)))
    jaccard = shares(found, None, "representation.hallucination")
    assert all(0 <= one.value <= 1 for one in jaccard.values())
    assert jaccard["baker"].value < jaccard["judge"].value
    bias = shares(found, None, "representation.distribution_bias")
    assert len({one.n for one in bias.values()}) == 1
    assert "as published" in bias["baker"].method
    words = {"hallucination", "added_words", "missing_words", "effective_words"}
    assert recomputed(found) == SCORES | words
    assert silent(found) == set()


def test_too_few_images_of_ones_own_say_how_many_are_needed(session_of):
    session = session_of(classifiers=(), images=(own(),))
    with pytest.raises(RequestError, match=r"'baker' has 40 images[\s\S]*104 are needed"):
        Representation(half_width=0.1, **PLAIN).analyze(session)


def test_groups_are_found_without_labels_and_compared_with_the_known_ones(session_of):
    found = Representation(images=40, discover=2, nodes=6, **PLAIN | {"shown": 4}).analyze(session_of())
    gaps = [one for one in found.findings if one.metric == "representation.error_gap"]
    assert len(gaps) == len(SHARES)
    assert all(one.estimate.null.correction for one in gaps)
    assert all(len(one.evidence) == 5 for one in gaps)
    linked = [one for one in found.findings if one.metric == "representation.error_association"]
    assert all(0 <= one.estimate.value <= 1 for one in linked)
    assert recomputed(found) == SCORES | {"error_gap", "error_association"}
    assert silent(found) == set()
    assert sum(one.name.startswith("error-groups") for one in found.sheets) == len(SHARES)


def mixed(known, captions, count=24):
    """Images of each job, in turn people that the model knows and noise; the attribute says which."""
    rng, pixels, cells = np.random.default_rng(5), [], []
    for job in SHARES:
        means = known.means[known.fits[f"a {job}"]].numpy()
        for row in range(count):
            person = means[row % len(means)] + 0.1 * rng.normal(size=16)
            drawn = rng.uniform(-2, 2, size=16) if row % 2 else person
            pixels.append(((drawn + 2) * 64).clip(0, 255).astype(np.uint8).reshape(4, 4))
            cells.append("male" if row % 2 else "female")
    labels = [job for job in SHARES for _ in range(count)]
    said = tuple(captions) * (len(labels) // max(1, len(captions)))
    return image_set(np.stack(pixels), labels, attributes={"gender": cells}, captions=said)


def test_groups_are_found_among_captioned_images_of_ones_own(session_of):
    known = KnownModel()
    known.means = known.means / 4  # so that people fit into eight bits
    images = (mixed(known, ("a baker with bread", "a man with bread")),)
    found = Representation(discover=2, nodes=6, **PLAIN | {"shown": 4}).analyze(
        session_of(known, classifiers=(), images=images)
    )
    gaps = [one.estimate for one in found.findings if one.metric == "representation.error_gap"]
    linked = [one.estimate for one in found.findings if one.metric == "representation.error_association"]
    assert len(gaps) == len(linked) == len(SHARES)
    assert all(one.n == 24 and one.null.adjusted <= 0.05 for one in gaps)
    assert all(one.value > 0.9 and one.null.p < 0.01 for one in linked), "noise is told from people"
    assert any(one.metric == "representation.hallucination" for one in found.findings)
    sheet = next(one for one in found.sheets if one.name == "error-groups-baker")
    assert [tile.label for tile in sheet.tiles] == ["baker"] * 4
    few = (mixed(known, (), count=2),)
    with pytest.raises(RequestError, match="Give more images"):
        Representation(discover=4, nodes=6, **PLAIN).analyze(session_of(known, classifiers=(), images=few))
