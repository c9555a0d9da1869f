"""The shipped organism, measured once for all tests that compare it with what was planted in it.

`BIASKIT_TEST_ORGANISM` names another folder that `biaskit organism build reviews` wrote.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from biaskit import models, organisms
from biaskit.analyzers.biaslens import given_reference, given_target
from biaskit.concepts.pole_tokens import pole_tokens
from biaskit.errors import UnknownNameError
from biaskit.hooks.pooling import Pooling
from biaskit.records.reading import Reading
from tests.analyzers.biaslens.planted import Plant, Planted, all_targets, new_session

POOLINGS = (Pooling.LAST, Pooling.SPAN)


@pytest.fixture(scope="session")
def organism():
    """Folder of the organism and, read from its `plant.json`, what was planted."""
    try:
        folder = Path(os.environ.get("BIASKIT_TEST_ORGANISM") or organisms.folder("reviews"))
    except UnknownNameError:
        pytest.skip("the organism 'reviews' is not in this checkout")
    plant = json.loads((folder / "plant.json").read_text(encoding="utf-8"))
    return Plant(folder, plant["doses"], {pair: Reading(name) for pair, name in plant["planted"].items()})


@pytest.fixture(scope="session")
def model(organism):
    """The organism, opened as any other model folder is."""
    return models.load(str(organism.folder))


@pytest.fixture(scope="session")
def planted(organism, model):
    """Each ladder's pair measured over all targets, in the reading that its text taught."""
    found = {}
    for pair, reading in organism.readings.items():
        comparison = all_targets(pair, tuple(organism.doses[pair]))
        session = new_session(model, comparison)
        tokens = pole_tokens(model, comparison)
        if reading is Reading.GIVEN_TARGET:
            measured = given_target.measure(session, comparison, tokens, given_target.How(POOLINGS))
        else:
            measured = given_reference.measure(session, comparison, POOLINGS, 6)
        found[pair] = Planted(session, comparison, tokens, measured, organism.doses)
    return found
