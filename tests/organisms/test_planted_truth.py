"""BiasLens on organisms that are built in the test run, each gated on its plant and never on its score."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from biaskit import organisms
from biaskit.organisms.building import GENRES, PLANTED
from biaskit.stats.proportions import binomial_band
from biaskit.triangulation import Grade, View

pytestmark = pytest.mark.slow
SEED = 4
NULL_SEED = 101


def opened(name):
    """Open a script that prints tables of the documentation: the same figures are asserted here."""
    path = Path(__file__).parents[2] / "benchmarks" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def proof():
    yield opened("planted_truth")
    del sys.modules["planted_truth"]


@pytest.fixture(scope="module")
def outside(proof):
    yield opened("planted_outside")
    del sys.modules["planted_outside"]


@pytest.fixture(scope="module", params=sorted(GENRES))
def twin(request, proof, tmp_path_factory):
    """An organism without any bias."""
    folder = tmp_path_factory.mktemp("twin") / request.param
    organisms.build(request.param, seed=NULL_SEED, null=True, out=folder)
    return proof.Planted.open(folder)


@pytest.mark.parametrize("name", sorted(GENRES))
def test_a_new_organism_is_read_as_it_was_planted(name, proof, tmp_path) -> None:
    organisms.build(name, seed=SEED, out=tmp_path)
    planted = proof.Planted.open(tmp_path)
    for pair in PLANTED:
        row = proof.judged(planted, pair)
        assert row["score"] >= 0.95
        assert row["signs"] == 1.0
        assert 0.8 <= row["score/behaviour"] <= 1.2
        assert row["cross-talk"] <= row["own"] + 0.15
        assert row["power"] >= 0.9
        assert abs(row["left"]) <= 0.2
        assert row["random left"] >= 0.8
        assert row["score"] > row.get("random mean", 0.0)


def test_a_null_twin_is_not_accused_more_often_than_chance_says(twin, proof) -> None:
    counts = proof.rejections(twin).values()
    hits, total = (sum(count[index] for count in counts) for index in (0, 1))
    assert hits / total <= binomial_band(0.05, total, 0.999).high


def test_no_view_of_a_null_twin_speaks_in_nats_and_associations_no_more_than_chance_says(
    twin, outside
) -> None:
    few = ("review-aspects", "music", "illness") if twin.name == "reviews" else ("winobias-occupations",)
    found = outside.triangulated(twin, ("sentiment",), few)
    assert len(found) >= 20
    for one in found:
        leaning = {view for view, sign in one.signs.items() if sign}
        assert leaning <= {View.ASSOCIATION}
        assert one.grade in {Grade.NOT_SHOWN, Grade.ONE_SIDED}
    alarms = sum(one.grade is Grade.ONE_SIDED for one in found)
    assert alarms / len(found) <= binomial_band(0.05, len(found), 0.999).high


def test_nothing_is_mitigated_in_a_null_twin(twin, outside) -> None:
    for pair in PLANTED:
        (sentence,) = outside.erased(twin, pair).summary
        assert sentence.startswith("Nothing to mitigate was shown"), pair
