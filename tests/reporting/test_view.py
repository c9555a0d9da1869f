"""What every rendering shows."""

import pytest

from biaskit.records.report import Outcome, Status
from biaskit.reporting import table, view
from tests.reporting.sample import SCORES


def test_one_panel_a_pair_and_reading(report):
    panels = view.panels(report)
    assert [(panel.references[0], panel.group.split()[0]) for panel in panels] == [
        ("positive", "references"),
        ("positive", "target"),
        ("rich", "references"),
        ("rich", "target"),
    ]
    assert {tuple(row.target for row in panel.rows) for panel in panels} == {tuple(SCORES)}


def test_a_row_holds_all_that_was_found_about_it(report):
    row = view.panels(report)[0].rows[0]
    assert row.layer == "2"
    assert [finding.site.layer for finding in row.profile] == [0, 1, 2, 3]
    assert row.outcome is Outcome.FAIL
    assert row.estimate("behaviour").value == pytest.approx(1.32 * 1.06)
    assert row.estimate("nothing") is None
    assert len(row.latents) == 1


def test_every_finding_stands_somewhere(report):
    held = sum(
        len(row.findings) + len(row.profile) + len(row.latents)
        for panel in view.panels(report)
        for row in panel.rows
    )
    assert held + len(view.unpaired(report)) == len(report.findings())


def test_the_headline_counts_what_counts(report, make_report):
    assert view.headline(report) == "2 failed, 1 undecided, 2 passed (advisory: 1 undecided)"
    assert view.tone(report) == "fail"
    ungated = make_report(verdicts=())
    assert view.headline(ungated).startswith("2 of 20 scores differ from neutral words")
    assert view.tone(ungated) == "none"


@pytest.mark.parametrize("status", [Status.PARTIAL, Status.INTERRUPTED, Status.ERROR])
def test_an_unfinished_run_is_never_green(make_report, status):
    report = make_report()
    passed = tuple(verdict for verdict in report.verdicts if verdict.outcome is Outcome.PASS)
    green = report.model_copy(update={"verdicts": passed})
    assert view.tone(green) == "pass"
    unfinished = green.model_copy(update={"run": report.run.model_copy(update={"status": status})})
    assert view.tone(unfinished) == "undecided"


def test_flat_rows_hold_every_finding(report):
    rows = table.rows(report)
    assert len(rows) == len(report.findings())
    assert {tuple(sorted(row)) for row in rows} == {tuple(sorted(table.COLUMNS))}
    first = rows[0]
    assert (first["concept"], first["positive"], first["value"], first["layer"]) == (
        "food",
        "positive",
        1.32,
        2,
    )
    assert first["low"] < first["value"] < first["high"]
