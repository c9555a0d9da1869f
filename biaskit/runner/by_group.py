"""A metric group by group, in the manner of fairlearn's `MetricFrame`, with the intervals that were found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from biaskit.errors import RequestError, UnknownNameError
from biaskit.runner.on_demand import on_demand

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from biaskit.records.finding import Finding
    from biaskit.records.report import Report

_DIFFERENCE, _RATIO = "_gap", "_ratio"
_IN = ": "


@dataclass(frozen=True, slots=True)
class ByGroup:
    """One metric over the groups it was measured in.

    A difference or ratio of groups is given only where the audit measured it: it was picked after looking,
    so its interval does not follow from those of the groups.

    Attributes:
        metric: The metric, such as `vig_bias.accuracy`.
        findings: Its findings that are about a group.
        differences: Findings of the largest value less the smallest.
        ratios: Findings of the smallest value over the largest.
    """

    metric: str
    findings: tuple[Finding, ...]
    differences: tuple[Finding, ...]
    ratios: tuple[Finding, ...]

    @classmethod
    def of(cls, report: Report, metric: str, concept: str | None = None) -> Self:
        """Take a metric's groups out of a report, of one concept or of all.

        Raises:
            UnknownNameError: No finding of that metric is about a group, or none is about that concept.
        """
        grouped = [one for one in report.findings() if one.group]
        known = {one.metric for one in grouped}
        if metric not in known:
            raise UnknownNameError("metric by group in this run", metric, known)
        about = {one.concepts[0] for one in grouped if one.metric == metric}
        if concept is not None and concept not in about:
            raise UnknownNameError(f"concept of {metric}", concept, about)
        kept = [one for one in grouped if concept in (None, one.concepts[0])]
        groups, gaps, ratios = (
            tuple(one for one in kept if one.metric == name)
            for name in (metric, metric + _DIFFERENCE, metric + _RATIO)
        )
        return cls(metric, groups, gaps, ratios)

    @property
    def frame(self) -> pd.DataFrame:
        """One row a group, by concept, attribute and group; a metric without attributes has an empty one."""
        return _frame(_keys(self.findings), ("concept", "attribute", "group"))

    def difference(self) -> pd.DataFrame:
        """Return the largest value less the smallest, one row an attribute, with interval and p.

        Raises:
            RequestError: The audit did not measure it.
        """
        return self._disparity(self.differences, "difference")

    def ratio(self) -> pd.DataFrame:
        """Return the smallest value over the largest, one row an attribute, with its interval.

        Raises:
            RequestError: The audit did not measure it.
        """
        return self._disparity(self.ratios, "ratio")

    def _disparity(self, found: tuple[Finding, ...], what: str) -> pd.DataFrame:
        if not found:
            raise RequestError(
                f"The audit measured no {what} of groups for '{self.metric}'.",
                why=f"The {what} of two groups that were picked after looking has an interval of its own, "
                "which does not follow from theirs.",
                fix="Take the groups' own numbers from `.frame`, or a metric whose analyzer measures it.",
            )
        return _frame((((*_about(one), one.group or ""), one) for one in found), ("concept", "attribute"))

    def __repr__(self) -> str:
        """Return the frame as text."""
        return f"{self.metric}\n{self.frame!r}"

    def _repr_html_(self) -> str:
        """Return the frame as a notebook shows it; pandas escapes the names."""
        return str(self.frame.to_html())


def _keys(findings: tuple[Finding, ...]) -> Iterator[tuple[tuple[str, ...], Finding]]:
    for one in findings:
        attribute, found, group = (one.group or "").partition(_IN)
        yield (*_about(one), *((attribute, group) if found else ("", attribute))), one


def _about(finding: Finding) -> tuple[str]:
    return (" / ".join(finding.concepts),)


def _frame(keyed: Iterator[tuple[tuple[str, ...], Finding]], index: tuple[str, ...]) -> pd.DataFrame:
    frame: pd.DataFrame = on_demand("biaskit.runner.frames", "text").of_groups(keyed, index)
    return frame
