"""A report as Python users meet it: it shows itself, is saved and read, and becomes a data frame."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

import pandas as pd
from pydantic import PrivateAttr

from biaskit.records.report import Report
from biaskit.reporting import folder, markdown, page, table, terminal

if TYPE_CHECKING:
    from collections.abc import Container


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
        """Write the run folder: report.json, report.html, evidence/*.jsonl; returns the folder."""
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
        return pd.DataFrame(table.rows(self), columns=list(table.COLUMNS))

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
