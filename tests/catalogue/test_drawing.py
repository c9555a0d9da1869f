"""From names to what a text-to-image model is asked about."""

from __future__ import annotations

import pytest

from biaskit.catalogue import comparisons, drawn, probe_set, read_probe_set, resolve_target
from biaskit.errors import CatalogueError, RequestError, UnknownNameError
from tests.catalogue.texts import CONTROLS, PAIR, TARGETS

JOBS = TARGETS.replace('"text"', '"text-to-image"').replace("drinks", "jobs").replace('"thing"', '"person"')
JOBS = JOBS.replace("warmth", "ages").replace('"plain"', '"people"')
AGES = """\
format = 1
kind = "groups"
name = "ages"
modality = "text-to-image"
description = "Ages."
source = "A test"
licence = "CC0-1.0"
noun_class = "person"
forms = ["{group} {target}"]

[groups]
old = ["old", "elderly"]
young = ["young"]
"""
FUSED = """\
format = 1
kind = "prompts"
name = "fused"
modality = "text-to-image"
description = "Two things."
source = "A test"
licence = "CC0-1.0"
study = "words"

[[cases]]
text = "a cow and a giraffe"
words = ["cow"]
"""
PEOPLE = CONTROLS.replace('"plain"', '"people"').replace('"thing"', '"person"')
TEXTS = {"jobs": JOBS, "ages": AGES, "fused": FUSED, "people": PEOPLE, "plain": CONTROLS, "warmth": PAIR}


@pytest.fixture
def own(tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    for name, text in TEXTS.items():
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return folder


def change(folder, name, old, new):
    assert old in TEXTS[name]
    (folder / f"{name}.toml").write_text(TEXTS[name].replace(old, new), encoding="utf-8")


def names(found):
    return [(targets.name, groups.name, controls.name) for targets, groups, controls in found.comparisons]


def test_targets_come_with_the_groups_that_they_name():
    assert names(drawn(["portrait-occupations"])) == [
        ("portrait-occupations", "portrait-gender", "portrait-neutral"),
        ("portrait-occupations", "portrait-age", "portrait-neutral"),
    ]


def test_references_override_and_are_compared_once():
    found = drawn(["drawn-occupations"], ["ethnicity-words", "gender-words", "ethnicity-words"])
    assert [groups for _, groups, _ in names(found)] == ["ethnicity-words", "gender-words"]


def test_one_target_of_a_set_of_prompts_is_named_with_its_set():
    ((targets, _, _),) = drawn(["drawn-occupations/nurse", "drawn-occupations/cook"]).comparisons
    assert [*targets.targets] == ["nurse", "cook"]
    assert resolve_target("nurse").name == "winobias-occupations"


def test_prompts_need_no_groups_and_stand_beside_targets(own):
    assert drawn(["fused"], folders=[own]).comparisons == ()
    found = drawn(["fused", "jobs"], folders=[own])
    assert [one.name for one in found.prompts] == ["fused"]
    assert names(found) == [("jobs", "ages", "people")]


def test_sets_beside_a_path_are_found(own):
    assert names(drawn([str(own / "jobs.toml")])) == [("jobs", "ages", "people")]
    assert names(drawn(["jobs.toml"], base=own)) == [("jobs", "ages", "people")]
    with pytest.raises(CatalogueError, match="leaves the folder"):
        drawn(["../own/jobs.toml"], base=own)


def test_sentences_are_left_to_language_models():
    assert drawn(["food", "nurse"]) is None
    assert drawn([]) is None


def test_the_two_kinds_of_model_do_not_mix():
    with pytest.raises(RequestError, match="Some concepts are sentences") as caught:
        drawn(["homonyms", "food"])
    assert "two runs" in caught.value.fix


def test_a_control_that_is_a_target_is_left_out(own):
    change(own, "people", '"window"', '"Juice"')
    ((_, _, controls),) = drawn(["jobs"], folders=[own]).comparisons
    assert controls.fillers == ("table",)


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("ages", '"person"', '"thing"', "stand beside things, and 'jobs' names persons"),
        ("people", '"person"', '"thing"', "their controls 'people' name things"),
        ("ages", '"elderly"', '"Tea"', "'tea' is a target in 'jobs' and names a group in 'ages'"),
    ],
)
def test_sets_that_do_not_fit_are_refused(own, name, old, new, said):
    change(own, name, old, new)
    with pytest.raises(CatalogueError, match=said):
        drawn(["jobs"], folders=[own])


@pytest.mark.parametrize(
    ("concept", "reference", "said"),
    [
        ("drawn-occupations", "gender", "a set of groups is needed"),
        ("drawn-occupations", "homonyms", "a set of groups is needed"),
        ("gender-words", "gender-words", "a target set is needed"),
        ("portrait-neutral", "gender-words", "a target set is needed"),
    ],
)
def test_a_set_of_another_kind_is_refused(concept, reference, said):
    with pytest.raises(CatalogueError, match=said):
        drawn([concept], [reference])


def test_groups_are_no_reference_pair_of_texts():
    with pytest.raises(CatalogueError, match="'gender-words' is a set of groups; a reference pair is needed"):
        comparisons(["food"], ["gender-words"])


def test_a_typo_in_groups_gets_names_of_groups_alone():
    with pytest.raises(UnknownNameError) as caught:
        drawn(["drawn-occupations"], ["gender-word"])
    assert "gender-words" in caught.value.near
    assert not {"gender", "portrait-occupations"} & set(caught.value.near)
    assert "biaskit list references" in caught.value.fix


def test_a_typo_in_a_pair_gets_no_names_of_groups():
    with pytest.raises(UnknownNameError) as caught:
        comparisons(["food"], ["gendr"])
    assert "gender" in caught.value.near
    assert "gender-words" not in caught.value.near


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("homonymz", "homonyms"),
        ("drawn-ocupations", "drawn-occupations"),
        ("drawn-occupations/nurze", "drawn-occupations/nurse"),
    ],
)
def test_a_typo_in_a_concept_gets_near_names(wrong, near):
    with pytest.raises(UnknownNameError) as caught:
        drawn([wrong])
    assert near in caught.value.near


def test_a_wrong_key_in_a_case_is_told_in_the_words_of_a_case(own):
    change(own, "fused", 'words = ["cow"]', 'wrds = ["cow"]')
    with pytest.raises(CatalogueError) as caught:
        read_probe_set(own / "fused.toml")
    assert "did you mean words" in caught.value.why
    assert "study" not in caught.value.why


def test_a_digest_is_the_same_whatever_the_layout(own):
    first = probe_set("ages", [own]).digest
    (own / "ages.toml").write_text("# Ages\n" + AGES, encoding="utf-8")
    assert probe_set("ages", [own]).digest == first
