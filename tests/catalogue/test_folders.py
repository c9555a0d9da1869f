"""In which order files are looked for, and where they are said to come from."""

from __future__ import annotations

import os
import shutil
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from biaskit.catalogue import audit_path, audit_spec, audit_specs, folders, probe_set, probe_sets
from biaskit.errors import CatalogueError, UnknownNameError
from tests.catalogue.texts import AUDIT, CONTROLS, TARGETS


@pytest.fixture
def plug_in(tmp_path, monkeypatch):
    """A plug-in package with a set of its own, whose code must never run."""
    package = tmp_path / "site" / "lab_words"
    (package / "probes").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('the code of a plug-in was run')")
    (package / "probes" / "drinks.toml").write_text(TARGETS.replace('"Drinks."', '"From the plug-in."'))
    monkeypatch.syspath_prepend(tmp_path / "site")
    entry = EntryPoint(name="lab", value="lab_words", group="biaskit.catalogues")
    monkeypatch.setattr(folders, "entry_points", lambda group: [entry] if group == entry.group else [])
    return package


def test_a_path_is_read_wherever_it_is(write):
    path = write(TARGETS)
    assert probe_set(path) == probe_set(str(path))
    assert path.stem not in probe_sets()


def test_a_path_that_is_not_there(tmp_path):
    with pytest.raises(CatalogueError, match="There is no file"):
        probe_set(tmp_path / "drinks.toml")


def test_a_folder_comes_before_the_shipped_catalogue(tmp_path):
    (tmp_path / "food.toml").write_text(TARGETS.replace('name = "drinks"', 'name = "food"'))
    assert set(probe_set("food", [tmp_path]).targets) == {"tea", "juice"}
    assert set(probe_set("food").targets) == {"food"}
    assert probe_sets([tmp_path])["food"].source == "folder"
    assert probe_sets([tmp_path])["music"].source == "biaskit"


def test_the_first_folder_wins(tmp_path, own):
    (tmp_path / "drinks.toml").write_text(TARGETS.replace('"Drinks."', '"Other drinks."'))
    assert probe_set("drinks", [own, tmp_path]).description == "Drinks."
    assert probe_set("drinks", [tmp_path, own]).description == "Other drinks."


def test_the_environment_names_folders(monkeypatch, tmp_path, own):
    monkeypatch.setenv("BIASKIT_PROBES", os.pathsep.join([str(tmp_path), str(own)]))
    assert probe_sets()["drinks"].source == "environment"
    monkeypatch.setenv("BIASKIT_AUDITS", str(tmp_path))
    (tmp_path / "clinic.toml").write_text(AUDIT)
    assert audit_spec("clinic").concepts == ("drinks",)
    assert audit_specs()["clinic"].source == "environment"
    assert "warmth" not in audit_specs()


def test_a_folder_of_the_command_comes_before_the_environment(monkeypatch, tmp_path, own):
    monkeypatch.setenv("BIASKIT_PROBES", str(tmp_path))
    (tmp_path / "drinks.toml").write_text(TARGETS.replace('"Drinks."', '"Other drinks."'))
    assert probe_set("drinks", [own]).description == "Drinks."
    assert probe_set("drinks").description == "Other drinks."


@pytest.mark.parametrize("given", ["missing", "file.toml"])
def test_a_folder_that_is_not_there(monkeypatch, tmp_path, given):
    (tmp_path / "file.toml").write_text(CONTROLS)
    with pytest.raises(CatalogueError, match=r"The folder of probe sets .* is not there"):
        probe_sets([tmp_path / given])
    monkeypatch.setenv("BIASKIT_PROBES", str(tmp_path / given))
    with pytest.raises(CatalogueError, match="BIASKIT_PROBES"):
        probe_sets()


def test_a_plug_in_is_found_and_its_code_not_run(plug_in, own):
    assert probe_sets()["drinks"].source == "plug-in lab"
    assert probe_set("drinks").description == "From the plug-in."
    assert probe_set("drinks", [own]).description == "Drinks."
    assert "lab_words" not in sys.modules
    assert "quick" in audit_specs()


def test_a_plug_in_comes_before_the_shipped_catalogue(plug_in):
    (plug_in / "probes" / "food.toml").write_text(TARGETS.replace('name = "drinks"', 'name = "food"'))
    assert probe_sets()["food"].source == "plug-in lab"


def test_a_plug_in_without_its_package_is_named_and_left_out(plug_in):
    shutil.rmtree(plug_in)
    with pytest.warns(UserWarning, match="plug-in 'lab' names the package 'lab_words', which"):
        found = probe_sets()
    assert "food" in found
    assert "drinks" not in found


def installed(tmp_path, monkeypatch):
    package = tmp_path / "site-packages" / "biaskit"
    package.mkdir(parents=True)
    monkeypatch.setattr(folders, "_PACKAGE", package)
    return package


def test_an_installed_copy_reads_its_own_files(tmp_path, monkeypatch):
    package = installed(tmp_path, monkeypatch)
    (package / "_catalogue" / "probes").mkdir(parents=True)
    (package / "_catalogue" / "probes" / "plain.toml").write_text(CONTROLS)
    assert [*probe_sets()] == ["plain"]


def test_a_strangers_folder_in_site_packages_is_not_read(tmp_path, monkeypatch):
    package = installed(tmp_path, monkeypatch)
    (package.parent / "probes").mkdir()
    (package.parent / "probes" / "plain.toml").write_text(CONTROLS)
    with pytest.raises(CatalogueError, match="Install biaskit again"):
        probe_sets()
    (package.parent / "pyproject.toml").touch()
    assert [*probe_sets()] == ["plain"]


def test_listing_is_sorted_and_reads_nothing(tmp_path):
    (tmp_path / "zebra.toml").write_bytes(b"\xff broken")
    (tmp_path / "README.md").write_text("no set")
    found = probe_sets([tmp_path])
    assert [*found] == sorted(found)
    assert found["zebra"].path == tmp_path / "zebra.toml"
    assert "README" not in found


def test_an_unknown_audit_gets_near_names():
    with pytest.raises(UnknownNameError) as caught:
        audit_path("quik")
    assert caught.value.near == ("quick",)
    assert caught.value.exit_code == 2


def test_an_audit_by_path_keeps_its_folder(write):
    path = write(AUDIT)
    assert audit_path(str(path)).parent == Path(path).parent
