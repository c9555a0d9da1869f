"""The balanced check: an encoder that follows the context is warned of, one that follows the label is not."""

import numpy as np
import pytest

from biaskit.errors import RequestError
from biaskit.images import shared_bias
from biaskit.images.shared_bias import NOWHERE, homes_of, shares_bias, zero_shot
from biaskit.stats.proportions import binomial_band


def planted(rng, n=240, rho=0.9, follow=0.0, skill=0.8, classes=2):
    """Labels, contexts that agree at rate rho, answers that follow the context, or else the label."""
    labels = rng.integers(0, classes, n)
    contexts = np.where(rng.random(n) < rho, labels, rng.integers(0, classes, n))
    known = np.where(rng.random(n) < skill, labels, rng.integers(0, classes, n))
    answers = np.where(rng.random(n) < follow, contexts, known)
    return answers, labels, [f"c{one}" for one in contexts]


@pytest.mark.parametrize("classes", [2, 4])
def test_an_encoder_that_follows_the_context_is_found(classes):
    rng = np.random.default_rng(0)
    found = shares_bias(*planted(rng, follow=0.8, classes=classes), rng)
    assert found.follows > 0.6
    assert found.expected < 0.4
    assert found.null.p <= 0.01
    assert "shares the bias" in found.warning


def test_an_encoder_that_knows_only_the_label_passes():
    rng = np.random.default_rng(0)
    found = shares_bias(*planted(rng, skill=1.0), rng)
    assert (found.follows, found.expected, found.warning) == (0.0, 0.0, None)


def test_the_level_holds_for_an_encoder_that_is_often_wrong(monkeypatch):
    rng = np.random.default_rng(0)
    monkeypatch.setattr(shared_bias, "DRAWS", 99)
    warned = [shares_bias(*planted(rng, skill=0.5), rng).null.p <= 0.05 for _ in range(100)]
    assert sum(warned) <= 11


def test_an_encoder_that_always_says_one_class_shares_nothing():
    rng = np.random.default_rng(0)
    _, labels, contexts = planted(rng)
    found = shares_bias(np.zeros_like(labels), labels, contexts, rng)
    assert found.gap == 0
    assert found.warning is None


def test_on_balanced_images_the_homes_come_from_others():
    rng = np.random.default_rng(0)
    homes = homes_of(*planted(rng, rho=0.95)[1:])
    assert homes == {"c0": 0, "c1": 1}
    answers, labels, contexts = planted(rng, rho=0.0, follow=0.8)
    assert "shares the bias" in shares_bias(answers, labels, contexts, rng, homes).warning
    fair = planted(rng, rho=0.0)
    assert shares_bias(*fair, rng, homes).warning is None


def test_a_context_that_says_nothing_about_the_label_is_no_bias_to_share():
    """However much the answers depend on it: its home would be an accident of the draw."""
    rng = np.random.default_rng(0)
    for classes in (2, 4):
        answers, labels, contexts = planted(rng, n=600, rho=0.0, follow=0.8, classes=classes)
        assert set(homes_of(labels, contexts).values()) == {NOWHERE}
        with pytest.raises(RequestError, match="contexts say nothing"):
            shares_bias(answers, labels, contexts, rng)


def test_homes_of_unrelated_contexts_are_found_at_most_at_the_declared_rate():
    found = 0
    for seed in range(400):
        _, labels, contexts = planted(np.random.default_rng(seed), n=120, rho=0.0, classes=3)
        found += set(homes_of(labels, contexts).values()) != {NOWHERE}
    assert found <= binomial_band(0.01, 400, 0.999).high * 400


def test_disagreement_everywhere_or_nowhere_cannot_be_tested():
    rng = np.random.default_rng(0)
    labels = np.array([0, 1] * 20)
    with pytest.raises(RequestError, match="disagree on no image"):
        shares_bias(labels, labels, [f"c{one}" for one in labels], rng)
    with pytest.raises(RequestError, match="one entry an image"):
        shares_bias(labels, labels, ["c"], rng)
    with pytest.raises(RequestError, match="disagree on no image"):
        shares_bias(labels, labels, [""] * 40, rng)


def test_a_missing_context_is_left_out():
    rng = np.random.default_rng(0)
    answers, labels, contexts = planted(rng, follow=0.8)
    whole = shares_bias(answers, labels, contexts, np.random.default_rng(1))
    more = (np.append(answers, [0, 0]), np.append(labels, [1, 1]), [*contexts, "", ""])
    assert shares_bias(*more, np.random.default_rng(1)) == whole


def test_zero_shot_is_the_nearest_text():
    images = np.array([[1.0, 0.0], [0.6, 0.8]])
    assert zero_shot(images, np.eye(2)).tolist() == [0, 1]
