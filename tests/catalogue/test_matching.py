"""From names to targets, reference pairs and controls that fit each other."""

from __future__ import annotations

import pytest

from biaskit.catalogue import comparisons, probe_set, reference_pair, resolve_target
from biaskit.errors import CatalogueError, UnknownNameError
from tests.catalogue.texts import CONTROLS, PAIR, TARGETS


def test_a_set_is_taken_whole():
    assert resolve_target("food") == probe_set("food")


@pytest.mark.parametrize("name", ["nurse", "winobias-occupations/nurse"])
def test_a_target_narrows_its_set(name):
    found = resolve_target(name)
    whole = probe_set("winobias-occupations")
    assert found.targets == {"nurse": ("nurse",)}
    assert (found.name, found.templates, found.controls) == (whole.name, whole.templates, whole.controls)
    assert len(whole.targets) == 40


def test_a_path_is_a_set(write):
    assert set(resolve_target(str(write(TARGETS))).targets) == {"tea", "juice"}


def test_a_target_of_two_words():
    assert [*resolve_target("construction worker").targets] == ["construction worker"]


def test_a_target_that_two_sets_have(own):
    (own / "more.toml").write_text(TARGETS.replace('name = "drinks"', 'name = "more"'))
    with pytest.raises(CatalogueError, match=r"Several probe sets.*'tea'") as caught:
        resolve_target("tea", [own])
    assert caught.value.fix == "Write 'drinks/tea' or 'more/tea'."
    assert resolve_target("more/tea", [own]).name == "more"


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("fod", "food"),
        ("Food", "food"),
        ("nurze", "nurse"),
        ("winobias-occupations/nurze", "winobias-occupations/nurse"),
        ("femal", "female"),
        ("sentimant", "sentiment"),
    ],
)
def test_a_typo_gets_near_names_over_sets_targets_and_poles(name, near):
    with pytest.raises(UnknownNameError) as caught:
        resolve_target(name)
    assert near in caught.value.near
    assert "biaskit list concepts" in caught.value.fix


def test_a_known_set_with_an_unknown_target():
    with pytest.raises(UnknownNameError):
        resolve_target("food/nurse")


@pytest.mark.parametrize("name", ["../food", "/food", "probes/food", ""])
def test_a_name_is_never_a_way_to_another_folder(name):
    with pytest.raises(UnknownNameError):
        resolve_target(name)


def test_a_pole_is_not_a_concept():
    with pytest.raises(CatalogueError, match="'male' is a pole of the reference pair 'gender'"):
        resolve_target("male")


@pytest.mark.parametrize(("name", "role"), [("gender", "reference pair"), ("neutral-nouns", "control set")])
def test_another_kind_of_set_is_not_a_concept(name, role):
    with pytest.raises(CatalogueError, match=f"'{name}' is a {role}; a target set is needed"):
        resolve_target(name)


@pytest.mark.parametrize("name", ["gender", "male", "female"])
def test_a_pair_is_named_by_itself_or_a_pole(name):
    assert reference_pair(name) == probe_set("gender")


def test_a_pair_and_a_pole_of_one_name():
    assert reference_pair("native-speaker").poles == ("native-speaker", "non-native-speaker")


def test_unknown_pairs():
    with pytest.raises(UnknownNameError) as caught:
        reference_pair("femle")
    assert "female" in caught.value.near
    with pytest.raises(CatalogueError, match="a reference pair is needed"):
        reference_pair("food")


def test_a_pole_that_two_pairs_have(own):
    (own / "warmer.toml").write_text(PAIR.replace('name = "warmth"', 'name = "warmer"'))
    with pytest.raises(CatalogueError, match="Several reference pairs") as caught:
        reference_pair("cold", [own])
    assert caught.value.fix == "Write 'warmer' or 'warmth'."


def test_one_broken_file_does_not_stand_in_the_way_of_other_names(own):
    (own / "broken.toml").write_bytes(b"\xff")
    assert [*resolve_target("tea", [own]).targets] == ["tea"]
    with pytest.raises(CatalogueError, match="not UTF-8"):
        resolve_target("broken", [own])


def test_the_sets_own_references_are_used():
    found = comparisons(["food", "illness"])
    assert [(targets.name, pair.name) for targets, pair, _ in found] == [
        ("food", "sentiment"),
        ("illness", "gender"),
        ("illness", "wealth"),
        ("illness", "insurance"),
        ("illness", "native-speaker"),
    ]


def test_references_override_and_are_compared_once():
    found = comparisons(["food"], ["male", "gender", "wealth"])
    assert [pair.name for _, pair, _ in found] == ["gender", "wealth"]


def test_targets_of_one_set_stay_one_family():
    ((targets, _, _),) = comparisons(["nurse", "winobias-occupations/cook", "nurse"])
    assert [*targets.targets] == ["nurse", "cook"]
    ((whole, _, _),) = comparisons(["nurse", "winobias-occupations"])
    assert len(whole.targets) == 40


def test_two_different_sets_of_one_name_are_refused(tmp_path):
    other = tmp_path / "food.toml"
    other.write_text(TARGETS.replace('name = "drinks"', 'name = "food"').replace("plain", "neutral-nouns"))
    with pytest.raises(CatalogueError, match="Two different sets are named 'food'"):
        comparisons(["food", str(other)], ["sentiment"])
    ((targets, _, _),) = comparisons([str(other)], ["sentiment"])
    assert "tea" in targets.targets


def test_one_target_in_two_sets_is_refused(own):
    (own / "more.toml").write_text(TARGETS.replace('name = "drinks"', 'name = "more"'))
    with pytest.raises(CatalogueError, match="The target 'tea' is in two of the sets"):
        comparisons(["drinks", "more"], folders=[own])
    assert len(comparisons(["drinks/tea", "more/juice"], folders=[own])) == 2


def test_a_set_given_by_its_path_does_not_change_what_other_names_mean(own):
    (own / "food.toml").write_text(TARGETS.replace('name = "drinks"', 'name = "food"'))
    found = comparisons([str(own / "drinks.toml"), "food"])
    assert found[1][0] == probe_set("food")


def test_the_folder_of_a_set_is_searched_for_its_pair_and_controls(own):
    ((targets, pair, controls),) = comparisons([str(own / "drinks.toml")])
    assert (targets.name, pair.name, controls.name) == ("drinks", "warmth", "plain")


def test_paths_in_an_audit_are_relative_to_it_and_stay_in_it(own):
    ((targets, _, _),) = comparisons(["drinks.toml"], base=own)
    assert targets.name == "drinks"
    with pytest.raises(CatalogueError, match="leaves the folder"):
        comparisons(["../own/drinks.toml"], base=own)
    with pytest.raises(CatalogueError, match="leaves the folder"):
        comparisons(["food"], ["/pair.toml"], base=own)


def test_controls_of_another_class_are_refused(own):
    (own / "plain.toml").write_text(CONTROLS.replace('"thing"', '"person"'))
    with pytest.raises(CatalogueError, match="name things, their controls 'plain' name persons"):
        comparisons(["drinks"], folders=[own])


def test_a_pair_without_stems_for_the_class_is_refused(own):
    with pytest.raises(CatalogueError, match="no stems for persons") as caught:
        comparisons(["nurse"], ["warmth"], [own])
    assert "stems.person" in caught.value.fix


@pytest.mark.parametrize(("old", "new"), [('"kind"', '"Tea"'), ('"mean"', '"juice"')])
def test_a_noun_that_states_a_pole_is_refused(own, old, new):
    (own / "warmth.toml").write_text(PAIR.replace(old, new))
    with pytest.raises(CatalogueError, match="is a target in 'drinks' and states a pole of 'warmth'"):
        comparisons(["drinks"], folders=[own])


def test_a_control_that_is_a_target_is_left_out(own):
    (own / "plain.toml").write_text(CONTROLS.replace('"window"', '"Juice"'))
    ((_, _, controls),) = comparisons(["drinks"], folders=[own])
    assert controls.fillers == ("table",)
    ((_, _, whole),) = comparisons(["drinks/tea"], folders=[own])
    assert whole.fillers == ("table", "Juice")
    assert controls.digest != whole.digest


def test_no_control_left(own):
    (own / "plain.toml").write_text(CONTROLS.replace('"table", "window"', '"juice"'))
    with pytest.raises(CatalogueError, match="Every noun of 'plain' is a target"):
        comparisons(["drinks"], folders=[own])


def test_controls_must_be_controls(own):
    (own / "plain.toml").write_text(PAIR.replace('name = "warmth"', 'name = "plain"'))
    with pytest.raises(CatalogueError, match="a control set is needed"):
        comparisons(["drinks"], folders=[own])


def test_nothing_asked_nothing_compared():
    assert comparisons([]) == ()
