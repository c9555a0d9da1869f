"""Paired proportions."""

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar as referee

from biaskit.stats.paired import mcnemar, paired_interval


def outcomes(both, only_one, only_other, neither):
    one = np.array([True] * (both + only_one) + [False] * (only_other + neither))
    other = np.array([True] * both + [False] * only_one + [True] * only_other + [False] * neither)
    return one, other


def test_the_published_form():
    found = paired_interval(*outcomes(36, 14, 5, 5))
    p10, p01 = 15 / 62, 6 / 62
    reach = 1.959963984540054 * np.sqrt((p10 + p01 - (p10 - p01) ** 2) / 62)
    assert found.low == pytest.approx(p10 - p01 - reach)
    assert found.high == pytest.approx(p10 - p01 + reach)


@pytest.mark.parametrize("cells", [(0, 0, 0, 10), (10, 0, 0, 0), (0, 10, 0, 0), (0, 0, 10, 0)])
def test_agreement_and_extremes_keep_a_width_and_hold_the_difference(cells):
    found = paired_interval(*outcomes(*cells))
    assert found.high > found.low
    assert (cells[1] - cells[2]) / 10 in found
    assert found.low >= -1
    assert found.high <= 1


@pytest.mark.parametrize("cells", [(20, 12, 3, 20), (5, 0, 4, 5), (9, 7, 7, 2)])
def test_mcnemar_equals_the_referee(cells):
    both, only_one, only_other, neither = cells
    expected = referee(np.array([[both, only_one], [only_other, neither]]), exact=True).pvalue
    assert mcnemar(*outcomes(*cells)).p == pytest.approx(min(expected, 1.0))


def test_nothing_differs():
    assert mcnemar(*outcomes(5, 0, 0, 5)).p == 1


def test_no_pair_is_refused():
    with pytest.raises(ValueError, match="no pair"):
        paired_interval(np.array([], bool), np.array([], bool))


@pytest.mark.parametrize(
    ("p10", "p01", "n"), [(0.3, 0.1, 30), (0.05, 0.02, 60), (0.6, 0.0, 20), (0.9, 0.02, 25)]
)
def test_coverage(p10, p01, n):
    rng = np.random.default_rng(0)
    draws = rng.multinomial(n, [p10, p01, 1 - p10 - p01], size=2000)
    held = sum(p10 - p01 in paired_interval(*outcomes(0, *map(int, draw))) for draw in draws)
    assert held / 2000 >= 0.93
