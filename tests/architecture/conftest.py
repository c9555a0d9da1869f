"""The sources of the package, parsed once."""

from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, Source, read


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def sources() -> dict[str, Source]:
    files = sorted((ROOT / "biaskit").rglob("*.py"))
    return {source.module: source for source in map(read, files)}
