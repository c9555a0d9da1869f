"""What a run holds, as data frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from biaskit.reporting import table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from biaskit.records.comparison import Difference
    from biaskit.records.estimate import Estimate
    from biaskit.records.finding import Finding
    from biaskit.records.report import Report
    from biaskit.records.table import Table

NUMBER = ("value", "low", "high", "level", "p", "n", "unit", "site", "reason")
_COMPARED = (
    "metric",
    "concept",
    "about",
    "positive",
    "negative",
    "group",
    "site",
    "change",
    "before",
    "after",
    "change_in_value",
    "low",
    "high",
    "unit",
    "q",
    "paired",
    "reason",
)


def of_findings(report: Report) -> pd.DataFrame:
    """Return one row a finding, with the columns of `biaskit.reporting.table`."""
    return pd.DataFrame(table.rows(report), columns=list(table.COLUMNS))


def of_table(content: Table) -> pd.DataFrame:
    """Return one row a measurement; None is missing."""
    return pd.DataFrame(list(content.rows), columns=[column.name for column in content.columns])


def of_groups(keyed: Iterable[tuple[tuple[str, ...], Finding]], index: Sequence[str]) -> pd.DataFrame:
    """Return one row a finding under its keys, with value, interval, p, n, unit and reason."""
    pairs = list(keyed)
    names = pd.MultiIndex.from_tuples([key for key, _ in pairs], names=list(index))
    return pd.DataFrame([_number(one) for _, one in pairs], index=names, columns=list(NUMBER))


def of_differences(differences: Iterable[Difference]) -> pd.DataFrame:
    """Return one row a finding of either run: both values, the change and its interval."""
    return pd.DataFrame([_compared(one) for one in differences], columns=list(_COMPARED))


def _number(finding: Finding) -> dict[str, object]:
    estimate = finding.estimate
    low, high = _ends(estimate)
    return {
        "value": estimate.value,
        "low": low,
        "high": high,
        "level": estimate.interval.level if estimate.interval else None,
        "p": estimate.null.p if estimate.null else None,
        "n": estimate.n,
        "unit": estimate.unit.value,
        "site": str(finding.site) if finding.site else None,
        "reason": estimate.reason,
    }


def _compared(one: Difference) -> dict[str, object]:
    positive, negative = one.references or (None, None)
    held = one.after or one.before
    low, high = _ends(one.change_in_value)
    return {
        "metric": one.metric,
        "concept": one.concepts[0] if one.concepts else None,
        "about": " / ".join(one.concepts[1:]) or None,
        "positive": positive,
        "negative": negative,
        "group": one.group,
        "site": str(one.site) if one.site else None,
        "change": one.change.value if one.change else None,
        "before": one.before.value if one.before else None,
        "after": one.after.value if one.after else None,
        "change_in_value": one.change_in_value.value if one.change_in_value else None,
        "low": low,
        "high": high,
        "unit": held.unit.value if held else None,
        "q": one.p,
        "paired": one.paired,
        "reason": one.reason,
    }


def _ends(estimate: Estimate | None) -> tuple[float | None, float | None]:
    if estimate is None or estimate.interval is None:
        return None, None
    return estimate.interval.low, estimate.interval.high
