"""Folders and files of the user, and no catalogue in the environment."""

from __future__ import annotations

import pytest

from tests.catalogue.texts import TEXTS


@pytest.fixture
def write(tmp_path):
    """Write one of the texts, with one piece of it replaced."""

    def _write(text, old="", new="", *, name=None):
        assert old in text
        changed = text.replace(old, new, 1) if old else text
        stem = name or text.split('name = "', 1)[1].split('"', 1)[0]
        path = tmp_path / f"{stem}.toml"
        path.write_text(changed, encoding="utf-8")
        return path

    return _write


@pytest.fixture
def own(tmp_path):
    """A user's folder with one set of each kind."""
    folder = tmp_path / "own"
    folder.mkdir()
    for name, text in TEXTS.items():
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    monkeypatch.delenv("BIASKIT_PROBES", raising=False)
    monkeypatch.delenv("BIASKIT_AUDITS", raising=False)
