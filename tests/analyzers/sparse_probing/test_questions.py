"""What is asked: concepts against neutral words, poles against each other, labels against the rest."""

from collections import Counter

import numpy as np
import pytest

from biaskit.analyzers.sparse_probing.questions import questions
from biaskit.errors import RequestError
from biaskit.records.labelled_texts import LabelledTexts


def test_a_concept_is_told_from_neutral_words_in_its_own_templates(asking):
    asked = questions(asking(None, ["food"], ["sentiment"]), 1024)
    food, sentiment = asked.questions
    assert (food.name, food.sensitive, food.poles) == ("food", False, ("food", "neutral"))
    assert food.problem.labels.sum() == (~food.problem.labels).sum() == 160
    of_class = [Counter(food.problem.crossed[food.problem.labels == side]) for side in (True, False)]
    assert of_class[0] == of_class[1], "a template must not give the class away"
    assert not set(food.problem.groups[food.problem.labels]) & set(food.problem.groups[~food.problem.labels])
    assert (sentiment.name, sentiment.sensitive, sentiment.poles) == (
        "sentiment",
        True,
        ("positive-sentiment", "negative-sentiment"),
    )


def test_a_pair_that_two_concepts_share_is_asked_once(asking):
    asked = questions(asking(None, ["food", "service"], ["gender"]), 1024)
    assert [one.name for one in asked.questions] == ["food", "service", "gender"]


def test_targets_of_one_filler_are_asked_together(asking):
    asked = questions(asking(None, ["winobias-occupations"], ["gender"]), 1024)
    assert [one.name for one in asked.questions] == ["winobias-occupations", "gender"]
    assert asked.questions[0].problem.groups_of(positive=True) == 40
    assert any("one filler each" in note for note in asked.notes)


def test_a_single_target_of_one_filler_is_left_out_and_said(asking):
    asked = questions(asking(None, ["winobias-occupations/nurse"], ["gender"]), 1024)
    assert [one.name for one in asked.questions] == ["gender"]
    assert "nurse: not probed, because its one filler cannot be held out." in asked.notes


def test_fewer_rows_keep_the_templates_even(asking):
    food = questions(asking(None, ["food"], ["sentiment"]), 64).questions[0]
    assert len(food.problem) == 64
    assert set(Counter(food.problem.crossed[food.problem.labels]).values()) == {2}


def test_the_same_seed_asks_the_same_rows(asking):
    first, second = (
        questions(asking(None, ["food"], ["gender"], seed=3), 100).questions[0].prompts for _ in range(2)
    )
    other = questions(asking(None, ["food"], ["gender"], seed=4), 100).questions[0].prompts
    assert first == second
    assert first != other


def texts(labels, **rest):
    return LabelledTexts(
        name="mine", texts=tuple(f"text {i}" for i in range(len(labels))), labels=tuple(labels), **rest
    )


def test_two_labels_are_one_question_and_more_are_one_against_the_rest(asking):
    two = questions(asking(None, labelled=[texts("abababab")]), 1024).questions
    assert [(one.name, one.poles) for one in two] == [("mine", ("b", "a"))]
    three = questions(asking(None, labelled=[texts("abcabcabc")]), 1024).questions
    assert [one.name for one in three] == ["mine = a", "mine = b", "mine = c"]
    assert three[0].poles == ("a", "not a")
    named = questions(asking(None, labelled=[texts("abcabcabc", positive="b")]), 1024).questions
    assert [one.name for one in named] == ["mine = b"]


def test_an_attribute_is_a_sensitive_question_without_the_rows_that_miss_it(asking):
    data = texts("abababab", attributes={"gender": ("f", "m", "f", "m", "", "m", "f", "m")})
    label, gender = questions(asking(None, labelled=[data]), 1024).questions
    assert not label.sensitive
    assert gender.sensitive
    assert (len(label.problem), len(gender.problem)) == (8, 7)
    assert gender.poles == ("f", "m")


def test_groups_stay_together_and_repeated_texts_do_too(asking):
    data = LabelledTexts(
        name="mine",
        texts=("one", "two", "One ", "three"),
        labels=("a", "b", "a", "b"),
        groups={"author": ("x", "x", "y", "z")},
    )
    asked = questions(asking(None, labelled=[data]), 1024)
    groups = asked.questions[0].problem.groups
    assert groups[0] == groups[1] == groups[2] != groups[3]
    assert any("joined" in note for note in asked.notes)


def test_too_many_rows_are_thinned_by_whole_groups_and_said(asking):
    data = texts("ab" * 50, groups={"author": tuple(str(i // 10) for i in range(100))})
    asked = questions(asking(None, labelled=[data]), 40)
    sizes = np.bincount(asked.questions[0].problem.groups)
    assert set(sizes[sizes > 0]) == {10}
    assert len(asked.questions[0].problem) == 40
    assert any("40 of 100 texts" in note for note in asked.notes)


def test_the_shifted_texts_are_asked_the_same(asking):
    elsewhere = texts("bbaa")
    asked = questions(asking(None, labelled=[texts("abababab", shifted=elsewhere)]), 1024).questions[0]
    assert asked.shifted is not None
    assert asked.shifted.problem.labels.tolist() == [True, True, False, False]


def test_shifted_texts_of_one_class_stop_nothing_but_the_shift(asking):
    asked = questions(asking(None, labelled=[texts("abcabcabc", shifted=texts("bb"))]), 1024)
    assert [one.shifted for one in asked.questions] == [None] * 3
    assert "mine = a: the shift was not measured, as the shifted texts are of one class." in asked.notes


def test_rows_without_an_attribute_are_said_and_a_constant_one_is_not_asked(asking):
    data = texts(
        "abababab",
        attributes={"gender": ("f", "m", "f", "m", "", "m", "f", ""), "place": ("x",) * 8},
    )
    asked = questions(asking(None, labelled=[data]), 1024)
    assert [one.name for one in asked.questions] == ["mine", "mine / gender"]
    assert "mine / gender: 2 rows are left out, their cell is empty." in asked.notes
    assert any(note.startswith("mine / place: not probed") for note in asked.notes)


def test_questions_about_one_file_are_one_data_set(asking):
    data = texts("abcabcabc", attributes={"gender": ("f", "m", "f") * 3})
    assert {one.source for one in questions(asking(None, labelled=[data]), 1024).questions} == {"mine"}


def test_questions_that_share_words_or_texts_are_one_data_set(asking):
    asked = questions(asking(None, ["food", "service"], ["sentiment"]), 1024)
    food, service, sentiment = (one.source for one in asked.questions)
    assert food == service == "food + service", "their neutral words are the same"
    assert sentiment == "sentiment"
    assert any("food, service: they share words or texts" in note for note in asked.notes)


def test_files_that_share_a_text_are_one_data_set_through_others_too(asking):
    def file(name, *texts):
        return LabelledTexts(name=name, texts=texts, labels=("a", "b", "a", "b"))

    first, second = file("first", "one", "two", "three", "four"), file("second", "Four ", "five", "six", "7")
    third, apart = file("third", "seven", "8", "9", "SIX"), file("apart", "p", "q", "r", "s")
    asked = questions(asking(None, labelled=[first, second, third, apart]), 1024).questions
    assert [one.source for one in asked] == ["first + second + third"] * 3 + ["apart"]


def test_a_text_of_both_files_is_one_group(asking):
    here = LabelledTexts(name="mine", texts=("One", "two", "three", "four"), labels=("a", "b", "a", "b"))
    there = LabelledTexts(name="there", texts=("one", "five"), labels=("a", "b"))
    asked = questions(asking(None, labelled=[here.model_copy(update={"shifted": there})]), 1024)
    question = asked.questions[0]
    assert question.problem.groups[0] == question.shifted.problem.groups[0]
    assert question.shifted.problem.groups[1] not in question.problem.groups
    assert any("1 texts stand" in note for note in asked.notes)


def test_nothing_to_ask_says_what_to_give(asking):
    with pytest.raises(RequestError, match="nothing to tell apart"):
        questions(asking(None), 1024)
