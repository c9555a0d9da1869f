"""The search finds the strength of a known response, goes on where it was, and says when none will do."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from biaskit.concepts.site_edit import EditRecord, SiteEdit
from biaskit.errors import RequestError
from biaskit.protocols import Drawing
from biaskit.records.site import Site
from biaskit.steering.doses import Response, dose_response
from biaskit.steering.search import Ledger, Search
from biaskit.steering.trajectories import Asked, Place, Stage

SITE = Site.parse("bottleneck")


class Known:
    """A model whose image shows the class with logistic(-2.2 + slope x strength); counts what it draws."""

    def __init__(self, slope=2.0):
        self.slope, self.drawn = slope, 0
        self.subject = SimpleNamespace(fingerprint="known")

    def draw(self, prompts, seeds, sampling=None, edits=None):
        self.drawn += len(seeds)
        edit = (edits or {}).get(SITE)
        logit = -2.2 + self.slope * (edit.record.strength if edit is not None else 0.0)
        marks = np.array([np.random.default_rng(seed).random() for seed in seeds])
        shows = torch.from_numpy((marks < 1 / (1 + np.exp(-logit))).astype(np.float32))
        pixels = shows[:, None, None, None].expand(-1, 3, 2, 2)
        return Drawing(latents=pixels, pixels=pixels)


class Reader:
    name = fingerprint = "reader"
    attribute, classes = "kind", ("common", "rare")

    def probabilities(self, pixels):
        rare = pixels[:, 0, 0, 0]
        return torch.stack([1 - rare, rare], dim=1)


def edit():
    record = EditRecord(kind="add", model="known", site=SITE, layout="map")
    return SiteEdit(record, torch.ones(1, 4), torch.tensor([1.0]), torch.ones(1, 1, 1))


def stage(model):
    return Stage(model, Place(SITE), Reader())


ASKED = Asked.of(["one", "two"], 800, 0)


def test_the_strength_is_found():
    found = Search(0.5, fine=800).run(stage(Known()), 1, edit(), ASKED, Ledger(None))
    assert found.strength == pytest.approx(1.1, abs=0.1)


def test_each_strength_has_noises_of_its_own_so_that_the_share_is_met_more_closely():
    """Over 20 searches the share at the strength that was found errs less than one set of noises allows."""
    off = []
    for number in range(20):
        asked = Asked.of(["one", "two"], 600, 10_000 * (number + 1))
        found = Search(0.5, fine=200).run(stage(Known()), 1, edit(), asked, Ledger(None))
        off.append(1 / (1 + np.exp(2.2 - 2 * found.strength)) - 0.5)
    same_noises = 0.5 / 200**0.5
    assert abs(np.mean(off)) < same_noises / 2
    assert np.std(off) < 0.8 * same_noises


def test_a_search_that_was_interrupted_goes_on_and_ends_alike(tmp_path):
    whole = Search(0.5, fine=200).run(stage(Known()), 1, edit(), ASKED, Ledger(tmp_path / "one"))

    class Stops(Known):
        def draw(self, prompts, seeds, sampling=None, edits=None):
            if self.drawn > 300:
                raise KeyboardInterrupt
            return super().draw(prompts, seeds, sampling, edits)

    ledger = Ledger(tmp_path / "two")
    with pytest.raises(KeyboardInterrupt):
        Search(0.5, fine=200).run(stage(Stops()), 1, edit(), ASKED, ledger)
    model = Known()
    again = Search(0.5, fine=200).run(stage(model), 1, edit(), ASKED, ledger)
    assert again == whole
    assert model.drawn < sum(whole.images), "what was measured is not drawn again"
    next((tmp_path / "two").glob("*.json")).write_text("broken")
    assert Search(0.5, fine=200).run(stage(Known()), 1, edit(), ASKED, ledger) == whole


def test_a_share_that_cannot_be_reached_is_told():
    with pytest.raises(RequestError, match="No strength up to 6"):
        Search(0.5).run(stage(Known(slope=0.0)), 1, edit(), ASKED, Ledger(None))


def test_dose_and_response_and_the_null_of_a_rise():
    rises = dose_response(stage(Known()), 1, edit(), [2, 0, 1], ASKED.first(100))
    assert rises.strengths == (0, 1, 2)
    assert rises.falls == 0
    assert rises.trend().p < 1e-6
    assert rises.effect(2) in rises.effect_interval(2)
    flat = dose_response(stage(Known(slope=0.0)), 1, edit(), [0, 1, 2], ASKED.first(100))
    assert flat.trend().p == 1
    assert flat.test(1).p == 1


def test_the_test_of_a_rise_holds_its_level():
    """Shares that do not depend on the strength: at 0.05 the rise is claimed in about one of twenty."""
    rng = np.random.default_rng(4)
    tables = rng.random((200, 40, 4)) < 0.5
    claimed = sum(Response((0.0, 1.0, 2.0, 3.0), one).trend().p <= 0.05 for one in tables)
    assert 2 <= claimed <= 20
