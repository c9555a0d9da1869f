"""What an analyzer found: estimates about something, with the rows that move them."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, JsonValue

from biaskit.records.base import Record
from biaskit.records.contact_sheet import ContactSheet
from biaskit.records.dot_plot import DotPlot
from biaskit.records.estimate import Estimate
from biaskit.records.figure import Figure
from biaskit.records.site import Site
from biaskit.records.table import Cell, Table


class Direction(StrEnum):
    """Which way an estimate should move for the model to be fairer."""

    TOWARD_ZERO = "toward_zero"
    TOWARD_HALF = "toward_half"
    HIGHER = "higher"
    LOWER = "lower"
    NONE = "none"


class Evidence(Record):
    """One example and how much it moves the number it stands under."""

    text: str
    """The example, as the model read it."""
    value: float
    """What this example contributes, in the estimate's unit."""
    template: str = ""
    """The template it was made from."""
    filler: str = ""
    """The word or words in the template's slot."""


class Statistic(StrEnum):
    """How a number follows from its rows: y is what is read of each row, x what stands beside it."""

    MEAN = "mean"
    """Mean of y."""
    MEDIAN = "median"
    """Median of y."""
    SD = "sd"
    """Standard deviation of the means of y by x, n - 1 below the line."""
    GAP = "gap"
    """Largest less smallest of the means of y by x."""
    RATIO = "ratio"
    """Smallest over largest of the means of y by x."""
    LOWEST = "lowest"
    """Smallest of the means of y by x."""
    MEAN_OF_MEANS = "mean_of_means"
    """Mean of the means of y by x, each x counted once."""
    THRESHOLD = "threshold"
    """Smallest x at which the mean of y is at least 0, to 1e-12."""
    HIGHEST = "highest"
    """Largest of the means of y by x."""
    FALL = "fall"
    """Largest fall of the mean of y from one x to the next larger one; 0 where it never falls."""
    DISTANCE_SQUARED = "distance_squared"
    """Sum over x of m^2 - s^2 / n: mean, variance (n - 1 below the line) and number of its y."""
    DISTANCE = "distance"
    """Square root of `distance_squared`, 0 where that is below 0."""
    INEQUALITY = "inequality"
    """Mean |p - q| over pairs of the means of y by x, less its mean over as many draws from equal shares."""
    CRAMERS_V = "cramers_v"
    """Cramer's V of the values of y and those of x."""
    OVERLAP = "overlap"
    """Rows where y and x are true over the fewer of those where y is and those where x is."""
    EFFECTIVE_NUMBER = "effective_number"
    """exp of the entropy of counts y, corrected for what was not seen (Chao and Shen 2003)."""
    STEP = "step"
    """Mean of y where x is false less that where x is true."""
    EFFECT = "effect"
    """`step` over the standard deviation of all y, n - 1 below the line (Caliskan et al. 2017)."""
    POOLED_EFFECT = "pooled_effect"
    """`step` over the pooled standard deviation within both parts, times Hedges' 1 - 3 / (4 n - 9)."""
    SHARE = "share"
    """Sum of y over sum of x."""
    SLOPE = "slope"
    """Slope of the least-squares line of y on x."""
    R_SQUARED = "r_squared"
    """Squared correlation of y and x."""
    EXPLAINED = "explained"
    """1 less the sum of y over the sum of x: y squared errors, x squares."""
    CORRELATION = "correlation"
    """Pearson's r of y and x."""
    RANK_CORRELATION = "rank_correlation"
    """Spearman's rho of y and x, ties at their mean rank."""
    SUM = "sum"
    """Sum of y."""
    ICAT = "icat"
    """`2 m(x) min(m(y), 1 - m(y))` of the means m: y stereotype, x language (Nadeem et al. 2021)."""
    SPEARMAN_BROWN = "spearman_brown"
    """`2 r / (1 + |r|)`, r the mean of y: y correlations of halves (Spearman 1910, Brown 1910)."""
    AUC = "auc"
    """Share of pairs in which y is larger where x is true than where it is false, ties counted as half."""


class FromRows(Record):
    """Which rows of a table a number follows from, and how, so that others can compute it again."""

    table: str
    """Name of the analysis's table."""
    column: str
    """Column that is read; a truth value counts 1 or 0, so that the mean of some is their share."""
    where: dict[str, Cell | tuple[Cell, ...]] = {}
    """Cells that a row must have to count; of several, one."""
    units: tuple[str, ...] = ()
    """Columns that name the sampled units, such as template and filler; runs are paired over them."""
    statistic: Statistic = Statistic.MEAN
    """How the number follows."""
    less: str = ""
    """Column that is taken off row by row; empty where nothing is."""
    beside: str = ""
    """Column that a statistic of two columns needs: groups, a truth value, or another number."""
    apart: str = ""
    """Column with a truth value: the number is the statistic where it is false less that where it is true;
    empty where all rows are taken together."""


class Finding(Record):
    """One estimate about something."""

    metric: str = Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)+$")
    """Dotted, stable name of the metric, such as `biaslens.score`."""
    concepts: tuple[str, ...]
    """The target concept, then whatever else the number is about."""
    references: tuple[str, str] | None = None
    """The reference poles, positive first."""
    site: Site | None = None
    """Where in the model it was read; None for behaviour."""
    group: str | None = None
    """Which reading, view or subgroup, such as `references given target`."""
    direction: Direction = Direction.TOWARD_ZERO
    """Which way is fairer."""
    headline: bool = False
    """Whether the number belongs on the first page of a report."""
    estimate: Estimate
    """The number."""
    evidence: tuple[Evidence, ...] = ()
    """The examples that move the number most."""
    rows: FromRows | None = None
    """The rows the value follows from; None where they are not kept."""
    unkept: str = ""
    """Why no such rows are kept, one phrase; empty where they are."""


class Analysis(Record):
    """All that one analyzer found."""

    analyzer: str
    """Name of the analyzer."""
    provider: str = "biaskit"
    """Distribution the analyzer came from."""
    settings: dict[str, JsonValue]
    """Every setting it ran with, defaults included."""
    findings: tuple[Finding, ...]
    """The numbers."""
    summary: tuple[str, ...] = ()
    """What was found, one plain sentence each; a report opens its part with them."""
    conflicts: tuple[str, ...] = ()
    """Where inside, behaviour and cause disagree, one sentence each; a report opens with them."""
    caveats: tuple[str, ...] = ()
    """What was measured on less than was asked or with rows put together, one sentence each; every rendering
    shows them."""
    notes: tuple[str, ...] = ()
    """What the analyzer chose or left out on its own, one sentence each."""
    limitations: tuple[str, ...] = ()
    """What the numbers cannot tell, one sentence each."""
    tables: tuple[Table, ...] = ()
    """Every single measurement behind the findings, in long format."""
    figures: tuple[Figure, ...] = ()
    """Curves that a report draws."""
    dots: tuple[DotPlot, ...] = ()
    """Groups side by side, such as accuracy by group before and after a remedy."""
    sheets: tuple[ContactSheet, ...] = ()
    """Images that a report shows, such as the members of a slice with what the model looked at."""
