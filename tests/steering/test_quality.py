"""Distances have their closed forms; a prompt is read off images that differ, and off no others."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from biaskit.errors import RequestError
from biaskit.steering.quality import PromptReader, Reference, frechet


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
