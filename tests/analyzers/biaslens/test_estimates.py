"""Numbers with what travels with them: shares with a ratio's interval, single cells, the control test."""

from dataclasses import dataclass

import numpy as np
import pytest

from biaskit.analyzers.biaslens.estimates import share_estimate, target_estimates
from biaskit.stats.multiplicity import benjamini_hochberg


@dataclass(frozen=True)
class Nouns:
    columns: dict
    controls: tuple


@dataclass(frozen=True)
class Cells:
    """As much of `Measured` as an estimate looks at."""

    nouns: Nouns


def random_table(seed, stems=8, fillers=6):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(stems, 1)) + rng.normal(size=(1, fillers)) + rng.normal(size=(stems, fillers))


def test_a_share_of_a_gap_has_the_interval_of_a_ratio():
    """Two tables whose means stand in a known ratio: the interval holds it as often as it says."""
    held = 0
    for seed in range(400):
        before = 4 + 0.5 * random_table(seed)
        after = 0.3 * before + 0.05 * random_table(1000 + seed)
        found = share_estimate(after, before, np.ones(5), "made up")
        held += 0.3 in found.interval
        assert found.value in found.interval
    # The binomial 99.9 % band of 95 % and the width for what t over few clusters adds.
    assert 360 <= held <= 400


def test_a_share_does_not_take_the_gaps_own_spread_for_its_error():
    """Where erasing leaves the same share of every cell, the share is known exactly, however cells differ."""
    before = 4 + random_table(3)
    found = share_estimate(0.3 * before, before, np.ones(5), "made up")
    assert found.interval.high - found.interval.low < 1e-9


def test_a_share_that_overshoots_is_not_counted_as_erased():
    before = 2 + 0.1 * random_table(4)
    random = np.array([0.9, 0.95, 1.0, 1.02])
    assert share_estimate(0.1 * before, before, random, "made up").null.p == pytest.approx(1 / 5)
    assert share_estimate(-1.5 * before, before, random, "made up").null.p == pytest.approx(1)


def test_a_share_of_a_negative_gap_is_the_same_share():
    before, random = 2 + 0.1 * random_table(5), np.array([0.9, 1.0])
    after = 0.2 * before + 0.01 * random_table(6)
    one, other = (share_estimate(s * after, s * before, random, "made up") for s in (1, -1))
    assert other.value == one.value
    assert other.interval.low == pytest.approx(one.interval.low)


def test_one_cell_has_a_value_and_no_interval():
    cells = np.array([[1.5, 0.1, -0.1, 0.2, -0.2]])
    measured = Cells(Nouns({"soup": (0,)}, (1, 2, 3, 4)))
    found = target_estimates(cells, measured, "made up", np.random.default_rng(0))["soup"]
    assert found.value == 1.5
    assert found.interval is None
    assert "cannot be resampled" in found.reason
    assert found.null.p == pytest.approx(1 / 5)


def test_q_values_are_over_the_targets_that_were_read():
    rng = np.random.default_rng(7)
    cells = rng.normal(size=(6, 44))
    columns = {f"t{i}": (2 * i, 2 * i + 1) for i in range(5)} | {"unread": ()}
    measured = Cells(Nouns(columns, tuple(range(10, 44))))
    found = target_estimates(cells, measured, "made up", rng)
    read = [found[f"t{i}"].null for i in range(5)]
    np.testing.assert_allclose(
        [null.adjusted for null in read], benjamini_hochberg(np.array([null.p for null in read]))
    )
    assert all("over 5 targets" in null.correction for null in read)
    assert found["unread"].value is None
