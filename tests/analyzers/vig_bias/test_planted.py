"""Planted shortcuts: what discovery must find, what masks must gain, and where they must not be believed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.planted_vision_slices import (
    ALARM_LEVEL,
    AMPLIFIED,
    ERM,
    ORACLE,
    QUICK,
    RAW,
    audited,
    keywords,
    most_alarms,
    scene,
    smallest_p,
)
from biaskit.images.planting import CASES, Plant
from biaskit.organisms.shapes_training import SubjectRecipe

SEEDS = (0, 1, 2)
NULL_TWINS = 20


@pytest.fixture(scope="module")
def small():
    return scene(replace(CASES["4x4"], n=2000, held_out=1600, seed=0), amplify=False)


def test_masks_of_what_is_looked_at_keep_the_patch_and_show_it_to_the_encoder(small):
    found = small.by_mask()
    assert small.tested.kept[ERM] >= 0.6
    assert max(found["random"], found["inverse"], found[RAW]) < found[ERM] <= found[ORACLE]


def test_mixtures_find_groups_that_confidence_cannot_part(small):
    found = small.by_method()
    assert found["facts"] >= 0.85
    assert found["domino"] >= 0.6
    assert found["confidence"] <= 0.45
    assert found["random"] <= 0.25


def test_keywords_name_the_planted_context_in_every_class(small):
    said = keywords(small)
    assert len(said) == 4
    for one in said:
        assert one.planted, one
        assert one.lead > 0, one
        assert one.gap >= 0.5, one


def test_two_classes_in_two_contexts_carry_the_warning_that_confidence_alone_finds_everything():
    plant = Plant(n=1000, held_out=240, seed=0)
    asked = replace(QUICK, shuffles=0, slicers=("domino",), baselines=("confidence-ranking",))
    analysis = audited(plant, SubjectRecipe("mlp"), asked)
    assert any("by confidence alone" in caveat and "1.00" in caveat for caveat in analysis.caveats)


@pytest.fixture(scope="module", params=SEEDS)
def four(request):
    return scene(replace(CASES["4x4"], seed=request.param))


@pytest.mark.slow
def test_four_by_four(four):
    masks, methods = four.by_mask(), four.by_method()
    assert max(masks["random"], masks["inverse"]) < masks[RAW] < masks[ERM] <= masks[ORACLE]
    assert masks[RAW] < masks[AMPLIFIED] <= masks[ORACLE]
    assert methods["facts"] >= 0.9
    assert methods["domino"] >= 0.6
    assert methods["confidence"] <= 0.45
    assert four.tested.kept[AMPLIFIED] >= 0.9
