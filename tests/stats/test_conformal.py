from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from biaskit.stats.conformal import _handfuls, control_p, smallest_control_p
from biaskit.stats.proportions import binomial_band


def test_one_filler_is_the_rank_test(rng):
    for _ in range(30):
        controls, target = rng.normal(size=40), rng.normal(scale=2, size=1)
        centre = np.append(controls, target).mean()
        expected = (1 + np.count_nonzero(abs(controls - centre) >= abs(target - centre))) / 41
        assert control_p(target, controls, rng=rng).p == pytest.approx(expected)


@pytest.mark.parametrize(("fillers", "controls"), [(2, 12), (3, 9), (4, 4)])
def test_listed_arrangements_are_the_exact_permutation_test_of_scipy(rng, fillers, controls):
    for _ in range(10):
        target, neutral = rng.normal(0.8, size=fillers), rng.normal(size=controls)
        theirs = stats.permutation_test(
            (target, neutral),
            lambda a, b, axis: abs(a.mean(axis=axis) - b.mean(axis=axis)),
            alternative="greater",
            n_resamples=np.inf,
            vectorized=True,
        ).pvalue
        ours = control_p(target, neutral, rng=rng)
        assert ours.p == pytest.approx(theirs)
        assert "all" in ours.kind


def test_random_arrangements_approach_the_exact_p(rng):
    target, neutral = rng.normal(0.6, size=4), rng.normal(size=16)
    exact = control_p(target, neutral, rng=rng).p
    assert 0.02 < exact < 0.9
    drawn = control_p(target, neutral, rng=rng, draws=4000)
    assert "4000 random" in drawn.kind
    assert drawn.p == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 4000))


def test_large_pools_are_drawn_in_parts(rng):
    p = control_p(rng.normal(size=5), rng.normal(size=3000), rng=rng, draws=1500).p
    assert (p * 1501) == pytest.approx(round(p * 1501))
    assert control_p(np.full(5, 9.0), rng.normal(size=3000), rng=rng, draws=1500).p == pytest.approx(1 / 1501)


@pytest.mark.parametrize(
    ("fillers", "controls", "draws"), [(1, 39, 9999), (2, 20, 9999), (10, 100, 199), (20, 40, 199)]
)
def test_p_is_uniform_when_the_target_is_neutral(rng, fillers, controls, draws):
    """For discrete p: P(p <= k / m) = k / m at every attainable level, here at three of them and over all."""
    pools = rng.exponential(size=(600, fillers + controls))
    p = np.array([control_p(pool[:fillers], pool[fillers:], rng=rng, draws=draws).p for pool in pools])
    for level in (0.05, 0.2, 0.5):
        assert np.mean(p <= level + 1e-12) in binomial_band(level, 600, 0.99)
    step = smallest_control_p(fillers, controls, draws=draws)
    # Spread over its step, a discrete uniform p becomes a continuous one.
    assert stats.kstest(p - rng.random(600) * step, "uniform").pvalue > 0.01


def test_power_grows_with_fillers_and_distance(rng):
    def power(fillers, distance):
        found = [
            control_p(rng.normal(distance, size=fillers), rng.normal(size=100), rng=rng, draws=199).p
            for _ in range(150)
        ]
        return np.mean(np.array(found) <= 0.05)

    assert power(1, 4.0) > 0.95
    assert power(10, 1.5) > 0.95
    assert power(1, 1.0) < 0.45


def test_fillers_that_share_an_accident_reject_too_often(rng):
    """The stated limit: ten copies of one neutral noun are one noun, not ten."""
    p = [control_p(np.full(10, rng.normal()), rng.normal(size=60), rng=rng, draws=199).p for _ in range(200)]
    assert np.mean(np.array(p) <= 0.05) > 0.3


@pytest.mark.parametrize(("n", "size"), [(6, 3), (30, 7), (12, 11)])
def test_handfuls_are_distinct_and_every_one_equally_likely(rng, n, size):
    drawn = np.sort(_handfuls(n, size, 20_000, rng), axis=1)
    assert (np.diff(drawn, axis=1) > 0).all()
    shares = np.bincount(drawn.ravel(), minlength=n) / 20_000
    assert shares == pytest.approx(np.full(n, size / n), abs=0.02)
    if n == 6:
        _, counts = np.unique(drawn, axis=0, return_counts=True)
        assert stats.chisquare(counts).pvalue > 0.001
        assert counts.size == 20


def test_ties_count_as_reached(rng):
    assert control_p(np.ones(3), np.ones(9), rng=rng).p == 1.0
    # 0.1 + 0.2 and 0.3 differ in the last bit and are one value.
    assert control_p(np.array([0.3]), np.array([0.1 + 0.2, 0.0, 0.0, 0.0]), rng=rng).p == pytest.approx(2 / 5)


@given(
    arrays(float, 12, elements=st.floats(-5, 5, width=32)),
    st.floats(0.1, 10),
    st.floats(-5, 5),
    st.booleans(),
)
def test_p_does_not_move_with_unit_origin_or_sign(pool, scale, shift, turned):
    pool = np.round(pool, 3)
    seed = np.random.default_rng(0)
    plain = control_p(pool[:2], pool[2:], rng=seed).p
    factor = -scale if turned else scale
    moved = shift + factor * pool
    assert control_p(moved[:2], moved[2:], rng=seed).p == pytest.approx(plain)


def test_listing_leaves_the_generator_alone():
    first, second = np.random.default_rng(5), np.random.default_rng(5)
    control_p(np.array([1.0]), np.arange(50.0), rng=first)
    assert first.random() == second.random()


@pytest.mark.parametrize(("fillers", "controls"), [(1, 20), (1, 100), (2, 30), (10, 100)])
def test_smallest_p_is_reached_and_not_passed(rng, fillers, controls):
    found = control_p(np.full(fillers, 100.0), rng.normal(size=controls), rng=rng).p
    assert found == pytest.approx(smallest_control_p(fillers, controls))


def test_misuse_is_refused(rng):
    for target, controls in [([], [1.0]), ([1.0], []), ([np.nan], [1.0, 2.0])]:
        with pytest.raises(ValueError, match="finite scores"):
            control_p(np.array(target, dtype=float), np.array(controls, dtype=float), rng=rng)
    with pytest.raises(ValueError, match="at least one"):
        smallest_control_p(0, 5)
