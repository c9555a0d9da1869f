"""Small data with a planted shortcut: vectors for the rules, pictures of digits for a network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

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


def pictures(rho: float, n: int, seed: int, *, part: int = 0) -> Examples:
    """Digits 3 and 8, 16 pixels wide, on grey noise, with a red or blue square that agrees at rate rho.

    `part` 0 and 1 share no digit image. Group = 2 x class + colour.
    """
    rng = np.random.default_rng(seed)
    digits = load_digits()
    chosen = {k: np.flatnonzero(digits.target == k)[part::2] for k in (3, 8)}
    labels = rng.integers(0, 2, n)
    colour = np.where(rng.random(n) < rho, labels, 1 - labels)
    canvas = np.clip(rng.normal(0.4, 0.08, (n, 3, 32, 32)), 0, 1)
    for row in range(n):
        digit = digits.images[rng.choice(chosen[3 + 5 * labels[row]])] / 16
        large = digit.repeat(2, axis=0).repeat(2, axis=1)
        canvas[row, :, 14:30, 14:30] = np.maximum(canvas[row, :, 14:30, 14:30], large)
        canvas[row, :, 4:12, 4:12] = np.array([[0.9, 0.1, 0.1], [0.1, 0.1, 0.9]][colour[row]])[:, None, None]
    return Examples(
        torch.from_numpy(canvas).float(), torch.from_numpy(labels), torch.from_numpy(2 * labels + colour)
    )


class SmallCNN(nn.Sequential):
    """Five convolutions, mean over the grid, a linear head."""

    def __init__(self) -> None:
        widths, strides = (3, 10, 20, 20, 40, 40), (1, 2, 1, 2, 1)
        layers: list[nn.Module] = []
        for before, after, stride in zip(widths, widths[1:], strides, strict=False):
            layers += [nn.Conv2d(before, after, 3, stride, 1), nn.ReLU()]
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(40, 2))


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(5)


@pytest.fixture
def biased():
    return vectors(0.95, 1000, 1)


@pytest.fixture
def fair():
    return vectors(0.5, 1000, 2)
