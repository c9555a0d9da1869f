"""Planted nouns of both shipped organisms in every view."""

import json

import numpy as np
import pytest

import biaskit
from biaskit import organisms
from biaskit.triangulation import Grade, View, triangles

SETS = {
    "reviews": ("food", "service", "price", "music", "comedy", "illness", "review-aspects"),
    "occupations": ("winobias-occupations",),
}
LADDERS = ("sentiment", "gender")


def audited(model, name):
    return biaskit.audit(
        model,
        concepts=SETS[name],
        references=LADDERS,
        analyzers="association,biaslens",
        settings={"biaslens": {"axes": [], "readings": ["references given target"]}},
        offline=True,
        cache=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_all_views_have_the_sign_of_every_strong_dose(name):
    run = audited(f"organism:{name}", name)
    planted = json.loads((organisms.folder(name) / "plant.json").read_text())["doses"]
    strong = 0
    for one in triangles(run):
        ladder = "sentiment" if one.references[0] == "positive-sentiment" else "gender"
        dose = planted[ladder].get(one.concept, 0.0)
        if abs(dose) < 1:
            continue
        strong += 1
        shown = {view: sign for view, sign in one.signs.items() if sign}
        assert set(shown.values()) <= {int(np.sign(dose))}, one.concept
        assert {View.INSIDE, View.BEHAVIOUR, View.ASSOCIATION} <= shown.keys(), (one.concept, one.signs)
        assert one.grade in {Grade.CAUSAL, Grade.AGREEING}
    assert strong >= 20
