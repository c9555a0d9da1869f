"""BiasLens on organisms that are built in the test run, each gated on its plant and never on its score."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from biaskit import organisms
from biaskit.organisms.building import GENRES, PLANTED
from biaskit.stats.proportions import binomial_band

pytestmark = pytest.mark.slow
SEED = 4
NULL_SEED = 101


@pytest.fixture(scope="module")
def proof():
    """The script that prints the table of the documentation: the same figures are asserted here."""
    path = Path(__file__).parents[2] / "benchmarks" / "planted_truth.py"
    spec = importlib.util.spec_from_file_location("planted_truth", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["planted_truth"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["planted_truth"]


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


@pytest.mark.parametrize("name", sorted(GENRES))
def test_a_null_twin_is_not_accused_more_often_than_chance_says(name, proof, tmp_path) -> None:
    organisms.build(name, seed=NULL_SEED, null=True, out=tmp_path)
    counts = proof.rejections(proof.Planted.open(tmp_path)).values()
    hits, total = (sum(count[index] for count in counts) for index in (0, 1))
    assert hits / total <= binomial_band(0.05, total, 0.999).high
