"""What an analysis says beside comparisons: its sentences and its numbers without a pair; and every table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from biaskit.reporting import curves, dots, effects, measurements, view, words

if TYPE_CHECKING:
    from biaskit.records.finding import Analysis, Finding
    from biaskit.records.report import Report
    from biaskit.records.table import Table
    from biaskit.reporting.effects import Effect

_FIRST_ROWS = 5
_MOST_DRAWN = 60


@dataclass(frozen=True, slots=True)
class Held:
    """A table as a report speaks of it.

    Attributes:
        table: The table.
        file: Its file in the run folder.
    """

    table: Table
    file: str

    @property
    def first(self) -> Table:
        """The table with its first few rows alone."""
        return self.table.model_copy(update={"rows": self.table.rows[:_FIRST_ROWS]})


@dataclass(frozen=True, slots=True)
class Section:
    """What one analyzer found, apart from its comparisons.

    Attributes:
        anchor: Where the page jumps to.
        analysis: The analysis.
        effects: What a remedy did, one row a measure.
        headline: Findings that no panel holds and that belong on the first page, as they were given.
        others: The remaining findings that no panel and no row of the effects holds.
    """

    anchor: str
    analysis: Analysis
    effects: tuple[Effect, ...]
    headline: tuple[Finding, ...]
    others: tuple[Finding, ...]

    @property
    def parted(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The sentences before the table of effects and those after it: a verdict, then its points."""
        said = tuple(map(words.typeset, self.analysis.summary))
        return (said[:1], said[1:]) if self.effects else (said, ())

    @property
    def undrawn(self) -> int:
        """How many figures are too many to draw."""
        return max(0, len(self.analysis.figures) - _MOST_DRAWN)

    @property
    def dots(self) -> tuple[dots.Plot, ...]:
        """Return the dot plots as places in a picture."""
        return tuple(dots.Plot.of(one) for one in self.analysis.dots)

    def plots(self) -> tuple[curves.Plot, ...]:
        """Return the figures as plots."""
        return curves.draw(self.analysis.figures[:_MOST_DRAWN])


def held(report: Report) -> tuple[Held, ...]:
    """Return every table of a report, in the order of its analyses."""
    return tuple(Held(table, file) for file, table in measurements.files(report).items())


def sections(report: Report) -> tuple[Section, ...]:
    """Return one section an analysis that says anything beside comparisons and tables."""
    made = (_section(count, analysis) for count, analysis in enumerate(report.analyses, 1))
    return tuple(one for one in made if _says_something(one))


def _section(count: int, analysis: Analysis) -> Section:
    listed = effects.shown(analysis.findings)
    unpaired = [one for one in analysis.findings if not view.in_panel(one) and one.metric not in listed]
    return Section(
        anchor=f"analysis-{count}",
        analysis=analysis,
        effects=effects.effects(analysis),
        headline=tuple(one for one in unpaired if one.headline),
        others=tuple(one for one in unpaired if not one.headline),
    )


def _says_something(one: Section) -> bool:
    analysis = one.analysis
    pictures = (analysis.figures, analysis.dots, analysis.sheets)
    return any((one.effects, one.headline, one.others, analysis.summary, *pictures))
