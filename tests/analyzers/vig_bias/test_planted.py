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
NULL_TWINS = range(20, 40)
PLANTED_TWINS = range(20, 28)


def test_two_classes_in_two_contexts_carry_the_warning_that_confidence_alone_finds_everything():
    plant = Plant(n=1000, held_out=240, seed=0)
    asked = replace(QUICK, shuffles=0, slicers=("domino",), baselines=("confidence-ranking",))
    analysis = audited(plant, SubjectRecipe("mlp"), asked)
    assert any("by confidence alone" in caveat and "1.00" in caveat for caveat in analysis.caveats)


@pytest.fixture(scope="module", params=SEEDS)
def four(request):
    return scene(replace(CASES["4x4"], seed=request.param))


@pytest.fixture(scope="module", params=SEEDS)
def two(request):
    return scene(replace(CASES["2x2"], seed=request.param), masks=False)


@pytest.fixture(scope="module")
def twos_in_four():
    return [scene(replace(CASES["2x4"], seed=seed), masks=False) for seed in SEEDS]


@pytest.mark.slow
def test_grounding_lies_between_whole_images_and_a_mask_of_the_patch(four):
    masks = four.by_mask()
    assert max(masks["random"], masks["inverse"]) < masks[RAW]
    for grounded in (ERM, AMPLIFIED):
        assert masks[RAW] < masks[grounded] <= masks[ORACLE]
    assert four.tested.kept[AMPLIFIED] >= 0.9


@pytest.mark.slow
def test_mixtures_on_four_by_four(four):
    methods = four.by_method()
    assert methods["facts"] >= 0.9
    assert methods["domino"] >= 0.6
    assert methods["confidence"] <= 0.45


@pytest.mark.slow
def test_keywords_on_four_by_four(four):
    for one in keywords(four):
        assert one.planted, one
        assert one.lead > 0, one
        assert one.gap >= 0.5, one


@pytest.mark.slow
def test_two_by_two_says_nothing_about_methods(two):
    methods = two.by_method()
    assert methods["confidence"] >= 0.995
    assert min(methods["domino"], methods["facts"]) >= 0.9


@pytest.mark.slow
def test_the_amplified_model_errs_on_the_minority(two):
    precision, _ = two.amplified_errors
    assert precision >= 0.9


@pytest.mark.slow
def test_keywords_name_a_scene_as_well():
    for seed in SEEDS:
        said = keywords(scene(replace(CASES["2x2"], shortcut="scene", seed=seed), amplify=False, masks=False))
        assert len(said) == 2
        assert all(one.planted and one.lead > 0 for one in said), said


@pytest.mark.slow
def test_two_contexts_that_mislead_alike(twos_in_four):
    """FACTS has no threshold here: which of its weights suits differs from seed to seed."""
    for one in twos_in_four:
        methods = one.by_method()
        assert methods["domino"] >= 0.85
        assert methods["confidence"] <= 0.55


@pytest.mark.slow
def test_grounding_hurts_where_the_shortcut_has_no_place():
    """A scene fills the image, and the encoder needs all of it: a mask of three tenths throws it away.

    Whole images reach 1.00. The map's mask does not reliably beat laying it elsewhere either.
    """
    for seed in SEEDS:
        plant = replace(CASES["2x4"], shortcut="scene", nuisance=False, seed=seed)
        masks = scene(plant, amplify=False).by_mask()
        assert masks[RAW] >= 0.95
        assert masks[ERM] <= masks[RAW] - 0.3


@pytest.mark.slow
def test_null_twins_have_no_slice_beyond_the_declared_rate():
    found = [smallest_p(seed) for seed in NULL_TWINS]
    for method in QUICK.slicers:
        assert sum(one[method] <= ALARM_LEVEL for one in found) <= most_alarms(len(found))


@pytest.mark.slow
def test_the_same_audit_finds_planted_slices():
    """One small audit can miss its slice: of ten, DOMINO found eight and FACTS all. Half is asked for.

    That is beyond what the null twins may reach.
    """
    found = [smallest_p(seed, rho=0.98) for seed in PLANTED_TWINS]
    for method in QUICK.slicers:
        assert sum(one[method] <= ALARM_LEVEL for one in found) >= len(found) / 2 > most_alarms(len(found))
