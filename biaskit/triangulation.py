"""Inside, association, behaviour and cause of the same concepts side by side, and how far they agree.

Numbers in different units are compared by sign and by rank, and drawn as multiples of the smallest effect
that each could see. A grade says what stands behind a concept; it never says that there is no bias.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations

import numpy as np

from biaskit.records.dot_plot import Dot, DotPlot, DotRow
from biaskit.records.estimate import Estimate, Unit
from biaskit.records.finding import Analysis, Direction, Finding, FromRows, Statistic
from biaskit.records.reading import Reading
from biaskit.records.report import Report
from biaskit.records.table import Column, Table
from biaskit.stats.correlation import spearman

NAME = "triangulation"
PAIRS = "pairs"
SERIES = "lean"
ALPHA = 0.05
LEAST = 0.05
"""The smallest lean worth a word, in nats: odds of 105 to 100. Other units have none of their own."""
ERASED = 0.5
"""Erasing that leaves at most this share of the behaviour, at its interval's upper end, shows a cause."""


class View(StrEnum):
    """One way of looking at a concept."""

    INSIDE = "inside"
    ASSOCIATION = "association"
    BEHAVIOUR = "behaviour"
    CAUSE = "patched in"


METRICS: Mapping[View, tuple[str, ...]] = {
    View.INSIDE: ("biaslens.score",),
    View.ASSOCIATION: ("association.difference",),
    View.BEHAVIOUR: ("biaslens.behaviour", "behaviour.log_odds"),
    View.CAUSE: ("biaslens.patching",),
}
_ERASURE = "biaslens.erasure"


class Grade(StrEnum):
    """What stands behind a concept; the first that holds, in this order."""

    CONTRADICTORY = "contradictory"
    CAUSAL = "causal"
    AGREEING = "agreeing"
    ONE_SIDED = "one-sided"
    NOT_SHOWN = "not shown"


GRADES: Mapping[Grade, str] = {
    Grade.CONTRADICTORY: "two views lean to different poles, each beyond chance",
    Grade.CAUSAL: "inside and behaviour lean to the same pole beyond chance, and erasing the direction "
    f"leaves at most {ERASED:.0%} of the behaviour",
    Grade.AGREEING: "two views lean to the same pole beyond chance, and erasing was not shown to undo it",
    Grade.ONE_SIDED: "one view alone leans beyond chance",
    Grade.NOT_SHOWN: "no view leans beyond chance; that is not evidence of no bias",
}


@dataclass(frozen=True, slots=True)
class Triangle:
    """What the views say of one concept on one reference pair.

    Attributes:
        concept: The target concept.
        references: The poles, positive first.
        views: The estimate of each view that was taken.
        left: Share of the behaviour that is left after erasing; None where it was not measured.
    """

    concept: str
    references: tuple[str, str]
    views: Mapping[View, Estimate]
    left: Estimate | None = None

    @property
    def signs(self) -> dict[View, int]:
        """Towards which pole each view leans: +1 or -1 beyond chance, else 0."""
        return {view: _sign(estimate) for view, estimate in self.views.items()}

    @property
    def erased(self) -> bool:
        """Whether erasing is shown to take the behaviour away."""
        interval = None if self.left is None else self.left.interval
        return interval is not None and interval.high <= ERASED

    @property
    def grade(self) -> Grade:
        """What stands behind the concept."""
        signs = self.signs
        leaning = [sign for sign in signs.values() if sign]
        if len(set(leaning)) > 1:
            return Grade.CONTRADICTORY
        both = signs.get(View.INSIDE) and signs.get(View.BEHAVIOUR)
        if both and self.erased:
            return Grade.CAUSAL
        return (Grade.NOT_SHOWN, Grade.ONE_SIDED)[len(leaning)] if len(leaning) < 2 else Grade.AGREEING


def triangles(source: Report | Iterable[Finding]) -> tuple[Triangle, ...]:
    """Gather the views of each concept on each pair, read as references given the target.

    Of several numbers of one view the headline is taken, else the first. A concept with one view is left out:
    there is nothing to compare.
    """
    findings = source.findings() if isinstance(source, Report) else tuple(source)
    views: dict[tuple[str, tuple[str, str]], dict[View, Estimate]] = defaultdict(dict)
    left: dict[tuple[str, tuple[str, str]], Estimate] = {}
    for finding in sorted(findings, key=lambda one: not one.headline):
        if (
            finding.references is None
            or not finding.concepts
            or finding.group == str(Reading.GIVEN_REFERENCE)
        ):
            continue
        about = (finding.concepts[0], finding.references)
        if finding.metric == _ERASURE:
            left.setdefault(about, finding.estimate)
        for view, metrics in METRICS.items():
            if finding.metric in metrics:
                views[about].setdefault(view, finding.estimate)
    return tuple(
        Triangle(
            concept, references, dict(sorted(found.items(), key=_order)), left.get((concept, references))
        )
        for (concept, references), found in views.items()
        if len(found) > 1
    )


def triangulate(source: Report | Iterable[Finding]) -> Analysis | None:
    """Return table, picture, grades and agreement of the views; None where no concept was seen in two.

    The agreement of two views is Spearman's rho over concepts, with the exact null of all orders for eight
    concepts or fewer. Disagreements come first, as conflicts.
    """
    found = triangles(source)
    if not found:
        return None
    by_pair: dict[tuple[str, str], list[Triangle]] = defaultdict(list)
    for one in found:
        by_pair[one.references].append(one)
    return Analysis(
        analyzer=NAME,
        settings={},
        findings=tuple(finding for pair, own in by_pair.items() for finding in _agreement(pair, own)),
        summary=tuple(sentence for pair, own in by_pair.items() for sentence in _summary(pair, own)),
        conflicts=tuple(_conflict(one) for one in found if one.grade is Grade.CONTRADICTORY),
        limitations=(
            "Views share words and templates, so their agreement is no independent confirmation.",
            "Agreement over few concepts is uncertain; read its interval.",
            "What a model does in an application is none of these views.",
        ),
        tables=(_table(found), _pairs(by_pair)),
        dots=tuple(_picture(count, pair, own) for count, (pair, own) in enumerate(by_pair.items(), 1)),
    )


def _sign(estimate: Estimate) -> int:
    """+1 or -1 where interval and (corrected) null speak against 0 and it is worth a word; else 0."""
    if estimate.value is None or estimate.interval is None or 0.0 in estimate.interval:
        return 0
    if estimate.unit is Unit.NAT and abs(estimate.value) < LEAST:
        return 0
    if estimate.null is None or (estimate.reason or "").startswith("undecided:"):
        return 0
    p = estimate.null.p if estimate.null.adjusted is None else estimate.null.adjusted
    return 0 if p > ALPHA else 1 if estimate.value > 0 else -1


def _order(item: tuple[View, Estimate]) -> int:
    return list(View).index(item[0])


def _both(own: Sequence[Triangle], first: View, second: View) -> dict[str, tuple[float, float]]:
    """Return the values of the concepts that both views have measured."""
    found = {one.concept: (one.views.get(first), one.views.get(second)) for one in own}
    return {
        concept: (x.value, y.value)
        for concept, (x, y) in found.items()
        if x is not None and y is not None and x.value is not None and y.value is not None
    }


def _agreement(pair: tuple[str, str], own: Sequence[Triangle]) -> Iterator[Finding]:
    for first, second in combinations(View, 2):
        pairs = _both(own, first, second)
        if len(pairs) < 2:
            continue
        table = np.array(list(pairs.values()), dtype=float)
        rho = spearman(table[:, 0], table[:, 1])
        estimate = Estimate(
            value=rho.rho,
            unit=Unit.ONE,
            n=rho.n,
            resampling_unit="concepts",
            method=f"Spearman's rho of {first} and {second} over concepts",
            interval=rho.interval,
            null=rho.null,
            reason=rho.reason,
        )
        yield Finding(
            metric=f"{NAME}.agreement",
            concepts=(f"{first} and {second}", f"{pair[0]} \N{MINUS SIGN} {pair[1]}"),
            direction=Direction.HIGHER,
            estimate=estimate,
            rows=FromRows(
                table=PAIRS,
                column="first_value",
                where={"positive": pair[0], "negative": pair[1], "first": str(first), "second": str(second)},
                units=("concept",),
                statistic=Statistic.RANK_CORRELATION,
                beside="second_value",
            ),
        )


def _summary(pair: tuple[str, str], own: Sequence[Triangle]) -> Iterator[str]:
    for grade, meaning in GRADES.items():
        named = [one for one in own if one.grade is grade]
        if named:
            listed = ", ".join(f"{one.concept}{_towards(one)}" for one in named)
            yield f"{pair[0]} \N{MINUS SIGN} {pair[1]}, {grade} ({meaning}): {listed}."


def _towards(one: Triangle) -> str:
    leaning = {sign for sign in one.signs.values() if sign}
    if len(leaning) != 1:
        return ""
    return f" towards {one.references[0 if leaning == {1} else 1]}"


def _conflict(one: Triangle) -> str:
    words = {1: f"towards {one.references[0]}", -1: f"towards {one.references[1]}", 0: "to neither"}
    parts = ", ".join(f"{view} {words[sign]}" for view, sign in one.signs.items())
    return (
        f"{one.concept}: the views contradict each other ({parts}), so no verdict should rest on one of them."
    )


_COLUMNS = (
    Column(name="concept", description="The target concept."),
    Column(name="positive", description="The positive pole."),
    Column(name="negative", description="The negative pole."),
    Column(name="view", description="Which view."),
    Column(name="value", description="Its number, in `unit`."),
    Column(name="low", description="Lower end of its interval."),
    Column(name="high", description="Upper end of its interval."),
    Column(name="unit", description="Unit of the number."),
    Column(name="sign", description="+1 or -1 where it leans beyond chance, else 0."),
    Column(name="left", description="Share of the behaviour left after erasing the direction."),
    Column(name="grade", description="What stands behind the concept."),
)


def _table(found: Sequence[Triangle]) -> Table:
    rows = tuple(
        (
            one.concept,
            *one.references,
            str(view),
            estimate.value,
            estimate.interval.low if estimate.interval else None,
            estimate.interval.high if estimate.interval else None,
            str(estimate.unit),
            one.signs[view],
            one.left.value if one.left else None,
            str(one.grade),
        )
        for one in found
        for view, estimate in one.views.items()
    )
    return Table(name="views", title="Every concept in every view", columns=_COLUMNS, rows=rows)


_PAIRS = {
    "concept": "The target concept.",
    "positive": "The positive pole.",
    "negative": "The negative pole.",
    "first": "One view.",
    "second": "Another view.",
    "first_value": "The number of the one, in its own unit.",
    "second_value": "The number of the other, in its own unit.",
}


def _pairs(by_pair: Mapping[tuple[str, str], Sequence[Triangle]]) -> Table:
    """Return what the agreement of any two views is the rank correlation of."""
    rows = (
        (concept, *poles, str(first), str(second), *values)
        for poles, own in by_pair.items()
        for first, second in combinations(View, 2)
        for concept, values in _both(own, first, second).items()
    )
    return Table.of(PAIRS, "Every concept in any two views", _PAIRS, rows)


def _picture(count: int, pair: tuple[str, str], own: Sequence[Triangle]) -> DotPlot:
    ordered = sorted(own, key=lambda one: list(Grade).index(one.grade))
    return DotPlot(
        name=f"views-{count}",
        title=f"{pair[0]} \N{MINUS SIGN} {pair[1]}: each view in multiples of the smallest effect it sees",
        unit=Unit.ONE,
        series=(SERIES,),
        chance=0.0,
        rows=tuple(
            DotRow(name=f"{one.concept}, {view}", n=estimate.n, dots=(_dot(estimate),))
            for one in ordered
            for view, estimate in one.views.items()
        ),
    )


def _dot(estimate: Estimate) -> Dot:
    smallest = estimate.minimum_detectable_effect
    if estimate.value is None or not smallest:
        return Dot(series=SERIES, value=None)
    ends = estimate.interval
    return Dot(
        series=SERIES,
        value=estimate.value / smallest,
        low=None if ends is None else ends.low / smallest,
        high=None if ends is None else ends.high / smallest,
    )
