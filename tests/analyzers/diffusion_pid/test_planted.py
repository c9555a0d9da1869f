"""organism:portraits: newly built ones are read as they were planted, their null twin is left alone."""

from __future__ import annotations

import json

import pytest
from scipy.stats import spearmanr

import biaskit
from biaskit import organisms

SEEDS = (1, 2)
QUICK = {"images": 2, "replicates": 1, "nodes": 12, "shown": 0}


def audited(model, references, **settings):
    return biaskit.audit(
        str(model), concepts="portrait-occupations", references=references, settings=QUICK | settings
    )


def values(run, metric, group=None):
    return {one.concepts[0]: one.estimate for one in run.findings(metric) if group in (None, one.group)}


def planted_shares(folder):
    return json.loads((folder / "plant.json").read_text())["planted"]


def rank(found, shares):
    return spearmanr([found[job].value for job in shares], list(shares.values())).statistic


def check(folder, name):
    """The planted attribute is ranked, the other one and words without meaning are not taken for it."""
    shares = planted_shares(folder)
    run = audited(name, "portrait-gender")
    for metric in ("diffusion_pid.gap", "diffusion_pid.log_odds"):
        assert rank(values(run, metric), shares) >= 0.9, metric
    assert rank(values(run, "diffusion_pid.share_drawn", "female"), shares) >= 0.9
    control = values(audited(name, "portrait-age"), "diffusion_pid.log_odds")
    assert max(abs(one.value) for one in control.values()) < 1.0
    assert abs(rank(control, shares)) < 0.8


@pytest.fixture(scope="module", params=SEEDS)
def built(request, tmp_path_factory):
    place = tmp_path_factory.mktemp("portraits") / f"seed{request.param}"
    organisms.build("portraits", seed=request.param, out=place)
    return place


@pytest.mark.slow
def test_a_new_organism_is_read_as_it_was_planted(built):
    check(built, built)


@pytest.mark.slow
def test_the_shipped_organism_is_read_as_it_was_planted():
    check(organisms.folder("portraits"), "organism:portraits")


@pytest.mark.slow
def test_a_null_twin_is_not_accused(tmp_path):
    organisms.build("portraits", seed=100, out=tmp_path / "null", null=True)
    run = audited(tmp_path / "null", "portrait-gender")
    for metric in ("diffusion_pid.gap", "diffusion_pid.log_odds"):
        found = values(run, metric)
        assert sum(one.null.p <= 0.05 for one in found.values()) <= 2
        assert sum(one.null.adjusted <= 0.05 for one in found.values()) <= 1
