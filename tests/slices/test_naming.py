"""Names against counting by hand; their null and their power."""

import numpy as np
import pytest

from biaskit.errors import RequestError
from biaskit.slices.naming import Naming, best_names, scorer
from biaskit.slices.observations import Observations
from biaskit.slices.phrase_bank import PHRASES
from biaskit.stats.proportions import binomial_band

WIDTH = 32


def encode(texts):
    """A direction for each text, the same in every call."""
    rows = [np.random.default_rng(list(text.encode())).standard_normal(WIDTH) for text in texts]
    return np.stack(rows)


def images(rng, planted="a photo of a temple", n=200):
    """Two classes; a fifth of the images of each is a slice, and these carry the planted phrase."""
    labels = rng.integers(2, size=n)
    inside = rng.random(n) < 0.2
    (axis,) = encode([planted])
    rows = rng.standard_normal((n, WIDTH)) + 6 * np.eye(WIDTH)[labels] + 0.6 * inside[:, None] * axis
    seen = Observations(rows, labels, np.eye(2)[labels])
    return seen, np.stack([inside & (labels == 0), inside & (labels == 1)], axis=1).astype(float)


def test_the_bank_is_large_and_has_no_phrase_twice():
    assert len(PHRASES) >= 300
    assert len(set(PHRASES)) == len(PHRASES)
    assert all(phrase and phrase == phrase.strip() for phrase in PHRASES)


@pytest.mark.parametrize("how", ["difference", "correlation"])
def test_the_planted_phrase_names_the_slice(how, rng):
    seen, membership = images(rng)
    names = Naming(how=how, shuffles=99).name(seen, membership, encode, rng)
    assert best_names(names) == ("temple", "temple")
    assert names[0][0].null.p == 0.01


def test_users_own_phrases_come_with_or_without_the_bank(rng):
    seen, membership = images(rng, planted="a photo of a zeppelin")
    own = Naming(("zeppelin", "kiosk"), bank=False, shuffles=9)
    assert best_names(own.name(seen, membership, encode, rng)) == ("zeppelin", "zeppelin")
    assert len(Naming(("zeppelin", "dog")).candidates) == len(PHRASES) + 1


def test_scores_are_counted_by_hand(rng):
    values, members = rng.standard_normal((30, 4)), (rng.random(30) < 0.3).astype(float)
    difference = values[members == 1].mean(axis=0) - values.mean(axis=0)
    assert scorer(values, "difference")(members) == pytest.approx(difference)
    by_numpy = [np.corrcoef(column, members)[0, 1] for column in values.T]
    assert scorer(values, "correlation")(members) == pytest.approx(by_numpy)


@pytest.mark.slow
def test_false_alarms_stay_at_the_declared_rate():
    naming, alarms = Naming(shuffles=19), []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        seen, membership = images(rng, n=80)
        seen = Observations(rng.standard_normal((80, WIDTH)), seen.labels, seen.probabilities)
        ((best, *_), _) = naming.name(seen, membership, encode, rng)
        alarms.append(best.null.p <= 0.05)
    assert np.mean(alarms) <= binomial_band(0.05, 200, 0.99).high


def test_a_slice_without_members_or_of_a_whole_class_has_no_name(rng):
    seen, _ = images(rng)
    membership = np.stack([np.zeros(200), (seen.labels == 0) * 1.0], axis=1)
    assert best_names(Naming(shuffles=3).name(seen, membership, encode, rng)) == (None, None)


def test_another_encoder_is_refused(rng):
    seen, membership = images(rng)
    with pytest.raises(RequestError, match="32 dimensions"):
        Naming().name(seen, membership, lambda texts: np.ones((len(texts), 3)), rng)
    with pytest.raises(RequestError, match="5 memberships"):
        Naming().name(seen, membership[:5], encode, rng)


@pytest.mark.parametrize("settings", [{"bank": False}, {"most": 0}, {"shuffles": 0}, {"prompt": "photo"}])
def test_settings_that_cannot_be_are_refused(settings):
    with pytest.raises(RequestError):
        Naming(**settings)
