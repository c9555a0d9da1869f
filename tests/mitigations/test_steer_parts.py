"""What is mended and what is not, what stands beside a remedy, and attributes that an edit takes along."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from analyzers.recomputing import recomputed, silent

from biaskit.concepts.site_edit import EditRecord, SiteEdit
from biaskit.mitigations import steer_holding
from biaskit.mitigations.steer_controls import beside_random, rise
from biaskit.mitigations.steer_holding import held, noisiest
from biaskit.mitigations.steer_leans import rarest_groups
from biaskit.mitigations.steer_numbers import Compared, kept_share, share
from biaskit.mitigations.steer_rows import READ, SteerRows
from biaskit.protocols import Drawing
from biaskit.records.finding import Analysis
from biaskit.records.site import Site
from biaskit.steering.doses import Response
from biaskit.steering.search import Ledger
from biaskit.steering.trajectories import Asked, Place, Stage

SITE, ABOUT = Site.parse("bottleneck"), Compared("nurse", "male", "steered")


def found(shares, n=384):
    counts = [np.array([round(share * n), n - round(share * n)]) for share in shares]
    return rarest_groups([str(share) for share in shares], counts, 0.4)


def test_a_group_is_mended_where_it_is_too_rare_beyond_chance():
    few, some, fair = found([0.1, 0.375, 0.5])
    assert few.lacks
    assert (few.number, few.share) == (0, pytest.approx(0.1, abs=0.01))
    assert not some.lacks, "37 % of 384 may be 40 %"
    assert not fair.lacks
    assert found([0.9])[0].number == 1


def test_fair_targets_are_hardly_ever_mended():
    """At the smallest share that is tolerated, ten targets a run, a run mends one in at most 5 %."""
    rng, names = np.random.default_rng(0), [str(number) for number in range(10)]
    runs = 0
    for _ in range(400):
        counts = [np.array([one, 384 - one]) for one in rng.binomial(384, 0.4, size=10)]
        runs += any(one.lacks for one in rarest_groups(names, counts, 0.4))
    assert runs / 400 <= 0.07


def test_windows_begin_at_the_noisiest_step():
    steps = [900.0, 700.0, 500.0, 300.0, 100.0]
    assert noisiest(steps, 0.5)[0] == 600, "half way between two steps"
    assert noisiest(steps, 1.0)[0] == 0
    assert noisiest(steps, 0.7)[1] > 1000


def test_a_remedy_stands_beside_random_latents():
    before, steered = np.arange(100) < 10, np.arange(100) < 50
    effect, random = beside_random(ABOUT, (before, steered), np.array([0.02, -0.03, 0.01] * 7))
    assert effect.estimate.value == pytest.approx(0.4)
    assert effect.estimate.null.p == pytest.approx(1 / 22)
    assert random.estimate.value == pytest.approx(0.02)
    as_far, _ = beside_random(ABOUT, (before, steered), np.array([0.02, -0.4, 0.5]))
    assert as_far.estimate.null.p == pytest.approx(3 / 4), "either way counts"
    (alone,) = beside_random(ABOUT, (before, steered), np.empty(0))
    assert "McNemar" in alone.estimate.null.kind


def test_numbers_are_computed_again_from_images_strengths_and_random_sets():
    marks, seeds, rows = np.arange(100), tuple(range(100)), SteerRows()
    before, steered, rewritten = marks < 10, marks < 50, marks % 2 == 0
    random, doses = np.array([0.02, -0.03, 0.01]), Response((0.0, 1.0, 2.0), marks[:, None] < [20, 100, 60])
    rows.show("nurse", seeds, {"before": before, "steered": steered, "prompts rewritten": rewritten})
    rows.show("judge", seeds, {"before": rewritten})
    rows.keep(("nurse", READ), seeds, before, rewritten)
    rows.keep(("nurse", "age: old"), seeds, rewritten, steered)
    rows.dose("nurse", seeds, doses)
    rows.chance("nurse", random)
    ways = {"before": before, "steered": steered, "prompts rewritten": rewritten}
    findings = [share(replace(ABOUT, way=way), shows, 0.5, headline=False) for way, shows in ways.items()]
    findings += [
        share(Compared("judge", "male", "before"), rewritten, 0.5, headline=False),
        rise(ABOUT, doses),
    ]
    findings += beside_random(ABOUT, (before, steered), random)
    findings.append(kept_share(ABOUT, "mitigation.fidelity", before, rewritten))
    findings.append(
        kept_share(replace(ABOUT, group="age: old"), "mitigation.side_effect", rewritten, steered)
    )
    other = kept_share(replace(ABOUT, way="guidance"), "mitigation.fidelity", before, rewritten)
    pixels = ABOUT.mean("mitigation.pixels", marks / 100, "change")
    everything = (*findings, other, pixels)
    analysis = Analysis(analyzer="s", settings={}, findings=everything, tables=rows.tables())
    numbers = {"share", "largest_fall", "effect", "random_effect", "fidelity", "side_effect"}
    assert recomputed(analysis) == numbers
    assert silent(analysis) == set()
    assert all(one.rows for one in findings)
    assert (other.rows, pixels.rows) == (None, None)


def test_a_share_that_rises_with_the_dose_is_told_from_one_that_falls():
    marks = np.arange(200)[:, None]
    rising = rise(ABOUT, Response((0.0, 1.0, 2.0), marks < np.array([20, 100, 180])))
    falling = rise(ABOUT, Response((0.0, 1.0, 2.0), marks < np.array([20, 100, 60])))
    assert rising.estimate.value == 0
    assert rising.estimate.null.p < 1e-6
    assert falling.estimate.value == pytest.approx(0.2)


class Entangled:
    """Draws whom an edit leads to: what is added is the logit of women and of the old; women are older."""

    subject = SimpleNamespace(fingerprint="entangled")

    def __init__(self, older=1.0):
        self.older = older

    def draw(self, prompts, seeds, sampling=None, edits=None):
        edit = (edits or {}).get(SITE)
        zero = torch.zeros(2)
        added = zero if edit is None else edit.record.strength * edit.amounts[0, 0] @ edit.decoder
        marks = np.stack([np.random.default_rng(seed).random(2) for seed in seeds])
        women = marks[:, 0] < _share(-2.2 + float(added[0]))
        old = marks[:, 1] < _share(self.older * women + float(added[1]) - self.older / 2)
        pixels = torch.from_numpy(np.stack([women, old], axis=1)).float()[:, :, None, None]
        return Drawing(latents=pixels, pixels=pixels)


def _share(logit):
    return 1 / (1 + np.exp(-logit))


def reader(name, channel):
    def probabilities(pixels):
        shows = pixels[:, channel, 0, 0]
        return torch.stack([shows, 1 - shows], dim=1)

    return SimpleNamespace(
        name=name, fingerprint=name, attribute=name, classes=("yes", "no"), probabilities=probabilities
    )


def leading(*direction):
    record = EditRecord(kind="add", model="entangled", site=SITE, layout="map", strength=1.0, features=(1,))
    return SiteEdit(record, torch.tensor([direction]).float(), torch.tensor([500.0]), torch.ones(1, 1, 1))


def moved(model, edit, asked, channel):
    before, after = (model.draw(asked.prompts, asked.seeds, edits={SITE: one}).pixels for one in (None, edit))
    return float((after - before)[:, channel].mean())


@pytest.fixture
def turned_back(monkeypatch):
    """Hold the age while women are drawn more often."""
    signs = {0: 1.0, 1: -1.0}
    monkeypatch.setattr(steer_holding, "_leading", lambda _s, _a, number, _e: leading(0.0, signs[number]))

    def run(model, asked):
        stage = Stage(model, Place(SITE), reader("women", 0))
        search = SimpleNamespace(
            stage=stage, scene=SimpleNamespace(watched=(reader("old", 1),)), ledger=Ledger(None)
        )
        return held(search, leading(2.2, 0.0), asked)

    return run


def test_an_attribute_that_an_edit_takes_along_is_turned_back(turned_back):
    model, asked = Entangled(older=2.0), Asked.of(["one"], 800, 0)
    assert moved(model, leading(2.2, 0.0), asked, 1) > 0.1, "more women are more old people"
    kept = turned_back(model, asked)
    assert len(kept.turned) == 1
    assert "yes (old) had moved" in kept.said or "no (old) had moved" in kept.said
    fresh = Asked.of(["one"], 800, 5000)
    assert abs(moved(model, kept.edit, fresh, 1)) < 0.03
    assert moved(model, kept.edit, fresh, 0) > 0.3, "the edit still does what it is for"


def test_an_attribute_that_stays_is_left_alone(turned_back):
    kept = turned_back(Entangled(older=0.0), Asked.of(["one"], 400, 0))
    assert kept.turned == ()
    assert kept.edit.record.features == (1,)


def test_what_is_turned_back_is_turned_at_other_steps():
    """The edit keeps to its steps and the other one to the rest, in one edit that acts at all of them."""
    steps = torch.tensor([900.0, 500.0, 100.0])
    record = EditRecord(kind="add", model="entangled", site=SITE, layout="map", strength=2.0, features=(1,))
    edit = SiteEdit(record, torch.tensor([[1.0, 0.0]]), steps, torch.ones(1, 3, 1)).within(300.0, 2000.0)
    other = SiteEdit(record, torch.tensor([[0.0, 1.0]]), steps, torch.ones(1, 3, 1)).within(0.0, 300.0)
    joined = steer_holding._joined(edit, other, 0.5)
    added = joined.record.strength * joined.amounts[0] @ joined.decoder
    assert joined.record.window is None
    assert added.tolist() == [[2.0, 0.0], [2.0, 0.0], [0.0, 0.5]]
