"""Keywords where the same object is in several images: intervals, null and power, over clusters."""

from functools import cache

import numpy as np
import pytest

from biaskit.errors import RequestError
from biaskit.slices.bias_to_text import BiasToText, Captioned
from biaskit.slices.observations import Observations
from biaskit.slices.wrong_and_right import WrongAndRight, welch
from biaskit.stats.proportions import wilson
from tests.slices.test_bias_to_text import captioned, encoder

WORDS = ("temple", "flower", "water", "forest")
SIZES = (12, 10, 8, 8, 6, 6, 6, 5, 5, 4, 4, 4, 4, 3, 3, 3, 2, 2, 2, 1)
OWNERS = np.repeat(np.arange(len(SIZES)), SIZES)
SETS = 100


def objects(rng, tied=0.0):
    """Images of a few objects of one class; an object has one scene and is, as a rule, right or wrong."""
    words, _ = encoder()
    scenes = rng.integers(4, size=len(SIZES))
    rates = np.where((scenes < 2) & (rng.random(len(SIZES)) < tied), 0.95, rng.beta(0.4, 0.8, len(SIZES)))
    scene, wrong = scenes[OWNERS], rng.random(len(OWNERS)) < rates[OWNERS]
    embeddings = np.stack([words["seven"] + words[WORDS[c]] for c in scene])
    embeddings += 0.1 * rng.standard_normal(embeddings.shape)
    labels = np.zeros(len(OWNERS), dtype=int)
    seen = Observations(embeddings, labels, np.eye(2)[wrong.astype(int)])
    return Captioned(seen, [f"a seven on a {WORDS[c]}" for c in scene], OWNERS)


def alone(given):
    return Captioned(given.seen, given.captions)


@cache
def drawn(*, together):
    """Keywords of sets in which errors have nothing to do with scenes."""
    every = []
    for seed in range(SETS):
        rng = np.random.default_rng(seed)
        found, tested = objects(rng), objects(rng)
        given = tested if together else alone(tested)
        every.append(BiasToText(most=6, shuffles=39).find(found, given, encoder()[1], rng))
    return [words for words in every if words]


def alarms(sets):
    return sum(min(word.null.p for word in words) <= 0.05 for words in sets), len(sets)


def misses(sets, interval, value):
    """How many intervals of the first scene's word, which is not chosen for its value, leave out 0."""
    known = [word for words in sets for word in words if word.phrase == "temple"]
    told = [getattr(word, interval) for word in known if getattr(word, interval) is not None]
    return sum(not one.low <= value <= one.high for one in told), len(told)


def test_no_keyword_stands_out_where_hard_objects_lie_anywhere():
    assert wilson(*alarms(drawn(together=True)), 0.99).low <= 0.05


@pytest.mark.parametrize("interval", ["interval", "gap_interval"])
def test_intervals_over_clusters_hold_the_true_difference_of_nought(interval):
    missed, told = misses(drawn(together=True), interval, 0.0)
    assert told > SETS / 3
    assert wilson(missed, told, 0.99).low <= 0.05


def test_image_by_image_keywords_stand_out_and_intervals_are_too_short():
    sets = drawn(together=False)
    assert wilson(*alarms(sets), 0.99).low > 0.05
    for interval in ("interval", "gap_interval"):
        assert wilson(*misses(sets, interval, 0.0), 0.99).low > 0.05


def test_scenes_that_objects_fail_in_are_found_over_clusters():
    found = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        words = BiasToText(most=6, shuffles=99).find(objects(rng, 1.0), objects(rng, 1.0), encoder()[1], rng)
        found += any(word.null.p <= 0.05 and word.phrase.split()[-1] in WORDS[:2] for word in words)
    assert found >= 12


def test_what_is_flipped_adds_up_to_the_score(rng):
    wrong, values = rng.random(60) < 0.3, rng.normal(size=(60, 3))
    sides = WrongAndRight(wrong, np.repeat(np.arange(2), 30))
    drawn = sides.largest(values[:, :1], 200, rng)
    score = sides.differences(values)[0]
    # Two clusters have four signs: all kept, all turned, and one turned.
    assert len(np.unique(drawn.round(9))) <= 4
    assert {round(score, 9), round(-score, 9)} <= set(drawn.round(9))


def test_images_of_their_own_are_tested_as_without_clusters(rng):
    given = captioned(rng, 120)
    own = Captioned(given.seen, given.captions, np.arange(120))
    one, other = (
        BiasToText(shuffles=9).find(tested, tested, encoder()[1], np.random.default_rng(1))
        for tested in (given, own)
    )
    assert one == other
    assert {word.interval.method for word in one if word.interval} == {"Welch's t"}


def test_one_cluster_on_a_side_leaves_no_interval(rng):
    clusters = np.repeat(np.arange(4), 5)
    sides = WrongAndRight(clusters == 0, clusters)
    assert sides.interval(rng.normal(size=20)) is None
    assert sides.gap(np.zeros(20, dtype=bool)) is None
    assert sides.share_right(np.zeros(20, dtype=bool)) is None
    assert welch(np.ones(1), np.zeros(9)) is None


def test_a_word_of_images_that_are_all_wrong_is_not_taken_for_certain(rng):
    clusters = np.repeat(np.arange(12), 4)
    sides = WrongAndRight((clusters < 2) | (rng.random(48) < 0.1), clusters)
    found, image_by_image = sides.gap(clusters < 2), WrongAndRight(sides.wrong).gap(clusters < 2)
    assert found.method == "Newcombe over 12 clusters"
    assert found.low < image_by_image.low
    assert sides.gap(clusters == 0).low < found.low


def test_other_clusters_than_images_are_refused(rng):
    given = captioned(rng, 40)
    with pytest.raises(RequestError, match="3 clusters for 40 images"):
        Captioned(given.seen, given.captions, np.arange(3))
