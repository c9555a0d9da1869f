"""What every rendering shows."""

from collections import Counter

import pytest

from biaskit.records.report import Outcome, Status
from biaskit.reporting import table, view
from biaskit.reporting.headline import headline
from tests.reporting.sample import SCORES, build_report


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
    held = [
        finding.metric
        for panel in view.panels(report)
        for row in panel.rows
        for finding in (*row.findings.values(), *row.profile, *row.latents)
    ]
    held += [finding.metric for panel in view.panels(report) for finding in panel.shared]
    expected = Counter(finding.metric for finding in report.findings())
    # Of the agreement at every layer, a page shows the one at the layer of the score.
    assert expected.pop("biaslens.agreement") == 4 * Counter(held)["biaslens.agreement"]
    assert {metric: held.count(metric) for metric in expected} == expected


def test_numbers_about_a_whole_set_are_no_target(report):
    panel = view.panels(report)[0]
    assert {finding.concepts[0] for finding in panel.shared} == {"review-aspects"}
    (agreement,) = (finding for finding in panel.shared if finding.metric == "biaslens.agreement")
    assert agreement.site == panel.rows[0].site
    assert panel.control_sd == 0.11


def test_a_view_of_a_reading_belongs_to_its_panel(report):
    assert all(
        row.latents[0].group == f"{panel.group} / latent 417"
        for panel in view.panels(report)
        for row in panel.rows
    )


def test_the_headline_counts_what_counts(report, make_report):
    assert headline(report) == "2 failed, 1 undecided, 2 passed (advisory: 1 undecided)"
    assert view.tone(report) == "fail"
    ungated = make_report(verdicts=())
    assert headline(ungated).startswith("2 of 20 scores differ from neutral words")
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


def test_a_commit_is_cut_short(make_report):
    report = make_report()
    subject = report.subject.model_copy(
        update={"source": f"gpt2@{'0123456789' * 4}", "revision": "0123456789" * 4}
    )
    assert view.source(report.model_copy(update={"subject": subject})) == "gpt2@012345678901"
    assert view.source(report) == report.subject.source


def test_of_several_agreements_the_readings_own_is_shown():
    (analysis,) = build_report().analyses
    own = next(one for one in analysis.findings if one.metric == "biaslens.agreement")
    tried = own.model_copy(update={"group": f"{own.group} / token in the slot"})
    both = build_report(analyses=(analysis.model_copy(update={"findings": (tried, *analysis.findings)}),))
    shown = [one for panel in view.panels(both) for one in panel.shared if one.metric == own.metric]
    assert tried not in shown
    assert len(view.panels(both)) == len(view.panels(build_report()))
