"""Two runs side by side, as Python users meet it: shown in a notebook, and a data frame."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from biaskit import gates
from biaskit.records.comparison import RunComparison
from biaskit.records.report import Change, Report
from biaskit.reporting import comparison, folder
from biaskit.runner.on_demand import on_demand

if TYPE_CHECKING:
    from collections.abc import Container

    import pandas as pd


class ComparedRuns(RunComparison):
    """A comparison that shows itself: what changed, gravest first, and how many findings did not."""

    def to_frame(self) -> pd.DataFrame:
        """Return one row a finding of either run: both values, the change, its interval and q."""
        frame: pd.DataFrame = on_demand("biaskit.runner.frames", "text").of_differences(self.differences)
        return frame

    def __str__(self) -> str:
        """Return one line for each finding that changed, then the count."""
        moved = [one for one in self.differences if one.change is not Change.UNCHANGED]
        lines = ["  ".join(part for part in comparison.row(one) if part) for one in moved]
        return "\n".join([*lines, *self.notes, comparison.summary(self)])

    def __repr__(self) -> str:
        """Return one line."""
        runs = f"{self.before.id[:8]} and {self.after.id[:8]} of {self.after.model}"
        return f"<{runs}: {comparison.summary(self)}>"

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> dict[str, str]:
        """Offer the notebook Markdown and plain text."""
        offered = {"text/plain": str(self), "text/markdown": comparison.markdown(self)}
        return {
            kind: text
            for kind, text in offered.items()
            if (include is None or kind in include) and (exclude is None or kind not in exclude)
        }


def compare(
    before: Report | str | Path,
    after: Report | str | Path,
    metric: str | None = None,
    *,
    other_model: bool = False,
    other_spec: bool = False,
) -> ComparedRuns:
    """Compare two runs: what is new, unchanged, better, worse, changed or absent.

    Paired where both runs measured the same units, else with an interval from both intervals; q-values by
    Benjamini-Hochberg over what was compared. Needs neither torch nor numpy.

    Args:
        before: The earlier run, or the folder it was saved in.
        after: The later one.
        metric: Only findings of this metric.
        other_model: Whether models of another name or shape may be compared.
        other_spec: Whether other probe sets, analyzers, settings or seeds may be compared.

    Raises:
        RequestError: There is no run at a path, or the runs measured something else.
        UnknownNameError: Neither run holds the metric.
    """
    was, now = (
        given if isinstance(given, Report) else folder.read(Path(given), Report) for given in (before, after)
    )
    gates.check_baseline(was, now, other_model=other_model, other_spec=other_spec)
    found = comparison.narrowed(gates.compare(was, now), metric)
    return ComparedRuns.model_validate(found.model_dump())
