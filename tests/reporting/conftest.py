"""The hand-made report, as a fixture."""

import pytest

from tests.reporting.sample import build_report


@pytest.fixture(scope="session")
def report():
    return build_report()


@pytest.fixture
def make_report():
    return build_report
