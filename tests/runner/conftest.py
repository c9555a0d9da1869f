"""The fake analyzers as an installed plug-in, and the fake model behind every name."""

from importlib.metadata import EntryPoint

import pytest

from biaskit import analyzers, models
from tests.runner.fakes import Model

NAMES = ("Steady", "Counting", "Narrow", "Crashing", "Failing", "Interrupted", "Asking", "Empty")


@pytest.fixture
def plugins(monkeypatch):
    """Register entry points for the run of a test; returns the list, to which a test may add."""
    points = [EntryPoint(name.lower(), f"tests.runner.fakes:{name}", analyzers.GROUP) for name in NAMES]
    monkeypatch.setattr(analyzers, "entry_points", lambda group: [p for p in points if p.group == group])
    return points


@pytest.fixture
def fake_model(monkeypatch):
    monkeypatch.setattr(models, "load", lambda *_, **__: Model())
    monkeypatch.setattr(models, "on_disk", lambda *_, **__: None)
