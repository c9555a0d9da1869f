"""Distances have their closed forms; a prompt is read off images that differ, and off no others."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from biaskit.errors import RequestError
from biaskit.steering.quality import Distances, PromptReader, Reference, evened, farther, frechet


def test_the_frechet_distance_of_known_gaussians():
    rng = np.random.default_rng(0)
    one = rng.normal(size=(200_000, 3)) * [1.0, 2.0, 0.5] + [0.0, 1.0, 0.0]
    other = rng.normal(size=(200_000, 3)) * [2.0, 1.0, 0.5] + [3.0, 1.0, -1.0]
    # |m - m'|^2 + sum (s - s')^2 for covariances that commute.
    assert frechet(one, other) == pytest.approx(10 + 2, rel=0.02)
    assert frechet(one, one) == pytest.approx(0, abs=1e-9)


def test_images_are_as_far_from_the_reference_as_they_were_moved():
    rng = torch.Generator().manual_seed(0)
    real = torch.randn(300, 2, 3, 3, generator=rng)
    reference = Reference.of(real, 8)
    assert reference.distance(real) == pytest.approx(0, abs=1e-9)
    assert reference.distance(real + 1) > reference.distance(real + 0.2) > 0
    assert reference.nearest(real + 5).mean() > reference.nearest(real).mean()
    with pytest.raises(RequestError, match="too few"):
        Reference.of(real[:2])


def test_a_prompt_is_read_off_its_images():
    rng = torch.Generator().manual_seed(1)
    images, owners = torch.randn(200, 4, 2, 2, generator=rng), np.arange(200) % 2
    images[torch.from_numpy(owners == 0)] += 1.5
    reader = PromptReader.of(images, owners)
    fresh = torch.randn(200, 4, 2, 2, generator=rng)
    assert reader.reads(fresh + 1.5, 0).mean() > 0.9
    assert reader.reads(fresh, 0).mean() < 0.1


def drawn(rng, share, count=4000, worse=1.0):
    """Images of two groups of which the first varies twice as much; `worse` takes all of them farther."""
    groups = (rng.random(count) >= share).astype(int)
    return Distances(worse * (2.0 - groups) * rng.uniform(0.9, 1.1, count), groups)


def test_a_group_that_varies_more_is_no_worse_for_being_drawn_more_often():
    """Known case: the share alone changes. Held equal it costs nothing, and a plain mean rises by a third."""
    rng = np.random.default_rng(0)
    before, after = drawn(rng, 0.1), drawn(rng, 0.5)
    assert farther(before, after, (0.5, 0.5)) == pytest.approx(0.0, abs=0.01)
    assert after.values.mean() / before.values.mean() - 1 > 0.3


def test_what_gets_worse_is_seen_whatever_the_share():
    rng = np.random.default_rng(1)
    for share in (0.1, 0.5):
        assert farther(drawn(rng, 0.1), drawn(rng, share, worse=1.2), (0.5, 0.5)) == pytest.approx(
            0.2, abs=0.02
        )
    alone = Distances(np.ones(5), np.zeros(5, dtype=int))
    other = Distances(np.full(5, 1.5), np.ones(5, dtype=int))
    assert farther(alone, other, (0.5, 0.5)) == pytest.approx(0.5), "no group in common: all images"


def test_references_have_the_shares_that_are_wanted():
    groups = np.repeat([0, 1], [30, 10])
    assert np.bincount(groups[evened(groups, (0.5, 0.5))]).tolist() == [10, 10]
    assert np.bincount(groups[evened(groups, (0.75, 0.25))]).tolist() == [30, 10]
    assert len(evened(np.zeros(20, dtype=int), (0.5, 0.5))) == 20, "nothing can be evened without a group"
