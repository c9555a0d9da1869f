"""Analyzers by name: built in, from plug-ins, broken, misspelt."""

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
