from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from biaskit.stats.permutation import permutation_p
from biaskit.stats.proportions import binomial_band


def gap(values):
    return lambda labels: float(abs(values[labels == 1].mean() - values[labels == 0].mean()))


def test_few_arrangements_are_listed_as_scipy_lists_them(rng):
    labels = np.array([1, 1, 1, 0, 0, 0, 0])
    for _ in range(10):
        values = rng.normal(size=7)
        theirs = stats.permutation_test(
            (values[labels == 1], values[labels == 0]),
            lambda a, b: abs(a.mean() - b.mean()),
            alternative="greater",
            n_resamples=np.inf,
        ).pvalue
        found = permutation_p(gap(values), labels, rng=rng)
        assert found.p == pytest.approx(theirs)
        assert "all 35 arrangements" in found.kind


def test_clusters_are_shuffled_whole(rng):
    labels, groups = np.repeat([1, 0, 1, 0], 5), np.repeat(["a", "b", "c", "d"], 5)
    seen = []

    def watch(shuffled):
        seen.append(tuple(shuffled))
        return 0.0

    assert permutation_p(watch, labels, groups=groups, rng=rng).p == 1.0
    assert len(set(seen)) == 6
    assert all(len(set(shuffled[i : i + 5])) == 1 for shuffled in seen for i in range(0, 20, 5))


def test_clustered_null_keeps_its_level_only_with_clusters(rng):
    """Twelve fillers in eight templates each, labels by filler, no effect of the label."""
    groups, labels = np.repeat(np.arange(12), 8), np.repeat(np.arange(12) % 2, 8)
    whole, rows = [], []
    for _ in range(200):
        values = rng.normal(size=12)[groups] + 0.5 * rng.normal(size=96)
        whole.append(permutation_p(gap(values), labels, groups=groups, draws=99, rng=rng).p)
        rows.append(permutation_p(gap(values), labels, draws=99, rng=rng).p)
    assert np.mean(np.array(whole) <= 0.05) in binomial_band(0.05, 200, 0.99)
    assert np.mean(np.array(rows) <= 0.05) > 0.3


def test_refit_keeps_its_level_where_a_fixed_axis_does_not(rng):
    """An axis fitted to the labels separates noise; refitting it under every shuffle makes that the null."""
    labels = np.repeat([0, 1], 15)

    def separation(data, axis_labels, labels):
        axis = data[axis_labels == 1].mean(axis=0) - data[axis_labels == 0].mean(axis=0)
        return gap(data @ axis)(labels)

    refit, fixed = [], []
    for _ in range(200):
        data = rng.normal(size=(30, 20))
        refit.append(permutation_p(lambda y, x=data: separation(x, y, y), labels, draws=99, rng=rng).p)
        fixed.append(permutation_p(lambda y, x=data: separation(x, labels, y), labels, draws=99, rng=rng).p)
    assert np.mean(np.array(refit) <= 0.05) in binomial_band(0.05, 200, 0.99)
    assert np.mean(np.array(fixed) <= 0.05) > 0.9


def test_a_real_axis_is_found(rng):
    values = np.where(np.arange(40) < 20, 1.5, 0.0) + rng.normal(size=40)
    assert permutation_p(
        gap(values), (np.arange(40) < 20).astype(int), draws=199, rng=rng
    ).p == pytest.approx(0.005)


def test_three_labels_are_shuffled_at_random(rng):
    labels = np.array(["x", "y", "z"] * 3)
    found = permutation_p(lambda shuffled: float((shuffled == labels).mean()), labels, draws=199, rng=rng)
    assert "199 shuffles" in found.kind
    assert found.p <= 0.02


def test_misuse_is_refused(rng):
    with pytest.raises(ValueError, match="differ in label"):
        permutation_p(lambda _: 0.0, np.array([0, 1]), groups=np.array([1, 1]), rng=rng)
    with pytest.raises(ValueError, match="two different"):
        permutation_p(lambda _: 0.0, np.zeros(4), rng=rng)
