"""An organism, its targets, and remedies found for them, once for all tests."""

import json

import pytest

from biaskit import models, organisms
from biaskit.errors import UnknownNameError
from biaskit.mitigations.erase import EraseAssociation
from tests.analyzers.biaslens.planted import new_session, some_targets

CONTROLS = 40


@pytest.fixture(scope="session")
def occupations():
    """The organism of occupations and its targets."""
    try:
        folder = organisms.folder("occupations")
    except UnknownNameError:
        pytest.skip("the organism 'occupations' is not in this checkout")
    doses = json.loads((folder / "plant.json").read_text(encoding="utf-8"))["doses"]["gender"]
    return models.load(str(folder)), tuple(doses)


@pytest.fixture(scope="session")
def session(occupations):
    model, targets = occupations
    return new_session(model, some_targets("gender", targets, CONTROLS))


@pytest.fixture(scope="session")
def remedies(session):
    """Find a remedy by a method, once each; at the last block, so that no site is searched for."""
    made = {}

    def find(method):
        if method not in made:
            made[method] = EraseAssociation(method=method, sites=("resid_post.2",)).find(session)
        return made[method]

    return find
