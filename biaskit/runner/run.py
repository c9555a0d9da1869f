"""A report as Python users meet it: it shows itself, is saved and read, and becomes a data frame."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

from pydantic import PrivateAttr

from biaskit.errors import RequestError, UnknownNameError
from biaskit.records.report import Report
from biaskit.reporting import folder, markdown, page, terminal
from biaskit.runner.by_group import ByGroup
from biaskit.runner.on_demand import on_demand

if TYPE_CHECKING:
    from collections.abc import Container

    import pandas as pd
    from matplotlib.axes import Axes


class Run(Report):
    """A report that shows itself.

    In a notebook it is the page of `report.html`, in a terminal the table of `biaskit audit`. It holds
    the same fields as `Report` and writes the same JSON; records know nothing of rendering, so what
    renders is this class.
    """

    _folder: Path | None = PrivateAttr(default=None)
    _failure: BaseException | None = PrivateAttr(default=None)

    @property
    def folder(self) -> Path | None:
        """The folder the run was written to or read from, if any."""
        return self._folder

    @property
    def failure(self) -> BaseException | None:
        """What stopped the run before its end, if anything; not kept on disk."""
        return self._failure

    def stopped_by(self, failure: BaseException | None) -> Self:
        """Remember what stopped the run; returns the run itself."""
        self._failure = failure
        return self

    def save(self, path: str | Path) -> Path:
        """Write the run folder: report.json, report.html, evidence and tables; returns the folder."""
        target = Path(path)
        folder.write(self, target)
        self.kept_in(target)
        return target

    def kept_in(self, path: Path) -> Self:
        """Remember where the run stands on disk; returns the run itself."""
        self._folder = path
        return self

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a run folder or its report.json.

        Raises:
            RequestError: There is no report, or it cannot be understood.
        """
        given = Path(path)
        run = folder.read(given, cls)
        return run.kept_in(given if given.is_dir() else given.parent)

    def to_frame(self) -> pd.DataFrame:
        """Return one row a finding: metric, what it is about, value, interval, p, n, unit and reason."""
        frame: pd.DataFrame = on_demand("biaskit.runner.frames", "text").of_findings(self)
        return frame

    def by_group(self, metric: str, concept: str | None = None) -> ByGroup:
        """Return a metric group by group, with the difference and ratio that the audit measured.

        Args:
            metric: The metric, such as `vig_bias.accuracy`.
            concept: Only the groups of this concept or image set.

        Raises:
            UnknownNameError: The run holds no groups of that metric, or none of that concept.
        """
        return ByGroup.of(self, metric, concept)

    def plot(self, name: str | None = None) -> tuple[Axes, ...]:
        """Draw with matplotlib; returns one `Axes` a panel.

        Args:
            name: A metric of the run (its numbers with their intervals) or one of its pictures, such as
                `views`, where several analyzers looked. None: the headline numbers.

        Raises:
            UnknownNameError: The run has no metric or picture of that name.
            RequestError: The run has no headline number.
            MissingExtraError: matplotlib is not installed.
        """
        axes: tuple[Axes, ...] = on_demand("biaskit.runner.plotting", "plot").draw(self, name)
        return axes

    def table(self, name: str, analyzer: str | None = None) -> pd.DataFrame:
        """Return one of the tables of single measurements, one row a measurement; None is missing.

        Args:
            name: Name of the table.
            analyzer: Whose table; needed where several analyzers have one of that name.

        Raises:
            UnknownNameError: No analyzer of the run, or no table of it, has that name.
            RequestError: Several analyzers have a table of that name and `analyzer` is not given.
        """
        known = [one.analyzer for one in self.analyses]
        if analyzer is not None and analyzer not in known:
            raise UnknownNameError("analyzer in this run", analyzer, known)
        held = [(one.analyzer, table) for one in self.analyses for table in one.tables]
        own = [(owner, table) for owner, table in held if analyzer in (None, owner)]
        found = [(owner, table) for owner, table in own if table.name == name]
        if not found:
            raise UnknownNameError("table", name, {table.name for _, table in own})
        if len({owner for owner, _ in found}) > 1:
            names = ", ".join(owner for owner, _ in found)
            raise RequestError(f"Several analyzers have a table '{name}': {names}.", fix="Give analyzer=.")
        frame: pd.DataFrame = on_demand("biaskit.runner.frames", "text").of_table(found[0][1])
        return frame

    def __str__(self) -> str:
        """Return the terminal's table as plain text."""
        return terminal.as_text(self, self._folder)

    def __repr__(self) -> str:
        """Return one line."""
        return f"<Run {self.run.id[:8]} of {self.subject.name}: {len(self.findings())} findings>"

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> dict[str, str]:
        """Offer the notebook HTML, Markdown and plain text."""
        offered = {
            "text/plain": str(self),
            "text/markdown": markdown.render(self),
            "text/html": page.render_fragment(self),
        }
        return {
            kind: text
            for kind, text in offered.items()
            if (include is None or kind in include) and (exclude is None or kind not in exclude)
        }


def load_report(path: str | Path) -> Run:
    """Read a saved run, its folder or its report.json; needs neither torch nor numpy.

    Raises:
        RequestError: There is no report, or it cannot be understood.
    """
    return Run.read(path)
