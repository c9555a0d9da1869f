"""Words tied to an intersection: a part explains some, neither part explains others, most are null."""

import numpy as np

from biaskit.association import intersectional_words


def cosines(rng, words=12):
    found = {f"null{i}": tuple(rng.normal(0, 1, size=13) for _ in range(4)) for i in range(words)}
    # Both parts add up: tied to the intersection, and nothing new at it.
    found["additive"] = tuple(rng.normal(mean, 1, size=13) for mean in (4, 2, 2, 0))
    found["emergent"] = tuple(rng.normal(mean, 1, size=13) for mean in (4, 0, 0, 0))
    return found


def test_what_the_parts_explain_is_told_from_what_emerges():
    rng = np.random.default_rng(0)
    tied = emerged = false = 0
    for _ in range(20):
        by_word = {one.word: one for one in intersectional_words(cosines(rng), rng=rng, draws=499)}
        tied += by_word["additive"].q <= 0.05 and by_word["emergent"].q <= 0.05
        emerged += by_word["emergent"].emergent_q <= 0.05 and by_word["additive"].emergent_q > 0.05
        false += any(one.q <= 0.05 for one in by_word.values() if one.word.startswith("null"))
    assert tied == 20
    assert emerged >= 17
    # Two of fourteen words are real, so the null words' share of discoveries is below one in twenty.
    assert false <= 6
