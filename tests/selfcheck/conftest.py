"""The fake analyzer under its name, on the fake bench."""

from importlib.metadata import EntryPoint

import pytest

from biaskit import analyzers
from biaskit.selfcheck import calibrating
from tests.selfcheck.fakes import Shelf


def offer(patch):
    point = EntryPoint("gauge", "tests.selfcheck.fakes:Gauge", analyzers.GROUP)
    patch.setattr(analyzers, "entry_points", lambda group: (point,))
    patch.setattr(calibrating, "bench", lambda plant: Shelf())


@pytest.fixture
def gauge(monkeypatch):
    offer(monkeypatch)
    return "gauge"
