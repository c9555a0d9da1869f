"""Words of captions as sets after mapping; the released form and its defect."""

import pytest

from biaskit.images.caption_words import beyond, hallucination, published, words


def test_the_case_in_which_the_released_code_falls_below_zero():
    prompt, caption = "a person riding a horse", "a man and a woman riding a horse"
    assert published(prompt, caption) == pytest.approx(-1 / 3)
    assert hallucination(prompt, caption).jaccard == 0.0


@pytest.mark.parametrize(
    ("prompt", "caption", "shares"),
    [
        ("a red dog", "a red dog", (0, 0, 0)),
        ("a red dog", "a blue cat", (1, 1, 1)),
        ("a red dog", "a dog on grass", (1 - 1 / 3, 1 / 2, 1 / 2)),
        ("", "", (0, 0, 0)),
        ("the", "dog", (1, 1, 0)),
    ],
)
def test_shares_of_sets(prompt, caption, shares):
    found = hallucination(prompt, caption)
    assert (found.jaccard, found.added, found.missed) == pytest.approx(shares)


def test_without_mapped_words_the_two_forms_agree():
    assert published("a red dog", "a dog on grass") == pytest.approx(
        hallucination("a red dog", "a dog on grass").jaccard
    )


def test_words_are_counted_beyond_their_own_prompt():
    assert words("The Man's  dog, 2 dogs!") == ["man's", "dog", "dogs"]
    found = beyond(["a dog", "a cat"], ["a dog on grass", "a dog on grass"])
    assert found == {"grass": 2, "dog": 1}
