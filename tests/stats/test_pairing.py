"""Shuffled partners: exact on a small case, at its level under the null, strong where there is something."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from biaskit.stats.pairing import mispaired


def test_it_agrees_with_all_ways_of_dealing():
    rng = np.random.default_rng(0)
    likeness, partners = rng.normal(size=(5, 3)), np.array([0, 1, 2, 0, 1])
    own, rows = likeness[np.arange(5), partners].mean(), np.arange(5)
    ways = [likeness[rows, partners[list(one)]].mean() for one in permutations(range(5))]
    exact = np.mean([way >= own - 1e-12 for way in ways])
    assert mispaired(likeness, partners, rng, draws=4000).p == pytest.approx(exact, abs=0.03)


def test_it_keeps_its_level_and_finds_what_is_there():
    rng = np.random.default_rng(1)
    null, real = [], []
    for _ in range(200):
        noise, partners = rng.normal(size=(12, 12)), np.arange(12)
        null.append(mispaired(noise, partners, rng, draws=99).p)
        real.append(mispaired(noise + 2 * np.eye(12), partners, rng, draws=99).p)
    assert np.mean(np.array(null) <= 0.05) <= 0.09
    assert np.mean(np.array(real) <= 0.05) >= 0.95


def test_rows_are_tested_against_the_partners_of_all():
    likeness = np.zeros((8, 2))
    likeness[:4, 0] = 1.0
    partners = np.repeat([0, 1], 4)
    found = mispaired(likeness, partners, np.random.default_rng(0), np.arange(4), draws=999)
    assert found.p == pytest.approx(1 / 70, abs=0.01), "one way of 70 gives the first four their own"


def test_one_partner_cannot_be_shuffled():
    assert mispaired(np.ones((3, 1)), np.zeros(3, dtype=int), np.random.default_rng(0)) is None
