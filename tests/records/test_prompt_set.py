"""Groups and prompts: what a set may hold, and how a group's word joins a target's."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from biaskit.records.probe_set import Modality
from biaskit.records.prompt_set import GroupSet, PromptCase, PromptSet

ABOUT = {"format": 1, "name": "mine", "description": "Mine.", "source": "A test", "licence": "CC0-1.0"}
GROUPS = {"female": ("female", "woman"), "male": ("male", "man")}
CASE = {"text": "a cow and a giraffe", "words": ("cow", "giraffe")}


def groups(**changes):
    content = {"kind": "groups", "noun_class": "person", "groups": GROUPS, "forms": ("{group} {target}",)}
    return GroupSet.model_validate(ABOUT | content | changes)


def prompts(**changes):
    return PromptSet.model_validate(
        ABOUT | {"kind": "prompts", "study": "synonyms", "cases": (CASE,)} | changes
    )


def test_both_words_stand_in_the_form():
    assert groups().joined("female", "nurse", "{group} {target}") == "female nurse"
    assert groups().joined("man", "nurse", "{target} who is a {group}") == "nurse who is a man"


@pytest.mark.parametrize("made", [groups, prompts])
def test_they_are_for_models_that_draw_and_no_others(made):
    assert made().modality is Modality.TEXT_TO_IMAGE
    with pytest.raises(ValidationError, match="modality"):
        made(modality="text")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"groups": {"female": ("female",)}}, "at least 2"),
        ({"groups": {"female": ("female", "Nurse"), "male": ("nurse",)}}, "names both 'female' and 'male'"),
        ({"groups": {"female": ("female", "Female"), "male": ("male",)}}, "stands here twice"),
        ({"groups": {"Fe male": ("female",), "male": ("male",)}}, "pattern"),
        ({"forms": ()}, "at least 1"),
        ({"forms": ("{group} nurse",)}, r"\{group\} and \{target\} once each"),
        ({"forms": ("{group} {target} {target}",)}, "once each"),
        ({"forms": ("{group} {target} {x}",)}, "no other slot"),
    ],
)
def test_groups_that_could_not_be_told_apart_or_joined(changes, said):
    with pytest.raises(ValidationError, match=said):
        groups(**changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"words": ("cow", "horse")}, "'horse' does not stand in the prompt"),
        ({"words": ("cow", "raff")}, "'raff' does not stand"),
        ({"words": ("cow", "Cow")}, "stands here twice"),
        ({"words": ()}, "at least 1"),
        ({"pairs": (("cow", "horse"),)}, "'horse' is none of the words cow, giraffe"),
        ({"pairs": (("cow", "cow"),)}, "the word 'cow' twice"),
        ({"replacements": {"horse": "cat"}}, "'horse' is none of the words"),
        ({"text": "a  cow"}, "single spaces"),
    ],
)
def test_cases_that_ask_about_what_is_not_there(changes, said):
    with pytest.raises(ValidationError, match=said):
        PromptCase.model_validate(CASE | changes)


def test_words_are_found_whatever_their_case_and_phrases_too():
    assert PromptCase(text="A rose bowl. A Mole.", words=("rose bowl", "mole")).pairs == ()


@pytest.mark.parametrize("study", ["homonyms", "synonyms", "co-hyponyms"])
def test_a_study_of_two_words_needs_two(study):
    with pytest.raises(ValidationError, match="has one word"):
        prompts(study=study, cases=({"text": "a cow", "words": ("cow",)},))


@pytest.mark.parametrize("study", ["interventions", "words"])
def test_a_study_of_single_words_needs_one(study):
    assert prompts(study=study, cases=({"text": "a cow", "words": ("cow",)},)).study == study


def test_a_prompt_stands_once():
    with pytest.raises(ValidationError, match="stands here twice"):
        prompts(cases=(CASE, CASE | {"text": "A cow and a giraffe"}))


def test_the_digest_is_of_the_content():
    assert groups().digest == groups(modality="text-to-image").digest
    assert groups().digest != groups(forms=("{target}, {group}",)).digest
    assert prompts().digest != prompts(study="co-hyponyms").digest
