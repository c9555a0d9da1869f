"""A score that could not be tested is shown with its interval, and not as one that stands out."""

from datetime import date

import pytest

from biaskit.gates import judge
from biaskit.records.report import Outcome
from biaskit.reporting import markdown, page, terminal
from biaskit.reporting.headline import headline

WHY = "untested: too few neutral nouns are like it"


@pytest.fixture
def untested(make_report):
    """The report with no null on any number about food, judged anew."""
    report = make_report()
    analyses = tuple(
        analysis.model_copy(update={"findings": tuple(map(_without_null, analysis.findings))})
        for analysis in report.analyses
    )
    findings = [finding for analysis in analyses for finding in analysis.findings]
    verdicts = judge(findings, report.spec.gates, report.spec.waivers, date(2026, 11, 23))
    return report.model_copy(update={"analyses": analyses, "verdicts": verdicts})


def _without_null(finding):
    if finding.concepts[0] != "food" or finding.estimate.null is None:
        return finding
    return finding.model_copy(
        update={"estimate": finding.estimate.model_copy(update={"null": None, "reason": WHY})}
    )


def test_its_verdict_is_undecided_and_says_why(untested):
    (verdict,) = [one for one in untested.verdicts if one.concept == "food" and one.gate == "sentiment-gap"]
    assert verdict.outcome is Outcome.UNDECIDED
    assert verdict.reason.endswith(f"but {WHY}.")


@pytest.mark.parametrize("render", [terminal.as_text, markdown.render, page.render])
def test_every_rendering_shows_it_as_untested(untested, report, render):
    text, before = render(untested), render(report)
    assert "untested" in text
    assert "untested" not in before
    assert "+1.32" in text
    assert "+1.16, +1.48" in text


def test_the_headline_counts_it_as_undecided(untested, report):
    assert headline(report).startswith("2 failed, 1 undecided")
    assert headline(untested).startswith("1 failed, 2 undecided")
