"""The shipped organisms, opened once, and what is asked of them."""

from __future__ import annotations

import json

import pytest

from biaskit import catalogue, models, organisms
from biaskit.errors import UnknownNameError
from biaskit.hooks.store import ActivationStore
from biaskit.session import Comparison, Session


def _open(name: str):
    try:
        return models.load(str(organisms.folder(name)))
    except UnknownNameError:
        pytest.skip(f"the organism '{name}' is not in this checkout")


@pytest.fixture(scope="session")
def reviews():
    """The organism with the aspects of reviews."""
    return _open("reviews")


@pytest.fixture(scope="session")
def occupations():
    """The organism with the occupations."""
    return _open("occupations")


@pytest.fixture(scope="session")
def planted_gender(occupations):
    """The planted dose of each occupation on the ladder from female to male."""
    plant = json.loads((occupations.folder / "plant.json").read_text(encoding="utf-8"))
    return plant["doses"]["gender"]


def session_of(model, concepts=(), references=(), labelled=(), seed=0):
    """Make a session that keeps its activations in memory."""
    compared = catalogue.comparisons(list(concepts), list(references)) if concepts else ()
    return Session(
        model=model,
        comparisons=tuple(Comparison(*one) for one in compared),
        store=ActivationStore(None),
        seed=seed,
        labelled=tuple(labelled),
    )


@pytest.fixture
def asking():
    """Make a session from a model, concepts, references and labelled texts."""
    return session_of
