"""The whole analyzer on a classifier whose shortcut is known."""

from dataclasses import replace

import numpy as np
import pytest
from analyzers.recomputing import recomputed, silent

from biaskit.analyzers import build
from biaskit.analyzers.vig_bias import VigBias
from biaskit.analyzers.vig_bias.one_set import OneSet
from biaskit.errors import RequestError, UnknownNameError
from biaskit.gates import compare
from biaskit.images.image_set import Part
from biaskit.images.selecting import select
from biaskit.reporting.words import METRIC_WORDS
from biaskit.saliency.grounding import ground
from tests.reporting.sample import build_report

QUICK = VigBias(
    method="grad-cam",
    site="conv_out.0",
    slicers=("domino",),
    baselines=("confidence-ranking", "k-means"),
    remedies=("erm", "last-layer"),
    shuffles=19,
    calibration=24,
    shown=2,
    tiles=3,
)


@pytest.fixture(scope="module")
def analysis(shapes_session):
    return QUICK.analyze(shapes_session)


def images_of(analysis):
    return next(table for table in analysis.tables if table.name.endswith("-images"))


def of(analysis, metric, **about):
    return [
        one
        for one in analysis.findings
        if one.metric == f"vig_bias.{metric}"
        and all(getattr(one, key) == value for key, value in about.items())
    ]


def test_every_number_follows_from_the_rows_that_are_kept(analysis):
    told = {one.metric.rpartition(".")[2] for one in analysis.findings if one.estimate.value is not None}
    assert recomputed(analysis) == told
    assert not silent(analysis)


def test_the_planted_groups_are_told_apart(analysis):
    (gap,) = of(analysis, "accuracy_gap", group="class and patch")
    assert gap.estimate.value > 0.9
    assert gap.estimate.interval.low > 0.5
    assert gap.estimate.null.p <= 0.01
    assert gap.headline
    (even,) = of(analysis, "accuracy_gap", group="scene")
    assert even.estimate.null.p > 0.01


def test_the_worst_slice_holds_the_planted_minority(analysis, shapes_images):
    first = analysis.sheets[0]
    rows = {shapes_images.pictures.name(row): row for row in range(len(shapes_images))}
    homes = {"three": "blue", "eight": "red"}
    assert first.tiles
    for tile in first.tiles:
        row = rows[tile.name]
        assert shapes_images.attributes["patch"][row] != homes[shapes_images.labels[row]]
        assert tile.label != tile.prediction


def test_slices_are_tested_with_the_search_paid_for(analysis):
    gaps = of(analysis, "slice_gap")
    assert gaps[0].estimate.null.p == pytest.approx(1 / 20)
    assert "max-T" in gaps[0].estimate.null.correction
    assert "shuffled within each class" in gaps[0].estimate.null.kind


def test_the_region_carries_the_prediction_and_one_elsewhere_does_not(analysis):
    (reliance,) = of(analysis, "reliance", group="all images")
    assert reliance.estimate.interval.low > 0.15
    after = of(analysis, "reliance", group="all images, after last-layer")
    assert after[0].estimate.value < reliance.estimate.value


def test_a_new_head_mends_the_worst_group_and_is_compared_with_one_without_groups(analysis):
    worst = {one.concepts[-1]: one.estimate.value for one in of(analysis, "remedy_worst_group")}
    assert worst["last-layer"] >= 0.6
    assert set(worst) == {"erm", "last-layer"}
    assert {plot.name for plot in analysis.dots} == {"shapes-groups", "shapes-remedies"}


def test_two_by_two_data_carry_the_warning_that_confidence_alone_finds_them(analysis):
    assert any("confidence alone" in one for one in analysis.caveats)


def test_keywords_name_the_planted_context(analysis):
    best = {}
    for one in of(analysis, "keyword_score"):
        label, _, word = one.concepts[-1].partition(": ")
        best.setdefault(label, word)
    assert "red" in best["three"]
    assert "blue" in best["eight"]


def test_every_number_has_words_a_unit_and_a_sample(analysis):
    assert {one.metric for one in analysis.findings} <= set(METRIC_WORDS)
    assert all(one.estimate.n > 0 or one.estimate.value is None for one in analysis.findings)
    assert analysis.summary


def test_the_table_counts_every_held_out_image_once(analysis, shapes_images):
    table = images_of(analysis)
    tests = [row for row in range(len(shapes_images)) if shapes_images.parts[row] is Part.TEST]
    assert [row[0] for row in table.rows] == [shapes_images.pictures.name(row) for row in tests]


def test_the_same_seed_gives_the_same_analysis(few_session):
    bare = replace(QUICK, shuffles=2, shown=1, baselines=())
    assert bare.analyze(few_session) == bare.analyze(few_session)


def test_masks_are_drawn_in_one_order_in_every_process(few_session, monkeypatch):
    """A set of names has another order in each process, and with it other masks of the same seed."""
    drawn = []

    def spy(pixels, maps, masking, *, rng):
        drawn.append(masking.control)
        return ground(pixels, maps, masking, rng=rng)

    monkeypatch.setattr("biaskit.analyzers.vig_bias.looking.ground", spy)
    one = OneSet(QUICK, few_session, few_session.images[0])
    one.looker.look(one.division.held[:8], "a few")
    assert drawn == [None, "random", "inverse"]


def test_images_without_attributes_are_audited_by_class_and_slice(shapes_session, shapes_images):
    plain = replace(shapes_images, attributes={}, captions=(), clusters=())
    found = replace(QUICK, shown=1).analyze(replace(shapes_session, images=(plain,)))
    assert not of(found, "precision_at_10")
    assert all("slice" in one.group for one in of(found, "remedy_worst_group"))
    assert recomputed(found) >= {"remedy_gap", "map_deletion", "reliance", "slice_gap"}
    assert not silent(found)


def test_attributes_that_compare_nothing_and_empty_cells_are_said(few_session):
    (images,) = few_session.images
    scenes = ["" if row % 4 == 0 else cell for row, cell in enumerate(images.attributes["scene"])]
    told = replace(images, attributes={"camera": ("one",) * len(images), "scene": tuple(scenes)})
    found = replace(QUICK, remedies=(), shown=0, shuffles=2).analyze(replace(few_session, images=(told,)))
    assert any("camera is 'one' on all" in one for one in found.notes)
    assert any("have no scene" in one for one in found.notes)
    assert not silent(found)


def test_a_gap_stands_on_the_images_that_make_it(analysis):
    (gap,) = of(analysis, "accuracy_gap", group="class and patch")
    (worst,) = [one for one in of(analysis, "accuracy_worst") if one.group.startswith("class and patch:")]
    wrong = 1 - worst.estimate.value
    shown = sum(one.value for one in gap.evidence)
    assert shown == pytest.approx(wrong) or len(gap.evidence) == 50
    assert all(" taken for " in one.text for one in gap.evidence)


def test_a_sheet_shows_members_of_its_slice_alone(few_session):
    many = replace(QUICK, remedies=(), baselines=(), shown=1, shuffles=2, tiles=1000)
    found = many.analyze(few_session)
    (sheet,), table = found.sheets, images_of(found)
    assert 0 < len(sheet.tiles) < len(table.rows) / 2


def test_without_parts_or_encoder_images_are_halved_and_slices_lie_in_the_models_own_features(few_session):
    (images,) = few_session.images
    rows = np.flatnonzero([part is not Part.TRAIN for part in images.parts])
    held = replace(select(images, rows.tolist()), parts=())
    found = replace(QUICK, remedies=(), shown=0, shuffles=2).analyze(
        replace(few_session, images=(held,), encoder=None)
    )
    assert any("tested on the other" in one for one in found.notes)
    assert "No text-image encoder" in found.caveats[0]
    assert of(found, "slice_gap")
    assert not of(found, "keyword_score")
    assert recomputed(found) >= {"map_agreement", "precision_at_10", "grounding_gain"}
    assert not silent(found)


@pytest.mark.parametrize(
    ("settings", "near"),
    [
        ({"method": "gradcam"}, "grad-cam"),
        ({"slicers": "domin"}, "domino"),
        ({"baselines": "kmeans"}, "k-means"),
        ({"remedies": "groupdro"}, "group-dro"),
        ({"fill": "men"}, "mean"),
    ],
)
def test_misspelt_settings_are_answered_with_near_names(settings, near):
    with pytest.raises(UnknownNameError) as caught:
        build("vig-bias", settings)
    assert near in str(caught.value)


@pytest.mark.parametrize("settings", [{"keep": 1.0}, {"keep": 0.0}, {"tiles": 0}, {"calibration": 3}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(RequestError):
        build("vig-bias", settings)


def test_a_site_that_is_not_there_is_answered_with_those_that_are(few_session):
    with pytest.raises(RequestError, match="conv_out"):
        replace(QUICK, site="conv_out.99").analyze(few_session)


def test_two_runs_are_paired_over_images_that_they_share(analysis):
    report = build_report().model_copy(update={"analyses": (analysis,)})
    found = compare(report, report).differences
    paired = {one.metric.rpartition(".")[2] for one in found if one.paired}
    assert paired >= {"accuracy", "reliance", "follows_region", "remedy_accuracy_change", "map_deletion"}
    assert not paired & {"precision_at_10", "grounding_gain", "keyword_score"}
    gap = next(one for one in found if one.metric == "vig_bias.accuracy_gap")
    assert gap.reason == "not paired: it is no mean of its rows"
