"""organism:portraits as shipped: planted shares are ranked and in their intervals; the control is silent."""

from __future__ import annotations

import json

import pytest
from scipy.stats import spearmanr

import biaskit
from biaskit import organisms

pytestmark = pytest.mark.slow
IMAGES = 64


@pytest.fixture(scope="module")
def run():
    return biaskit.audit(
        "organism:portraits", analyzers="representation", settings={"images": IMAGES, "shown": 0, "named": 8}
    )


def told(run, name):
    found = [one for one in run.findings("representation.fd") if one.group == name]
    return {one.concepts[0] for one in found if one.estimate.null.adjusted <= 0.05}


def test_planted_shares_are_ranked_and_lie_in_their_intervals(run):
    planted = json.loads((organisms.folder("portraits") / "plant.json").read_text())["planted"]
    found = {
        one.concepts[0]: one.estimate for one in run.findings("representation.share") if one.group == "female"
    }
    assert spearmanr([found[job].value for job in planted], list(planted.values())).statistic >= 0.9
    # The organism misses its plant by a few points itself, so nine of ten and not all.
    assert sum(planted[job] in found[job].interval for job in planted) >= 9
    far = {job for job, share in planted.items() if abs(share - 0.5) >= 0.3}
    assert far <= told(run, "portrait-gender")


def test_the_age_that_nothing_leans_on_is_silent(run):
    assert told(run, "portrait-age") == set()


def test_groups_that_are_named_are_seen(run):
    assert all(one.estimate.value >= 0.75 for one in run.findings("representation.named"))
