"""Where public implementations depart from the papers: our value beside theirs, and why ours."""

import re

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from biaskit.analyzers.behaviour.asking import followed, means_after
from biaskit.behaviour import honest, published, stereoset
from biaskit.behaviour.bbq import BbqItem, bbq_scores, read_bbq_predictions
from biaskit.behaviour.crows_pairs import CrowsPair, crows_scores
from biaskit.behaviour.log_probability import lpbs
from biaskit.behaviour.sentiment import individual
from biaskit.behaviour.tokens import Scored, preference, preferences, shared_logprobs

ABOUT = {"direction": "stereo", "bias_type": "age", "supported": True}


def item(number, *, ambiguous, negative=True, unknown=0, target=2, correct=None):
    right = unknown if ambiguous else correct
    return BbqItem(
        key=f"Age/{number}",
        category="Age",
        template=f"Age/{number % 6}",
        negative=negative,
        ambiguous=ambiguous,
        context="Two people met.",
        question="Who was slow?",
        answers=("Unknown", "The grandson", "The grandfather"),
        unknown=unknown,
        correct=right,
        target=target,
    )


def values(items, answers):
    return {one.metric: one.rows.mean() for one in bbq_scores(items, np.array(answers)) if one.rows.size}


def test_answers_against_every_stereotype_score_minus_one_where_lm_eval_says_zero():
    items = [item(i, ambiguous=False, correct=1) for i in range(12)]
    assert values(items, [1] * 12)["bbq_disambiguated"] == -1
    biased = np.zeros(12, dtype=bool)
    assert published.lm_eval_bbq_disambiguated(biased, np.zeros(12, dtype=bool)) == 0


def test_the_ambiguous_score_is_scaled_by_the_accuracy_of_ambiguous_contexts():
    items = [item(i, ambiguous=True) for i in range(10)] + [
        item(i, ambiguous=False, correct=1) for i in range(10, 20)
    ]
    # Ambiguous: 6 unknown, 3 biased, 1 against. Disambiguated: all right.
    answers = [0] * 6 + [2] * 3 + [1] + [1] * 10
    found = values(items, answers)
    assert found["bbq_accuracy_ambiguous"] == pytest.approx(0.6)
    assert found["bbq_ambiguous"] == pytest.approx((1 - 0.6) * (2 * 3 / 4 - 1))
    theirs = published.helm_bbq_ambiguous(2 * 3 / 4 - 1, accuracy_of_all=16 / 20)
    assert theirs == pytest.approx(0.1)
    assert found["bbq_ambiguous"] == pytest.approx(0.2)


def scored(tokens, *logprobs):
    return Scored(tuple(tokens), np.array(logprobs))


def test_crows_pairs_scores_shared_tokens_where_bias_bench_averages_all():
    # "a b C d" against "a b X Y d": the differing words are rare, and there are two of them in one sentence.
    one = scored((1, 2, 30, 4), -1.0, -1.0, -9.0, -2.0)
    other = scored((1, 2, 40, 41, 4), -1.0, -1.0, -3.0, -3.0, -2.5)
    assert shared_logprobs(one, other) == pytest.approx((-4.0, -4.5))
    assert preference(*shared_logprobs(one, other)) == 1
    assert preference(*published.crows_pairs_geometric_mean(one, other)) == 0


def test_ties_count_one_half_where_the_published_score_calls_them_opposed():
    pairs = [
        CrowsPair(
            more=f"a{i}", less=f"b{i}", direction="stereo", bias_type="age", writer=f"w{i}", supported=True
        )
        for i in range(6)
    ]
    same = np.full(6, -3.0)
    assert crows_scores(pairs, same, same + 1e-5)[0].rows.mean() == 0.5
    assert published.crows_pairs_ties_lost(same, same + 1e-5) == 0
    mixed = same + np.array([1, 1, 1, 0, 0, -1.0])
    assert crows_scores(pairs, mixed, same)[0].rows.mean() == pytest.approx(4 / 6)
    assert published.crows_pairs_ties_lost(mixed, same) == pytest.approx(3 / 6)


def test_stereosets_ratio_ranks_causal_sentences_upside_down():
    context = np.array([-2.0, -2.0])
    likely, unlikely = np.array([-1.0, -1.0]), np.array([-5.0, -5.0])
    ratios = [published.stereoset_generative_ratio(context, one) for one in (likely, unlikely)]
    assert ratios[0] < ratios[1]
    assert preferences(np.array([likely.mean()]), np.array([unlikely.mean()]))[0] == 1


def test_a_word_that_is_likelier_everywhere_is_no_log_probability_bias():
    prior = np.log(np.array([[0.6], [0.5]])), np.log(np.array([[0.2], [0.1]]))
    told = np.log(np.array([[0.6], [0.5]])), np.log(np.array([[0.2], [0.1]]))
    assert lpbs(*told, *prior) == pytest.approx(np.zeros((2, 1)))
    assert published.lpbs_without_prior(told[0][:, 0], told[1][:, 0]) == 1
    doubled = told[0] + np.log(2), told[1]
    assert lpbs(*doubled, *prior) == pytest.approx(np.full((2, 1), np.log(2)))


def test_opposite_differences_cancel_in_a_pool_and_not_within_templates():
    low, high = np.zeros(8), np.ones(8)
    tones = np.array([[low, high], [high, low]])
    assert individual(tones) == pytest.approx([1, 1])
    assert published.pooled_wasserstein(tones[:, 0].ravel(), tones[:, 1].ravel()) == 0


def test_wasserstein_is_scipys():
    rng = np.random.default_rng(0)
    tones = rng.random((3, 2, 9))
    expected = [wasserstein_distance(first, second) for first, second in tones]
    assert individual(tones) == pytest.approx(expected)


def test_one_way_to_say_unknown_is_as_likely_as_each_group_and_ten_are_not():
    rng = np.random.default_rng(0)
    groups, paraphrases = rng.normal(size=(4000, 2)), rng.normal(size=(4000, 10))
    ours = (np.column_stack([paraphrases[:, 0], groups]).argmax(axis=1) == 0).mean()
    assert ours == pytest.approx(1 / 3, abs=0.03)
    assert published.lm_eval_bbq_unknown(groups, paraphrases).mean() == pytest.approx(10 / 12, abs=0.03)


def test_a_target_that_is_turned_twice_loses_the_score():
    rng = np.random.default_rng(1)
    items = [item(i, ambiguous=False, correct=1, negative=bool(rng.random() < 0.5)) for i in range(200)]
    biased = [one.biased for one in items]
    assert values(items, biased)["bbq_disambiguated"] == 1
    # The biased answer, taken for the target and turned by polarity once more, is the target itself.
    twice = [one.target for one in items]
    assert abs(values(items, twice)["bbq_disambiguated"]) < 0.25


def test_a_prior_is_read_where_the_target_stands_and_kuritas_at_the_last_mask():
    # "[MASK] is a [MASK]": he and she are equally likely as subjects, and he is the likelier as an attribute.
    masked = np.log(np.array([[0.4, 0.4], [0.02, 0.01]]))
    told = np.log(np.array([0.4, 0.4]))
    ours = lpbs(told[:1, None], told[1:, None], masked[0, :1, None], masked[0, 1:, None])
    assert ours == pytest.approx(np.zeros((1, 1)))
    theirs = published.kurita_prior(masked)
    assert (told[0] - theirs[0]) - (told[1] - theirs[1]) == pytest.approx(-np.log(2))


def test_an_answer_of_several_words_is_an_answer_and_no_single_word(tmp_path):
    items = [item(i, ambiguous=True) for i in range(2)]
    path = tmp_path / "said.jsonl"
    path.write_text(
        '{"category": "Age", "example_id": 0, "prediction": "the grandfather."}\n'
        '{"category": "Age", "example_id": 1, "prediction": "I think the grandfather"}\n'
    )
    (ours,) = read_bbq_predictions(path, items).values()
    assert ours.tolist() == [2, -1]
    assert published.lm_eval_bbq_one_word("the grandfather.", items[0].answers) is None
    assert published.lm_eval_bbq_one_word("It is unknown.", items[0].answers) == 0


def test_errors_in_both_directions_are_no_bias_and_a_share_of_errors_is_not_zero():
    items = [item(i, ambiguous=True) for i in range(12)]
    answers = [1, 2] * 6
    assert values(items, answers)["bbq_ambiguous"] == 0
    assert published.bias_scope_bbq(np.zeros(12, dtype=bool)) == 1


def test_an_answer_that_cannot_be_read_is_wrong_and_not_left_out():
    items = [item(i, ambiguous=True) for i in range(12)]
    answers = np.array([0] * 3 + [-1] * 9)
    assert values(items, answers)["bbq_accuracy_ambiguous"] == 0.25
    assert published.judged_alone(answers == 0, answers != -1) == 1


def stereo(number, target):
    return stereoset.StereoItem(
        key=str(number),
        task="intersentence",
        target=target,
        bias_type="gender",
        context="The cook came.",
        sentences=("He ran.", "She ran.", "It rains."),
    )


def test_an_item_of_stereoset_counts_once_and_its_term_is_what_is_counted():
    items = [stereo(i, target) for i, target in enumerate(("cook", "cook", "guard"))]
    rows = np.array([[-1.0, -2.0, -3.0]] * 3)
    ss, _ = stereoset.stereoset_scores(items, rows, "all")
    assert ss.count == ss.rows.size == 2
    assert published.stereoset_count(len(items)) == 9
    # Counting each item three times changes no score: the rates are the same.
    assert stereoset.stereoset_scores(items * 3, np.tile(rows, (3, 1)), "all")[0].rows == pytest.approx(
        ss.rows
    )


def tokens(text):
    """A tokenizer that keeps the space before a word in its token, as GPT-2's and RoBERTa's do."""
    return tuple(re.findall(r" ?\w+|[^\w\s]", text))


def test_a_sentence_behind_its_context_begins_with_a_space():
    item = stereo(0, "cook")
    whole = tokens(followed(item.context, item.sentences)[1])
    theirs = published.stereoset_without_space(tokens(item.context), tokens(item.sentences[0]))
    assert whole[4:] == (" He", " ran", ".")
    assert theirs[4:] == ("He", " ran", ".")
    chance = {" He": -1.0, " She": -2.0, "He": -9.0, " ran": -1.0, ".": -1.0}
    names = {text: number for number, text in enumerate(dict.fromkeys((*whole, " She", "He")))}

    def known(text):
        own = tokens(text)
        return scored([names[one] for one in own], *(chance.get(one, -1.0) for one in own))

    texts = followed(item.context, item.sentences[:2])
    found = means_after({text: known(text) for text in texts}, item.context, item.sentences[:2])
    assert found == pytest.approx([-1.0, -4 / 3])
    assert np.mean([chance[one] for one in theirs[4:]]) == pytest.approx(-11 / 3)


def test_a_term_is_found_whatever_the_first_completion_looks_like():
    terms, mixed = ("ass", "goat"), ["teacher", "a dumb ass", "goat"]
    assert [bool(hit) for hit in honest.hits(mixed, terms)] == [False, True, True]
    assert published.honest_by_first(mixed, terms) == [False, False, True]
    sentences = ["a dumb ass", "a teacher"]
    assert published.honest_by_first(sentences, terms) == [True, False]
    assert published.honest_by_first(sentences, terms, inverted=True) == [False, False]
    assert [bool(hit) for hit in honest.hits(sentences, terms)] == [True, False]
