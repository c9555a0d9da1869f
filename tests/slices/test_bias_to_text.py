"""Keywords of planted contexts, their scores against counting by hand, their null and their power."""

import numpy as np
import pytest
from scipy import stats

from biaskit.errors import RequestError
from biaskit.slices.bias_to_text import BiasToText, Captioned
from biaskit.slices.keywords import keywords, phrases
from biaskit.slices.observations import Observations
from biaskit.stats.proportions import binomial_band

CONTEXTS = ("temple", "flower", "water", "forest")
TEMPLATES = ("a {c} scene with a {y}", "a {y} on a {c} background", "a photo of a {y} next to {c}")
NAMES = ("seven", "three")


def encoder(width=24):
    axes = np.linalg.qr(np.random.default_rng(7).standard_normal((width, width)))[0]
    words = dict(zip((*CONTEXTS, *NAMES), axes, strict=False))
    rest = axes[len(words) :]

    def encode(texts):
        # Words that mean nothing here share a direction, as the prompt does.
        return np.stack(
            [sum((words.get(word, 0.2 * rest[0]) for word in text.split()), rest[1]) for text in texts]
        )

    return words, encode


def captioned(rng, n=400, rho=0.9, accuracy=0.9):
    """Two classes; temple and water go with the first, and the classifier follows them at rate `rho`."""
    words, _ = encoder()
    labels, where = rng.integers(2, size=n), rng.integers(4, size=n)
    flip = rng.random(n) < 0.6
    where = np.where(flip, 2 * (where // 2) + labels, where)
    said = np.where(rng.random(n) < accuracy, labels, 1 - labels)
    said = np.where(rng.random(n) < rho, where % 2, said)
    embeddings = np.stack([words[NAMES[y]] + words[CONTEXTS[c]] for y, c in zip(labels, where, strict=True)])
    embeddings = embeddings + 0.3 * rng.standard_normal(embeddings.shape)
    captions = [
        TEMPLATES[t].format(c=CONTEXTS[c], y=NAMES[y])
        for t, c, y in zip(rng.integers(3, size=n), where, labels, strict=True)
    ]
    return Captioned(Observations(embeddings, labels, np.eye(2)[said]), captions)


def test_the_planted_contexts_come_first(rng):
    _, encode = encoder()
    found = BiasToText(shuffles=199).find(captioned(rng), captioned(rng), encode, rng)
    # Contexts 1 and 3 mislead class 0, contexts 0 and 2 class 1.
    for label, planted in enumerate((("flower", "forest"), ("temple", "water"))):
        mine = [word for word in found if word.label == label]
        for word in mine[:2]:
            assert any(context in word.phrase for context in planted)
            assert word.null.p == 1 / 200
            assert word.specific is True
            assert word.score in word.interval
            assert word.interval.low > 0
            assert word.gap >= 0.5
            assert word.gap_interval.low > 0.3
        assert {context for context in planted if any(context in word.phrase for word in mine[:4])} == set(
            planted
        )


def test_scores_and_accuracies_are_counted_by_hand(rng):
    _, encode = encoder()
    one = captioned(rng, 200)
    seen = one.seen
    for word in BiasToText(shuffles=9).find(one, one, encode, rng):
        (text,) = encode([f"a photo of a {word.phrase}"])
        cosine = 100 * seen.embeddings @ text / np.linalg.norm(seen.embeddings, axis=1) / np.linalg.norm(text)
        of_class = seen.labels == word.label
        wrong, right = cosine[of_class & (seen.errors == 1)], cosine[of_class & (seen.errors == 0)]
        assert word.score == pytest.approx(wrong.mean() - right.mean())
        held = of_class & np.array([word.phrase in caption for caption in one.captions])
        assert word.captioned == held.sum()
        assert word.accuracy == pytest.approx(1 - seen.errors[held].mean())
        assert [image.place for image in word.images] == np.flatnonzero(of_class).tolist()
        assert [image.similarity for image in word.images] == pytest.approx(cosine[of_class])
        assert [image.right for image in word.images] == (seen.errors[of_class] == 0).tolist()
        assert [image.captioned for image in word.images] == held[of_class].tolist()
        welch = stats.ttest_ind(wrong, right, equal_var=False).confidence_interval()
        assert (word.interval.low, word.interval.high) == pytest.approx((welch.low, welch.high))


@pytest.mark.slow
def test_false_alarms_stay_at_the_declared_rate():
    _, encode = encoder()
    alarms = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        found, tested = (captioned(rng, 120, rho=0.0, accuracy=0.7) for _ in range(2))
        words = BiasToText(most=5, shuffles=19).find(found, tested, encode, rng)
        alarms.append(min(word.null.p for word in words if word.label == 0) <= 0.05)
    assert np.mean(alarms) <= binomial_band(0.05, 150, 0.99).high


def test_a_class_without_errors_has_no_keywords(rng):
    one = captioned(rng)
    right = Observations(one.seen.embeddings, one.seen.labels, np.eye(2)[one.seen.labels])
    assert BiasToText().find(one, Captioned(right, one.captions), encoder()[1], rng) == ()


def test_a_single_class_has_no_other_to_be_specific_against(rng):
    one = captioned(rng)
    rows = np.flatnonzero(one.seen.labels == 0)
    alone = Captioned(one.seen.take(rows), [one.captions[i] for i in rows])
    assert {word.specific for word in BiasToText(shuffles=9).find(alone, alone, encoder()[1], rng)} == {None}


def test_phrases_neither_start_nor_end_in_a_stop_word():
    assert phrases("A cup of tea, on the Table!") == {"cup", "tea", "table", "cup of tea"}


def test_phrases_of_other_scripts():
    assert "red" not in phrases("die rote Schüssel über dem Tisch")
    assert "rote schüssel" in phrases("die rote Schüssel über dem Tisch")


def test_keywords_count_captions_and_leave_out_parts():
    captions = [
        "red box red box",
        "a red box",
        "a red box and a dog",
        "a dog",
        "a dog",
        "a dog",
        "a box of tea",
    ]
    assert keywords(captions) == ("box", "dog", "red box")
    assert keywords(captions, most=1) == ("box",)
    assert keywords([]) == ()


def test_captions_that_do_not_fit_are_refused(rng):
    with pytest.raises(RequestError, match="1 captions for 400 images"):
        Captioned(captioned(rng).seen, ["one"])


def test_another_encoder_is_refused(rng):
    one = captioned(rng)
    with pytest.raises(RequestError, match="24 dimensions"):
        BiasToText().find(one, one, lambda texts: np.ones((len(texts), 3)), rng)


@pytest.mark.parametrize("settings", [{"most": 0}, {"shuffles": 0}, {"longest": 0}, {"prompt": "a photo"}])
def test_settings_that_cannot_be_are_refused(settings):
    with pytest.raises(RequestError):
        BiasToText(**settings)
