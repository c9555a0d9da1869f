import numpy as np
import pytest
import torch

from biaskit.errors import RequestError
from biaskit.saliency.localisation import (
    intersection_over_union,
    pointing_game,
    relevance_mass,
    relevance_rank,
)
from biaskit.saliency.maps import Maps
from biaskit.stats.proportions import binomial_band


def maps(signed):
    n = len(signed)
    return Maps(signed, torch.zeros(n), "grad-cam", None, torch.zeros(n, dtype=torch.bool))


def square(n, size=12):
    region = torch.zeros(n, size, size, dtype=torch.bool)
    region[:, 3:6, 6:10] = True
    return region


EVERY = (pointing_game, relevance_mass, relevance_rank, intersection_over_union)


def test_the_region_itself_is_a_perfect_map(rng):
    region = square(20)
    found = {measure: measure(maps(region.float()), region, rng).estimate(rng) for measure in EVERY}
    assert found[pointing_game].value == 1
    assert found[relevance_mass].value == pytest.approx(144 / 12)
    assert found[relevance_rank].value == pytest.approx(1)
    assert found[intersection_over_union].value == pytest.approx(1)
    assert all(estimate.null.p <= 0.002 for estimate in found.values())


def test_values_by_hand(rng):
    region = torch.zeros(2, 2, 2, dtype=torch.bool)
    region[:, 0] = True
    signed = torch.tensor([[[3.0, -1.0], [1.0, 0.0]], [[-5.0, 0.5], [2.0, 1.5]]])
    found = maps(signed)
    assert pointing_game(found, region, rng).values.tolist() == [1, 0]
    assert relevance_mass(found, region, rng).values == pytest.approx([0.75 / 0.5, 0.125 / 0.5])
    assert relevance_rank(found, region, rng).values == pytest.approx([0.5, 0.0])
    assert intersection_over_union(found, region, rng).values == pytest.approx([1 / 3, 0])


def test_tolerance_grows_the_region_on_every_side(rng):
    signed = torch.zeros(1, 12, 12)
    signed[0, 2, 5] = 1
    assert pointing_game(maps(signed), square(1), rng).values.tolist() == [0]
    assert pointing_game(maps(signed), square(1), rng, tolerance=1).values.tolist() == [1]


def test_dead_maps_score_nothing(rng):
    dead = maps(torch.stack([torch.full((12, 12), 2.0), -torch.ones(12, 12), torch.zeros(12, 12)]))
    for measure in EVERY:
        assert measure(dead, square(3), rng).values.tolist() == [0, 0, 0]


@pytest.mark.parametrize("measure", EVERY)
def test_maps_that_know_nothing_are_rejected_at_the_stated_rate(measure):
    """Smooth maps laid anywhere, against a region in one place: p below 0.05 in a share of 0.05."""
    rng, draw = np.random.default_rng(5), torch.Generator().manual_seed(5)
    runs, hits, values = 120, 0, []
    for _ in range(runs):
        coarse = torch.rand(12, 1, 3, 3, generator=draw)
        smooth = torch.nn.functional.interpolate(coarse, (12, 12), mode="nearest")[:, 0]
        down, across = torch.randint(12, (2, 12), generator=draw).tolist()
        rolled = [m.roll(by, (0, 1)) for m, by in zip(smooth, zip(down, across, strict=True), strict=True)]
        estimate = measure(maps(torch.stack(rolled)), square(12), rng).estimate(rng)
        hits += estimate.null.p < 0.05
        values.append(estimate.value)
    assert hits / runs in binomial_band(0.05, runs, 0.999)
    if measure is relevance_mass:
        assert np.mean(values) == pytest.approx(1, abs=0.1)


def test_refuses_regions_that_say_nothing(rng):
    with pytest.raises(RequestError, match="covers nothing"):
        relevance_mass(maps(torch.rand(1, 4, 4)), torch.zeros(1, 8, 8, dtype=torch.bool), rng)
    with pytest.raises(RequestError, match="2 maps and 1 regions"):
        relevance_mass(maps(torch.rand(2, 4, 4)), square(1), rng)
