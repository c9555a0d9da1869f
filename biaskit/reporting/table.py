"""Findings as flat rows, for data frames and spreadsheets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from biaskit.reporting import measurements

if TYPE_CHECKING:
    from biaskit.records.finding import Finding
    from biaskit.records.report import Report

Cell = str | int | float | bool | None

COLUMNS = (
    "analyzer",
    "metric",
    "concept",
    "about",
    "positive",
    "negative",
    "group",
    "site",
    "layer",
    "value",
    "low",
    "high",
    "level",
    "unit",
    "p",
    "p_adjusted",
    "null",
    "n",
    "resampling_unit",
    "minimum_detectable_effect",
    "headline",
    "reason",
)


def rows(report: Report) -> list[dict[str, Cell]]:
    """Return one row a finding, with the columns of `COLUMNS`; what is missing is None."""
    return [
        {"analyzer": analysis.analyzer, **_about(finding), **_number(finding)}
        for analysis in report.analyses
        for finding in analysis.findings
    ]


def as_csv(report: Report) -> str:
    """Return one line a finding as CSV; a text that a spreadsheet would take for a formula is made inert."""
    return measurements.lines_of(COLUMNS, ([row[name] for name in COLUMNS] for row in rows(report)))


def _about(finding: Finding) -> dict[str, Cell]:
    positive, negative = finding.references or (None, None)
    return {
        "metric": finding.metric,
        "concept": finding.concepts[0] if finding.concepts else None,
        "about": " / ".join(finding.concepts[1:]) or None,
        "positive": positive,
        "negative": negative,
        "group": finding.group,
        "site": str(finding.site) if finding.site else None,
        "layer": finding.site.layer if finding.site else None,
        "headline": finding.headline,
    }


def _number(finding: Finding) -> dict[str, Cell]:
    estimate = finding.estimate
    interval, null = estimate.interval, estimate.null
    return {
        "value": estimate.value,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "level": interval.level if interval else None,
        "unit": estimate.unit.value,
        "p": null.p if null else None,
        "p_adjusted": null.adjusted if null else None,
        "null": null.kind if null else None,
        "n": estimate.n,
        "resampling_unit": estimate.resampling_unit,
        "minimum_detectable_effect": estimate.minimum_detectable_effect,
        "reason": estimate.reason,
    }
