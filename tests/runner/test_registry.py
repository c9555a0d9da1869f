"""Analyzers by name: built in, from plug-ins, broken, misspelt."""

import dataclasses
from importlib.metadata import EntryPoint

import pytest

from biaskit import analyzers
from biaskit.errors import RequestError, UnknownNameError
from tests.runner.fakes import Steady


def add(plugins, name, value):
    plugins.append(EntryPoint(name, value, analyzers.GROUP))


def broken(name):
    return {entry.name: entry.broken for entry in analyzers.entries()}[name]


def test_built_in_ones_come_first(plugins):
    entries = analyzers.entries()
    assert entries[0].name == "biaslens"
    assert entries[0].provider == "biaskit"
    assert {entry.name for entry in entries} >= {"steady", "crashing"}


def test_every_built_in_one_can_be_loaded_and_built():
    for name in analyzers.BUILT_IN:
        assert analyzers.load(name).name == name
        assert analyzers.build(name, {}).limitations


def test_a_plug_in_is_loaded_and_built(plugins):
    assert analyzers.load("steady") is Steady
    assert analyzers.build("steady", {"shift": 2, "words": ["x", "y"]}) == Steady(2.0, ("x", "y"))


def test_a_misspelt_name_is_answered_with_near_ones(plugins):
    with pytest.raises(UnknownNameError, match="biaslens"):
        analyzers.find("biaslense")
    with pytest.raises(UnknownNameError, match="steady"):
        analyzers.load("stedy")


def test_a_misspelt_setting_is_answered_with_near_ones(plugins):
    with pytest.raises(UnknownNameError, match="shift"):
        analyzers.build("steady", {"shfit": 1})


def test_a_value_that_a_setting_cannot_take_is_refused(plugins):
    with pytest.raises(RequestError, match="shift"):
        analyzers.build("steady", {"shift": "far"})


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("no_such_package_anywhere:Thing", "no_such_package_anywhere"),
        ("tests.runner.fakes", "module:Class"),
        ("no_such_package_anywhere.inner:Thing", "no_such_package_anywhere"),
    ],
)
def test_a_broken_plug_in_is_listed_as_broken(plugins, value, said):
    add(plugins, "odd", value)
    assert said in broken("odd")
    assert broken("steady") == ""
    with pytest.raises(RequestError, match="broken"):
        analyzers.load("odd")


@pytest.mark.parametrize("value", ["tests.runner.fakes:Nowhere", "tests.runner.fakes:NotAnAnalyzer"])
def test_what_is_no_analyzer_is_refused_by_name(plugins, value):
    add(plugins, "odd", value)
    with pytest.raises(RequestError, match=r"odd|NotAnAnalyzer"):
        analyzers.load("odd")


def test_a_plug_in_that_fails_to_import_is_named(plugins, tmp_path, monkeypatch):
    (tmp_path / "bursting_plugin.py").write_text("raise RuntimeError('no licence')")
    monkeypatch.syspath_prepend(tmp_path)
    add(plugins, "odd", "bursting_plugin:Thing")
    with pytest.raises(RequestError, match="no licence"):
        analyzers.load("odd")
    assert broken("odd") == ""
    tried = {entry.name: entry.broken for entry in analyzers.tried()}
    assert (tried["odd"], tried["steady"], tried["biaslens"]) == ("RuntimeError: no licence", "", "")


def test_a_plug_in_cannot_take_a_built_in_name(plugins):
    add(plugins, "biaslens", "tests.runner.fakes:Steady")
    assert analyzers.load("biaslens") is not Steady
    clash = [entry for entry in analyzers.entries() if entry.name == "biaslens" and entry.broken]
    assert len(clash) == 1
    assert "built-in" in clash[0].broken


def test_a_list_may_be_written_with_commas(plugins):
    assert analyzers.build("steady", {"words": "x, y"}).words == ("x", "y")
    assert analyzers.build("steady", {"words": ""}).words == ()
    assert analyzers.build("biaslens", {"axes": "stated,cav"}).axes == ("stated", "cav")


@pytest.mark.parametrize(
    ("name", "setting", "typo", "near"),
    [
        ("sparse-probing", "preset", "papr", "paper"),
        ("sparse-probing", "pooling", "lst", "last"),
        ("biaslens", "rule", "tangnt", "tangent"),
        ("picky", "shade", "drak", "dark"),
        ("picky", "tone", "lod", "loud"),
    ],
)
def test_a_misspelt_value_of_an_enumerated_setting_is_answered_with_near_ones(
    plugins, name, setting, typo, near
):
    add(plugins, "picky", "tests.runner.fakes:Picky")
    with pytest.raises(UnknownNameError, match=f"value of {setting} of {name} named '{typo}'") as caught:
        analyzers.build(name, {setting: typo})
    assert near in caught.value.near
    assert "It is one of" in caught.value.fix


def test_a_value_of_the_wrong_kind_is_answered_with_the_kind_and_the_default():
    with pytest.raises(RequestError, match=r"most_rows of sparse-probing cannot be 'many'") as caught:
        analyzers.build("sparse-probing", {"most_rows": "many"})
    assert caught.value.why == "It takes a whole number; the default is 1024."


def test_a_setting_of_another_analyzer_says_whose_it_is():
    with pytest.raises(UnknownNameError, match=r"write sparse-probing\.repeats=1"):
        analyzers.build_all([("biaslens", {"repeats": 1}), ("sparse-probing", {"repeats": 1})])
    with pytest.raises(UnknownNameError) as caught:
        analyzers.build_all([("biaslens", {"repeats": 1})])
    assert caught.value.fix == ""


@pytest.mark.parametrize("name", sorted(analyzers.BUILT_IN))
def test_every_setting_says_what_it_does(name):
    kind = analyzers.load(name)
    held = analyzers.settings_of(kind)
    assert [one.name for one in held] == [field.name for field in dataclasses.fields(kind)]
    assert all(one.meaning.endswith(".") and one.takes for one in held)


def test_a_setting_in_words(plugins):
    shift, words = analyzers.settings_of(Steady)
    assert (shift.takes, shift.default, shift.meaning) == ("a number", "0.0", "Added to each number.")
    assert (words.takes, words.default) == ("a list with commas", "a")


def test_what_a_built_in_one_opens_is_known_unloaded():
    assert {name: analyzers.modality_of(name) for name in analyzers.BUILT_IN} == {
        name: analyzers.load(name).modality for name in analyzers.BUILT_IN
    }


def test_what_a_plug_in_opens_is_asked_of_it(plugins):
    assert analyzers.modality_of("steady") is Steady.modality
    with pytest.raises(UnknownNameError, match="steady"):
        analyzers.modality_of("stedy")
