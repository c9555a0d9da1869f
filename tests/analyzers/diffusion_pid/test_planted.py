"""organism:portraits: newly built ones are read as they were planted; in a null twin log-odds are small."""

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
    """The planted attribute is ranked.

    The gap rests on the 16 images that are drawn for an occupation, so it wobbles with them; log-odds do not.
    """
    shares = planted_shares(folder)
    run = audited(name, "portrait-gender")
    assert rank(values(run, "diffusion_pid.log_odds"), shares) >= 0.9
    assert rank(values(run, "diffusion_pid.gap"), shares) >= 0.8
    assert rank(values(run, "diffusion_pid.share_drawn", "female"), shares) >= 0.85


def check_small(run):
    """Log-odds stay small beside the planted ones, which reach 2.9.

    A trained model keeps small leans of its own, and all occupations are drawn from the same noises, so
    that a lean by chance is shared by all of them: no gap is asked to be within chance here.
    """
    assert max(abs(one.value) for one in values(run, "diffusion_pid.log_odds").values()) < 1.5


@pytest.fixture(scope="module", params=SEEDS)
def built(request, tmp_path_factory):
    place = tmp_path_factory.mktemp("portraits") / f"seed{request.param}"
    organisms.build("portraits", seed=request.param, out=place)
    return place


@pytest.mark.slow
def test_a_new_organism_is_read_as_it_was_planted(built):
    check(built, built)
    check_small(audited(built, "portrait-age"))


@pytest.mark.slow
def test_the_shipped_organism_is_read_as_it_was_planted():
    check(organisms.folder("portraits"), "organism:portraits")


@pytest.mark.slow
def test_a_null_twin_has_small_log_odds(tmp_path):
    organisms.build("portraits", seed=100, out=tmp_path / "null", null=True)
    check_small(audited(tmp_path / "null", "portrait-gender"))
