"""Fixtures of the concept tests."""

import pytest

from tests.concepts.planted import plant


@pytest.fixture(scope="session")
def planted():
    return plant(8000)
