"""Word diversity: the published values and their dependence on size, and what takes it away."""

import numpy as np
import pytest

from biaskit.stats.diversity import distribution_bias, entropy, hill, rarefied_bias


@pytest.mark.parametrize(
    ("counts", "value"), [([7] * 9, 8.0), ([50, 1, 1, 1, 1], 0.5), ([12], 0.0), ([], 0.0), ([4, 0, 4], 1.0)]
)
def test_published_closed_values(counts, value):
    assert distribution_bias(np.array(counts, dtype=np.int64)) == pytest.approx(value)


def zipf(words, types, rng):
    weights = 1 / np.arange(1, types + 1)
    return rng.multinomial(words, weights / weights.sum())


def test_one_law_scores_differently_at_two_sizes_and_alike_when_rarefied():
    rng = np.random.default_rng(0)
    small = np.mean([distribution_bias(zipf(500, 1000, rng)) for _ in range(40)])
    large = np.mean([distribution_bias(zipf(5000, 1000, rng)) for _ in range(40)])
    assert large - small > 1
    even = np.mean([rarefied_bias(zipf(5000, 1000, rng), 500, rng, 20) for _ in range(40)])
    assert even == pytest.approx(small, abs=0.12)
    with pytest.raises(ValueError, match="cannot be drawn"):
        rarefied_bias(np.array([1, 2]), 4, rng)


def test_hill_numbers_of_equal_words_are_their_number():
    counts = np.full(20, 500)
    assert [hill(counts, order) for order in (0, 1, 2)] == [
        20.0,
        pytest.approx(20, rel=1e-3),
        pytest.approx(20, rel=5e-3),
    ]
    assert hill(np.ones(5, dtype=np.int64), 2) == np.inf
    with pytest.raises(ValueError, match="orders"):
        hill(counts, 3)


def test_the_corrected_entropy_is_nearer_the_truth_than_the_plain_one():
    rng = np.random.default_rng(1)
    weights = 1 / np.arange(1, 301)
    weights /= weights.sum()
    truth = -(weights * np.log(weights)).sum()
    tables = [rng.multinomial(200, weights) for _ in range(100)]
    plain = np.mean([-(p * np.log(p)).sum() for t in tables if (p := t[t > 0] / 200) is not None])
    assert abs(np.mean([entropy(t) for t in tables]) - truth) < 0.3 * abs(plain - truth)
    assert entropy(np.zeros(3, dtype=np.int64)) == 0.0
