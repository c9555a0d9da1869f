from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from biaskit.stats.multiplicity import benjamini_hochberg, holm, max_statistic_p
from biaskit.stats.proportions import binomial_band


def test_against_statsmodels(rng, monkeypatch):
    monkeypatch.setattr("gc.collect", lambda *_: 0)  # statsmodels collects garbage in every call
    for size in (1, 2, 3, 12, 40):
        for _ in range(40):
            p = np.where(
                rng.random(size) < 0.5, rng.random(size) ** 3, rng.choice([0, 0.001, 0.01, 0.04, 1], size)
            )
            assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])
            assert benjamini_hochberg(p) == pytest.approx(multipletests(p, method="fdr_bh")[1])


def test_worked_example():
    p = np.array([0.01, 0.04, 0.03, 0.005])
    assert holm(p) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert benjamini_hochberg(p) == pytest.approx([0.02, 0.04, 0.04, 0.02])


def test_an_empty_family_stays_empty():
    assert holm(np.empty(0)).size == benjamini_hochberg(np.empty(0)).size == 0
    assert max_statistic_p(np.empty(0), np.empty((9, 0))).size == 0


@pytest.mark.parametrize("bad", [np.nan, -0.1, 1.1])
def test_what_is_no_p_value_is_refused(bad):
    for correct in (holm, benjamini_hochberg):
        with pytest.raises(ValueError, match="p-values"):
            correct(np.array([0.1, bad]))


def test_family_of_one_is_the_plain_two_sided_p(rng):
    null = rng.normal(size=(999, 1))
    expected = (1 + np.count_nonzero(abs(null) >= 1.7)) / 1000
    assert max_statistic_p(np.array([-1.7]), null) == pytest.approx([expected])


def test_selection_over_layers_keeps_its_level_and_plain_p_does_not(rng):
    layers = 0.7 * rng.normal(size=(500, 200, 1)) + 0.7 * rng.normal(size=(500, 200, 12))
    best = [max_statistic_p(run[0], run[1:]).min() for run in layers]
    plain = [
        min(max_statistic_p(run[0, j : j + 1], run[1:, j : j + 1])[0] for j in range(12))
        for run in layers[:100]
    ]
    assert np.mean(np.array(best) <= 0.05) in binomial_band(0.05, 500, 0.99)
    assert np.mean(np.array(plain) <= 0.05) > 0.12


def test_selection_still_sees_one_layer_that_carries(rng):
    observed = rng.normal(size=12)
    observed[7] = -6.0
    p = max_statistic_p(observed, rng.normal(size=(999, 12)))
    assert p[7] == pytest.approx(0.001)
    assert p.argmin() == 7


def test_order_of_p_is_that_of_size(rng):
    observed = rng.normal(size=12)
    p = max_statistic_p(observed, rng.normal(size=(199, 12)))
    assert (np.diff(p[np.argsort(abs(observed))]) <= 0).all()


def test_undefined_statistics_are_refused():
    with pytest.raises(ValueError, match="finite"):
        max_statistic_p(np.array([np.nan]), np.zeros((3, 1)))
