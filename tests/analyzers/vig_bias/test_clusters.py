"""Images that were sampled together: what is counted over clusters, and what stays as it is without them."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from analyzers.recomputing import intervals, recomputed, silent

from biaskit.analyzers.vig_bias import VigBias
from biaskit.analyzers.vig_bias.findings import degenerate
from biaskit.images.image_set import Part
from biaskit.images.selecting import limited, select
from biaskit.stats.proportions import wilson

BARE = VigBias(
    method="grad-cam",
    site="conv_out.0",
    slicers=(),
    baselines=(),
    remedies=(),
    shuffles=0,
    calibration=48,
    shown=0,
)
SIZES, SETS = (20, 12, 10, 8, 8, 6, 6, 5, 5, 5, 4, 4, 3, 3, 2, 2), 200


def of(analysis, *metrics):
    return [one for one in analysis.findings if one.metric.rpartition(".")[2] in metrics]


def misses(*, together):
    """How often the interval of maps that point nowhere leaves out their true share, with hard objects."""
    owners, missed = np.repeat(np.arange(len(SIZES)), SIZES), 0
    for seed in range(SETS):
        rng = np.random.default_rng(seed)
        nowhere = rng.random(len(owners)) < rng.beta(0.6, 1.4, len(SIZES))[owners]
        clusters = [str(owner) for owner in owners] if together else []
        interval = degenerate("x", SimpleNamespace(degenerate=nowhere), clusters).estimate.interval
        missed += not interval.low <= 0.3 <= interval.high
    return wilson(missed, SETS, 0.99)


def test_the_share_of_maps_without_a_place_holds_the_true_one_over_clusters():
    assert misses(together=True).low <= 0.05


def test_counted_image_by_image_it_is_too_sure():
    assert misses(together=False).low > 0.05


@pytest.fixture(scope="module")
def images(shapes_images):
    rows = [row for row, part in enumerate(shapes_images.parts) if part is not Part.TRAIN]
    return limited(select(shapes_images, rows), 70)


@pytest.fixture(scope="module")
def coarse(shapes_session, images):
    """An analysis of images that lie in blocks of four, each within one part."""
    blocks = tuple(f"{part}-{row // 4}" for row, part in enumerate(images.parts))
    return BARE.analyze(replace(shapes_session, images=(replace(images, clusters=blocks),)))


@pytest.fixture(scope="module")
def single(shapes_session, images):
    return BARE.analyze(replace(shapes_session, images=(replace(images, clusters=()),)))


def test_keywords_and_maps_are_counted_over_clusters_and_computed_again(coarse):
    assert recomputed(coarse) >= {"keyword_score", "keyword_gap", "maps_without_a_place"}
    assert intervals(coarse) >= {"keyword_score", "keyword_gap", "maps_without_a_place"}
    assert not silent(coarse)
    found = of(coarse, "keyword_score", "keyword_gap", "maps_without_a_place")
    assert {one.estimate.resampling_unit for one in found} == {"clusters of images"}
    assert {one.rows.units for one in found} == {("cluster", "image")}
    kinds = {one.estimate.null.kind.split(" clusters")[0][:8] for one in of(coarse, "keyword_score")}
    assert kinds == {"signs of"}


def test_without_clusters_images_stand_alone(single):
    found = of(single, "keyword_score", "keyword_gap", "maps_without_a_place")
    assert {one.estimate.resampling_unit for one in found} == {"images"}
    assert {one.estimate.interval.method for one in found} == {"Welch's t", "Newcombe", "Wilson"}
    assert "images shuffled 999 times" in of(single, "keyword_score")[0].estimate.null.kind


def test_maps_are_judged_by_clusters_that_did_not_choose_them(coarse, single):
    judged, alone = (
        next(table for table in one.tables if table.name.endswith("-maps")) for one in (coarse, single)
    )
    assert 48 / 2 < len(judged.rows) < 48
    assert len(alone.rows) == 32
