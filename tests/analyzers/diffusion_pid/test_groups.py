"""Gaps between groups on a model that is known exactly: planted, null, control and floor."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from analyzers.diffusion_pid.conftest import SHARES, KnownModel, compared
from analyzers.recomputing import recomputed, silent
from PIL import Image
from scipy import stats
from scipy.stats import spearmanr

from biaskit.analyzers.diffusion_pid import DiffusionPid
from biaskit.decomposition.density import Density
from biaskit.errors import NothingAuditedError, RequestError, UnknownNameError
from biaskit.images.image_set import ImageSet

QUICK = DiffusionPid(images=3, nodes=12, replicates=1, shown=1)
ALONE = replace(QUICK, neutral=0)
NULL = DiffusionPid(images=2, nodes=8, replicates=1, shown=0, log_odds=False)


def by_target(analysis, metric, group=None):
    return {
        one.concepts[0]: one.estimate
        for one in analysis.findings
        if one.metric == metric and group in (None, one.group)
    }


def in_order(found):
    return [found[job].value for job in SHARES]


@pytest.fixture(scope="module")
def planted(session_of):
    return QUICK.analyze(session_of())


@pytest.mark.parametrize(
    "metric", ["diffusion_pid.gap", "diffusion_pid.log_odds", "diffusion_pid.share_drawn"]
)
def test_figures_rank_the_planted_shares(planted, metric):
    found = by_target(planted, metric, "female" if metric.endswith("drawn") else None)
    assert spearmanr(in_order(found), list(SHARES.values())).statistic >= 0.9


def test_means_are_those_of_the_rows_that_are_kept(planted):
    gaps = {"gap", "gap_beyond_neutral", "log_odds", "log_odds_beyond_neutral", "redundancy_gap", "error_gap"}
    assert recomputed(planted) == gaps | {"share_drawn", "mi", "prior_dominance"}
    assert silent(planted) == set()


def test_log_odds_are_those_that_were_planted(planted):
    """The divergence from the target alone is -log of the group's share, where the image shows the group."""
    found = by_target(planted, "diffusion_pid.log_odds")
    for job, share in SHARES.items():
        assert found[job].value == pytest.approx(math.log(share / (1 - share)), abs=0.45)


def test_the_model_reads_its_own_images_right(session_of):
    """An image shows one gender clearly, so the share read is the share of images that show it."""
    model, drawn = KnownModel(), {}
    women = model.means[[row for row, one in enumerate(model.people) if one[1] == "female"]]

    def seen(prompts, seeds, sampling=None):
        found = type(model).draw(model, prompts, seeds, sampling)
        apart = (found.latents.flatten(1).double()[:, None] - women).square().sum(dim=2)
        drawn.setdefault(prompts[0].split()[-1], []).append((apart < 1.0).any(dim=1))
        return found

    model.draw = seen
    asked = replace(ALONE, log_odds=False, shown=0)
    found = by_target(asked.analyze(session_of(model)), "diffusion_pid.share_drawn", "female")
    for job in SHARES:
        share = float(torch.cat(drawn[job]).double().mean())
        assert found[job].value == pytest.approx(share, abs=0.02)


def test_strong_leans_are_beyond_chance_and_every_gap_has_its_interval(planted):
    found = by_target(planted, "diffusion_pid.gap")
    assert found["baker"].null.adjusted <= 0.05
    assert found["pilot"].null.adjusted <= 0.05
    assert found["baker"].interval.high < 0 < found["pilot"].interval.low
    assert all(one.n == 8 and one.resampling_unit == "templates" for one in found.values())
    assert all(one.minimum_detectable_effect > 0 for one in found.values())


def test_the_control_attribute_stays_silent(session_of):
    found = by_target(QUICK.analyze(session_of(None, compared("age"))), "diffusion_pid.log_odds")
    assert sum(0.0 in one.interval for one in found.values()) >= 4
    assert max(abs(one.value) for one in found.values()) < 0.5, "those that were planted reach 2.2"


def test_words_that_mean_nothing_are_the_floor(session_of):
    """Two words that say nothing of a person: every gap is exactly 0."""
    nothing = compared(words={"guest": ("guest",), "voter": ("voter",)})
    found = ALONE.analyze(session_of(None, nothing))
    for metric in ("gap", "redundancy_gap", "log_odds"):
        assert in_order(by_target(found, f"diffusion_pid.{metric}")) == [0.0] * 5


def accused(analysis, metric):
    return sum(one.null.adjusted <= 0.05 for one in by_target(analysis, metric).values())


@pytest.mark.slow
def test_a_null_twin_is_accused_no_more_often_than_its_level(session_of):
    model = KnownModel(dict.fromkeys(SHARES, 0.5))
    runs = [NULL.analyze(session_of(model, seed=seed)) for seed in range(8)]
    for metric in ("diffusion_pid.gap", "diffusion_pid.gap_beyond_neutral"):
        assert sum(accused(one, metric) > 0 for one in runs) <= 2


def test_a_lean_that_every_noun_has_is_no_targets_own(session_of):
    """Every gap is beyond chance, and none beyond what neutral nouns have."""
    model = KnownModel(dict.fromkeys(SHARES, 0.95))
    found = replace(NULL, log_odds=True).analyze(session_of(model))
    assert accused(found, "diffusion_pid.gap") == 5
    assert accused(found, "diffusion_pid.gap_beyond_neutral") == 0
    assert accused(found, "diffusion_pid.log_odds_beyond_neutral") == 0
    assert "no gap of 5" in found.summary[0]


def test_strong_leans_are_beyond_neutral_nouns(planted):
    found = by_target(planted, "diffusion_pid.log_odds_beyond_neutral")
    assert found["baker"].null.adjusted <= 0.05
    assert found["pilot"].null.adjusted <= 0.05
    assert found["baker"].interval.high < 0 < found["pilot"].interval.low
    assert (found["baker"].n, found["baker"].resampling_unit) == (8, "neutral nouns")
    assert spearmanr(in_order(found), list(SHARES.values())).statistic >= 0.9


def test_targets_are_drawn_from_noises_of_their_own(session_of):
    """Else one draw that leans by chance would be a finding about every target."""
    model, drawn = KnownModel(), []

    def kept(prompts, seeds, sampling=None):
        drawn.append((prompts[0], tuple(seeds)))
        return type(model).draw(model, prompts, seeds, sampling)

    model.draw = kept
    replace(NULL, log_odds=True).analyze(session_of(model))
    by_noun: dict[str, set] = {}
    for prompt, seeds in drawn:
        by_noun.setdefault(prompt.split()[-1], set()).update(seeds)
    assert sum(map(len, by_noun.values())) == len(set().union(*by_noun.values()))
    named = dict(drawn)
    assert named["a female judge"] == named["a male judge"] == named["a judge"]


def test_without_neutral_nouns_it_is_said(session_of):
    found = replace(NULL, neutral=2).analyze(session_of())
    assert not by_target(found, "diffusion_pid.gap_beyond_neutral")
    assert any("neutral nouns" in one for one in found.caveats)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.5, 0.8])
def test_targets_like_neutral_nouns_are_accused_at_the_level(session_of, share):
    """Any false accusation in a run happens in one run of twenty at most, whether nouns lean or not."""
    model, runs = KnownModel(dict.fromkeys(SHARES, share)), 40
    found = [NULL.analyze(session_of(model, seed=seed)) for seed in range(runs)]
    highest = stats.binom.ppf(0.999, runs, 0.05)
    assert sum(accused(one, "diffusion_pid.gap_beyond_neutral") > 0 for one in found) <= highest
    inside = [
        0.0 in one.interval
        for each in found
        for one in by_target(each, "diffusion_pid.gap_beyond_neutral").values()
    ]
    assert np.mean(inside) >= 0.92
    if share == 0.5:
        assert sum(accused(one, "diffusion_pid.gap") > 0 for one in found) <= highest


def test_more_than_two_groups_are_each_set_against_the_others(session_of):
    four = {word: (word,) for word in ("female", "male", "old", "young")}
    found = DiffusionPid(images=1, nodes=8, replicates=1, shown=0, log_odds=False).analyze(
        session_of(None, compared(words=four))
    )
    gaps = [one for one in found.findings if one.metric == "diffusion_pid.gap" and one.concepts == ("pilot",)]
    assert [one.group for one in gaps] == list(four)
    assert sum(one.estimate.value for one in gaps) == pytest.approx(0, abs=1e-9)
    assert {"gap", "gap_beyond_neutral", "prior_dominance"} <= recomputed(found)
    assert silent(found) == set()


def test_the_same_run_gives_the_same_analysis_and_another_seed_does_not(session_of, planted):
    assert NULL.analyze(session_of()) == NULL.analyze(session_of())
    other = by_target(NULL.analyze(session_of(seed=1)), "diffusion_pid.gap")
    assert in_order(other) != in_order(by_target(planted, "diffusion_pid.gap"))


def test_a_run_goes_on_from_what_was_kept(session_of, tmp_path):
    first = NULL.analyze(session_of(cache=tmp_path))
    again = KnownModel()
    second = NULL.analyze(session_of(again, cache=tmp_path))
    assert first.findings == second.findings == NULL.analyze(session_of()).findings
    assert again.calls == 0


class Squares:
    """Images that show nothing, one grey each."""

    def __len__(self):
        return 40

    def name(self, row):
        return f"{row}.png"

    def read(self, row):
        return Image.fromarray(np.full((8, 8, 3), 5 * row, dtype=np.uint8))


def test_errors_of_the_groups_images_tell_them_apart(planted, session_of):
    """Told a leaning target's prompt, the model explains the rare group worse: by its surprisal, in nats."""
    (gap,) = [one for one in planted.findings if one.metric == "diffusion_pid.error_gap"]
    assert gap.references == ("female", "male")
    share = SHARES[gap.concepts[0]]
    truth = math.log((1 - share) / share)
    assert gap.estimate.interval.low < truth < gap.estimate.interval.high
    assert gap.estimate.n == 2 * 8 * 3


def test_images_of_ones_own_are_the_units_and_nothing_is_drawn(session_of):
    images = ImageSet(name="own", pictures=Squares(), labels=tuple(list(SHARES) * 8))
    found = QUICK.analyze(session_of(images=(images,)))
    gap = by_target(found, "diffusion_pid.gap")["baker"]
    assert (gap.n, gap.resampling_unit) == (8, "images")
    assert not by_target(found, "diffusion_pid.log_odds")
    assert recomputed(found) == {"gap", "redundancy_gap", "share_drawn", "mi", "prior_dominance"}
    assert silent(found) == set()


def test_too_few_images_of_ones_own_are_refused(session_of):
    few = ImageSet(name="own", pictures=Squares(), labels=("baker",) * 40)
    with pytest.raises(NothingAuditedError, match="'clerk' has 0 images"):
        QUICK.analyze(session_of(images=(few,)))


def test_nothing_to_audit_is_said(session_of):
    empty = session_of()
    with pytest.raises(NothingAuditedError, match="no prompts"):
        QUICK.analyze(type(empty)(model=empty.model))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"redundancy": "finn_lizier"}, "finn-lizier"),
        ({"images": 0}, "at least 1"),
        ({"nodes": 1}, "2 nodes"),
        ({"prior": "nowhere.csv"}, "no file"),
    ],
)
def test_settings_out_of_range_are_refused(wrong, said):
    with pytest.raises((RequestError, UnknownNameError), match=said):
        DiffusionPid(**wrong)


def test_the_page_has_maps_curves_plots_and_every_image_in_a_table(planted):
    assert [plot.unit for plot in planted.dots] == ["nat"] * 3
    assert planted.figures[0].curves[0].points[0].low is not None
    assert [len(one.curves) for one in planted.figures] == [2, 2, 1], "changes, errors, their difference"
    assert len(planted.sheets[0].tiles) == 3 * 2
    assert all(tile.confidence is None and tile.heat for tile in planted.sheets[0].tiles)
    images = next(one for one in planted.tables if "cmi_standard" in {each.name for each in one.columns})
    assert len(images.rows) == 5 * 8 * 3 * 2
    assert "beyond chance" in planted.summary[0]


def test_a_density_of_this_model_and_a_width_are_followed(session_of, tmp_path):
    session, path = session_of(), tmp_path / "density.safetensors"
    log_snrs = session.model.log_snrs.numpy()
    edges = np.linspace(log_snrs[0], log_snrs[-1], 9)
    Density(edges, np.array([4.0, 1, 1, 1, 0.5, 0.25, 0.15, 0.1]), session.model.subject.fingerprint).save(
        path
    )
    plain = replace(NULL, neutral=0, images=1)
    dense = replace(plain, density=str(path)).analyze(session)
    assert any("calibrated density" in note for note in dense.notes)
    assert by_target(dense, "diffusion_pid.gap") != by_target(plain.analyze(session), "diffusion_pid.gap")
    Density(edges, np.ones(8), "another").save(path)
    with pytest.raises(RequestError, match="another model"):
        replace(plain, density=str(path)).analyze(session)
    narrow = replace(plain, half_width=1e-6).analyze(session)
    passes = [int(one.notes[0].split()[4].replace(",", "")) for one in (narrow, plain.analyze(session))]
    assert passes[0] == 64 * passes[1]


def test_a_density_that_is_not_there_is_said():
    with pytest.raises(RequestError, match="density"):
        DiffusionPid(density="none.safetensors")
