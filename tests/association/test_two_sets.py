"""Formulas, bounds, exact p floors, and the error rates of our tests beside the published ones."""

from math import comb

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects

from biaskit.association import associations, compare_sets, interaction, levels, random_effects
from biaskit.association.published import ceat, row_permutation_p
from biaskit.association.two_sets import caliskan_d, largest_d


def _column(values):
    return np.asarray(values, dtype=float)[:, None]


def test_associations_are_mean_cosines():
    rng = np.random.default_rng(0)
    words, first, second = rng.normal(size=(5, 3)), rng.normal(size=(4, 3)), rng.normal(size=(2, 3))

    def cosine(u, v):
        return u @ v / np.linalg.norm(u) / np.linalg.norm(v)

    plain = [np.mean([cosine(w, a) for a in first]) - np.mean([cosine(w, b) for b in second]) for w in words]
    np.testing.assert_allclose(associations(words, first, second), plain)
    np.testing.assert_allclose(associations(7 * words, first, 3 * second), plain)
    np.testing.assert_allclose(associations(words, second, first), -np.array(plain))


def test_a_vector_without_direction_is_refused():
    with pytest.raises(ValueError, match="direction"):
        associations(np.zeros((1, 3)), np.ones((1, 3)), np.ones((1, 3)))


@pytest.mark.parametrize(("m", "bound"), [(6, 1.915), (8, 1.936), (16, 1.969), (25, 1.980), (32, 1.984)])
def test_the_effect_size_saturates(m, bound):
    assert largest_d(m, m) == pytest.approx(bound, abs=5e-4)
    apart = caliskan_d(np.ones(m), np.zeros(m))
    assert apart == pytest.approx(largest_d(m, m))
    assert caliskan_d(np.ones(m), np.zeros(m), ddof=0) == pytest.approx(2)


@pytest.mark.parametrize("m", [6, 8])
def test_the_smallest_p_is_that_of_all_partitions(m):
    found = compare_sets(_column(np.arange(m) + 100), _column(np.arange(m)), rng=np.random.default_rng(0))
    # Two-sided: the mirrored partition is as far apart.
    assert found.null.p == pytest.approx(2 / comb(2 * m, m))
    assert "all" in found.null.kind


def test_swapping_sets_flips_the_sign_alone():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(8, 4)), rng.normal(size=(9, 4))
    one, other = (compare_sets(a, b, rng=np.random.default_rng(2)) for a, b in ((x, y), (y, x)))
    assert one.difference == -other.difference
    assert one.effect == pytest.approx(-other.effect)
    assert one.pooled == pytest.approx(-other.pooled)
    assert one.null.p == pytest.approx(other.null.p, abs=0.02)
    assert (one.interval.low, one.interval.high) == pytest.approx((-other.interval.high, -other.interval.low))


def test_one_reading_is_welch():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=12), rng.normal(scale=3, size=7)
    found = compare_sets(_column(x), _column(y), rng=rng)
    expected = stats.ttest_ind(x, y, equal_var=False).confidence_interval(0.95)
    assert (found.interval.low, found.interval.high) == pytest.approx((expected.low, expected.high))


def test_levels_add_up_and_show_a_one_sided_lean():
    rng = np.random.default_rng(4)
    sets = [rng.normal(size=(5, 6)) for _ in range(4)]
    found = levels((sets[0], sets[1]), (sets[2], sets[3]))
    whole = associations(sets[0], sets[2], sets[3]).mean() - associations(sets[1], sets[2], sets[3]).mean()
    assert found.difference == pytest.approx(whole)
    assert found.leans[0] - found.leans[1] == pytest.approx(whole)


def test_random_effects_are_those_of_statsmodels():
    rng = np.random.default_rng(5)
    effects, variances = rng.normal(0.4, 0.6, size=9), rng.uniform(0.02, 0.3, size=9)
    ours = random_effects(effects, variances)
    theirs = combine_effects(effects, variances, method_re="dl", use_t=True)
    assert ours.mean == pytest.approx(theirs.mean_effect_re)
    assert ours.tau**2 == pytest.approx(theirs.tau2)
    assert ours.i_squared == pytest.approx(theirs.i2)
    half = (ours.interval.high - ours.interval.low) / 2
    assert half == pytest.approx(stats.t.ppf(0.975, 8) * theirs.sd_eff_w_re_hksj)
    assert ours.prediction.low < ours.interval.low


class TestErrorRates:
    """A true null: words of both sets are drawn alike; each has readings that scatter about the word."""

    RUNS = 400

    def _readings(self, rng, words=8, readings=8, runs=RUNS, template=0.0):
        between = rng.normal(size=(runs, words, 1))
        shared = template * rng.normal(size=(runs, 1, readings))
        return between + rng.normal(size=(runs, words, readings)) + shared

    def test_permuted_words_hold_their_level_and_permuted_sentences_do_not(self):
        rng = np.random.default_rng(6)
        x, y = self._readings(rng), self._readings(rng)
        ours = [compare_sets(a, b, rng=rng, draws=199).null.p <= 0.05 for a, b in zip(x, y, strict=True)]
        published = [row_permutation_p(a, b, draws=200, rng=rng) <= 0.05 for a, b in zip(x, y, strict=True)]
        low, high = stats.binom.ppf([0.001, 0.999], self.RUNS, 0.05) / self.RUNS
        assert low <= np.mean(ours) <= high
        assert np.mean(published) >= 0.2

    @pytest.mark.parametrize(("draws", "published"), [(200, 0.75), (1000, 0.9)])
    def test_ceat_rejects_most_true_nulls_and_averaged_contexts_do_not(self, draws, published):
        """Word vectors and context noise at random; it is the number of draws that makes CEAT's p."""
        rng, runs = np.random.default_rng(7), 100
        rejected, ours = 0, 0
        for _ in range(runs):
            sets = rng.normal(size=(4, 8, 1, 40)) + 0.5 * rng.normal(size=(4, 8, 30, 40))
            x, y = (associations(one, sets[2, :, 0], sets[3, :, 0]) for one in sets[:2])
            context = rng.integers(30, size=(2, draws, 8))
            drawn = [one[np.arange(8), which] for one, which in zip((x, y), context, strict=True)]
            rejected += ceat(*drawn).p_two_sided <= 0.05
            ours += compare_sets(x, y, rng=rng, draws=199).null.p <= 0.05
        assert rejected / runs >= published
        assert stats.binom.ppf(0.001, runs, 0.05) <= ours <= stats.binom.ppf(0.999, runs, 0.05)

    @pytest.mark.parametrize(
        ("words", "readings", "template"), [(8, 1, 0.0), (8, 8, 0.0), (8, 8, 1.0), (25, 4, 0.0)]
    )
    def test_intervals_cover(self, words, readings, template):
        rng = np.random.default_rng(8)
        runs = 1500
        x = self._readings(rng, words, readings, runs, template)
        y = self._readings(rng, words, readings, runs, template) * 2
        held = sum(0.0 in compare_sets(a, b, rng=rng, draws=9).interval for a, b in zip(x, y, strict=True))
        assert 0.93 <= held / runs <= 0.97

    def test_the_interaction_holds_its_level_where_both_main_effects_are_strong(self):
        rng = np.random.default_rng(9)
        rejected = covered = 0
        for _ in range(300):
            cells = tuple(rng.normal(mean, 1, size=13) for mean in (5, 3, 2, 0))
            found = interaction(cells, rng=rng, draws=199)
            rejected += found.null.p <= 0.05
            covered += 0.0 in found.interval
        assert stats.binom.ppf(0.001, 300, 0.05) <= rejected <= stats.binom.ppf(0.999, 300, 0.05)
        assert covered >= 300 - stats.binom.ppf(0.999, 300, 0.05)

    def test_an_interaction_of_the_published_size_is_seen_four_times_in_five(self):
        rng = np.random.default_rng(10)
        found = [
            interaction(tuple(rng.normal(m, 1, size=13) for m in (1.58, 0, 0, 0)), rng=rng, draws=199)
            for _ in range(150)
        ]
        assert 0.7 <= np.mean([one.null.p <= 0.05 for one in found]) <= 0.9
        # 13 names a cell: 2.8 sqrt(4 / 13) standard deviations.
        assert np.mean([one.smallest for one in found[:30]]) == pytest.approx(1.58, abs=0.05)
