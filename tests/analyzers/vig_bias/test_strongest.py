"""The places behind a precision: each holds an image, ties share it, and their mean is the number."""

from types import SimpleNamespace

import numpy as np
import pytest
from analyzers.recomputing import recomputed

from biaskit.analyzers.vig_bias import strongest
from biaskit.analyzers.vig_bias.strongest import strongest_rows, strongest_table
from biaskit.analyzers.vig_bias.truth import Truth, precision_findings, score
from biaskit.records.finding import Analysis

VIEWS = {"domino": ("raw", "grounded", "inverse"), "random": ("raw",)}
IMAGES = [f"{number:03}" for number in range(60)]


@pytest.fixture
def scored():
    """Slices that rank by chance, one with few members and one whose members tie."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 30)
    members = np.stack([np.arange(60) < 8, np.arange(60) >= 48], axis=1)
    truth = Truth("patch", ("three, blue", "eight, red"), members, "every class and value")
    found = []
    for method, views in VIEWS.items():
        for view in views:
            membership = rng.random((60, 3))
            membership[7:, 0] = 0.0
            membership[:, 1] = np.round(membership[:, 1])
            found.append(SimpleNamespace(method=method, view=view, membership=membership))
    return truth, score(found, truth, labels)


def analysis_of(truth, scored):
    rows = list(strongest_rows(truth, scored, IMAGES))
    return Analysis(
        analyzer="vig-bias",
        settings={},
        findings=tuple(precision_findings("shapes", truth, scored)),
        tables=strongest_table("shapes", rows),
    )


def test_every_precision_and_gain_is_the_mean_over_its_places(scored):
    analysis = analysis_of(*scored)
    assert len(analysis.tables[0].rows) == 2 * 2 * 10
    assert len(analysis.findings) == 4 + 2
    assert recomputed(analysis) == {"precision_at_10", "grounding_gain"}
    assert not any(one.rows.units for one in analysis.findings)


def test_a_place_names_its_image_unless_several_tie_for_it(scored):
    table = analysis_of(*scored).tables[0]
    names = [column.name for column in table.columns]
    rows = [dict(zip(names, row, strict=True)) for row in table.rows]
    for row in rows:
        assert row["random"] is row["random_image"] is None, "nobody looked at that view"
        if row["raw_image"] is not None:
            number = int(row["raw_image"])
            assert row["raw"] == float(number < 8 if row["group"] == "three, blue" else number >= 48)
    assert {row["raw_image"] is None for row in rows} == {True, False}


def test_many_groups_stand_in_one_row_each(scored, monkeypatch):
    monkeypatch.setattr(strongest, "MOST", 39)
    analysis = analysis_of(*scored)
    assert [row[3] for row in analysis.tables[0].rows] == [None] * 4
    assert recomputed(analysis) == {"precision_at_10", "grounding_gain"}


def test_without_a_known_group_there_is_no_table():
    assert strongest_table("shapes", []) == ()
