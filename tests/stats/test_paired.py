"""Paired proportions."""

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar as referee

from biaskit.stats.paired import mcnemar, paired_interval, sign_flip
from biaskit.stats.proportions import binomial_band


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


def test_flipping_few_clusters_goes_through_all_ways():
    found = sign_flip(np.array([1.0, 1.0, 1.0]), np.arange(3), np.random.default_rng(0))
    assert found.p == pytest.approx(2 / 8)
    assert "all ways" in found.kind


def test_rows_of_a_cluster_flip_together():
    values, clusters = np.ones(40), np.repeat(np.arange(2), 20)
    assert sign_flip(values, clusters, np.random.default_rng(0)).p == pytest.approx(0.5)


def test_flipping_keeps_its_level_under_clusters_and_finds_a_shift():
    rng = np.random.default_rng(1)
    clusters = np.repeat(np.arange(25), 4)

    def p(shift):
        shared = rng.choice([-1.0, 0.0, 1.0], size=25)[clusters]
        return sign_flip(shared * (rng.random(100) < 0.7) + shift, clusters, rng).p

    rejected = sum(p(0.0) <= 0.05 for _ in range(400))
    assert rejected / 400 in binomial_band(0.05, 400, 0.999)
    assert sum(p(0.8) <= 0.05 for _ in range(50)) >= 45


def test_no_row_is_no_test():
    with pytest.raises(ValueError, match="no pair"):
        sign_flip(np.array([]), np.array([]), np.random.default_rng(0))
