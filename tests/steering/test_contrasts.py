"""Differences between classes hold equal what else sets images apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from biaskit.steering.ranking import Codes

STEPS = (900.0, 100.0)


@pytest.fixture(scope="module")
def confounded():
    """Latent 0 is the class, latent 1 the noun; nine in ten images of one noun show the class."""
    rng = np.random.default_rng(0)
    nouns = rng.integers(2, size=4000)
    labels = (rng.random(4000) < np.where(nouns == 0, 0.1, 0.9)).astype(int)
    noise = rng.normal(0, 0.1, (4000, 2))
    latents = np.stack([labels * 1.0, nouns * 2.0], axis=1) + noise
    return torch.from_numpy(latents).float(), torch.from_numpy(labels), nouns


def codes(confounded, apart):
    latents, labels, _ = confounded
    table = np.array([np.ones(len(labels)), *apart], dtype=float).T
    steps = dict.fromkeys(STEPS, latents)
    return Codes(steps, steps, labels, ("other", "class"), table)


def test_what_goes_with_the_class_is_not_taken_for_it(confounded):
    _, _, nouns = confounded
    held = codes(confounded, [nouns == 0, nouns == 1]).differences()
    assert held.shape == (2, 2, 2)
    assert held[1, 0].tolist() == pytest.approx([1.0, 0.0], abs=0.03)
    assert held[0, 1].tolist() == pytest.approx([-1.0, 0.0], abs=0.03)


def test_without_anything_apart_it_is_the_difference_of_means(confounded):
    latents, labels, _ = confounded
    plain = latents[labels == 1].mean(dim=0) - latents[labels == 0].mean(dim=0)
    made = codes(confounded, [])
    assert torch.allclose(made.differences()[1, 0], plain, atol=1e-4)
    assert torch.allclose(made.directions()[1, 1], plain, atol=1e-4)
    assert float(made.differences()[1, 0, 1]) > 1, "the noun is taken for the class"


def test_what_cannot_be_parted_from_the_class_is_left_in(confounded):
    _, labels, _ = confounded
    alike = labels.numpy() == 1
    assert torch.allclose(
        codes(confounded, [alike, ~alike]).differences(), codes(confounded, []).differences(), atol=1e-4
    )


def test_parts_and_other_labels_keep_what_is_apart(confounded):
    _, labels, nouns = confounded
    made = codes(confounded, [nouns == 0, nouns == 1])
    half = made.part(torch.arange(0, 4000, 2))
    assert half.differences()[1, 0].tolist() == pytest.approx([1.0, 0.0], abs=0.05)
    assert made.relabelled(1 - labels).differences()[0, 0].tolist() == pytest.approx([1.0, 0.0], abs=0.03)
