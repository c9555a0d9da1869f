"""Small data with a planted shortcut."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from biaskit.retraining.examples import Examples


def vectors(rho: float, n: int, seed: int) -> Examples:
    """A loud feature that agrees with the class at rate rho, and a quiet one that always does.

    Group = 2 x class + attribute.
    """
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    attribute = np.where(rng.random(n) < rho, labels, 1 - labels)
    columns = rng.normal(size=(n, 10))
    columns[:, 0] = 6 * (2 * attribute - 1) + rng.normal(size=n)
    columns[:, 1] = 1.0 * (2 * labels - 1) + 0.15 * rng.normal(size=n)
    inputs = torch.from_numpy(columns).float()
    return Examples(inputs, torch.from_numpy(labels), torch.from_numpy(2 * labels + attribute))


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(5)


@pytest.fixture
def biased():
    return vectors(0.95, 1000, 1)


@pytest.fixture
def fair():
    return vectors(0.5, 1000, 2)
