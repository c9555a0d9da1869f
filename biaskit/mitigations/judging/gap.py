"""Points 1, 4, 5 and 7: the gap on held-out units, its controls, its dose response, over-correction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from biaskit.mitigations.erase.finding import EraseAssociation
from biaskit.mitigations.erase.fitting import Fitting
from biaskit.mitigations.judging.case import controlled, missing, over_cells, rank_null
from biaskit.mitigations.judging.points import Point
from biaskit.mitigations.judging.rows import change_of, of_cells
from biaskit.records.estimate import Estimate, Unit
from biaskit.records.figure import Curve, Figure, Role
from biaskit.records.figure import Point as FigurePoint
from biaskit.records.finding import Direction, Finding, Statistic
from biaskit.stats.bootstrap import two_way_interval
from biaskit.stats.ratio import ratio_interval

if TYPE_CHECKING:
    from biaskit.mitigations.erase.changes import Change
    from biaskit.mitigations.judging.case import Case
    from biaskit.records.site import Site

ALPHA = 0.05
PERFECT_TIE = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Controls:
    """The gap with something in the remedy's place.

    Attributes:
        random: Random changes of equal rank or length.
        left: What is left of the gap with each of them, as a share.
        gaps: The mean gap with each of them, in nats.
        shuffled: What refits with words trading their values leave, as shares.
    """

    random: tuple[dict[Site, Change], ...]
    left: Float[ndarray, " r"]
    gaps: Float[ndarray, " r"]
    shuffled: Float[ndarray, " s"]


def run_controls(case: Case, directions: int, shuffles: int) -> Controls:
    """Measure the gap with random changes, and with refits to shuffled labels, at the same sites."""
    progress = case.session.progress
    generator = case.session.torch_rng("mitigation/random")
    random = tuple(
        {site: change.random(generator) for site, change in case.remedy.changes.items()}
        for _ in range(directions)
    )
    gaps = np.array([case.with_changes(one).mean() for one in progress.track(random, "random directions")])
    rng, fitting = case.session.rng("mitigation/shuffled"), _fitting(case)
    left = [
        case.left(case.with_changes(fitting.changes(case.remedy.record.sites, rng)))
        for _ in progress.track(range(shuffles), "shuffled refits")
    ]
    return Controls(random, gaps / case.gaps(case.before).mean(), gaps, np.array(left))


def _fitting(case: Case) -> Fitting:
    record = case.remedy.record
    method = EraseAssociation(**{**record.settings, "sites": tuple(record.settings["sites"])})
    return Fitting(case.behaviour, record.units.fitted, method.how(record.seed))


def gap(case: Case, controls: Controls, told: Estimate, least: float) -> tuple[list[Finding], Point]:
    """Point 1: the gap after the remedy, the paired change, and what is left of the gap `told` before."""
    before, after = case.gaps(case.before), case.gaps(case.after)
    at = {"site": None, "group": str(case.behaviour.reading)}
    toward = {**at, "direction": Direction.TOWARD_ZERO}
    change = over_cells(after - before, Unit.NAT, "paired change of the gap, held-out words and stems")
    left, later = _left(case, controls), over_cells(after, Unit.NAT, "the same with the remedy")
    changed = of_cells("gap_after", less="gap_before")
    share = of_cells("gap_after", beside="gap_before", statistic=Statistic.SHARE)
    findings = [
        case.finding("gap_after", later, headline=True, rows=of_cells("gap_after"), **toward),
        case.finding("gap_change", change, direction=Direction.LOWER, rows=changed, **at),
        case.finding("gap_left", left, headline=True, rows=share, **toward),
    ]
    name = "less bias on held-out words"
    if left.value is None or left.interval is None:
        return findings, Point.of(name, "what is left cannot be measured.", holds=False, fails=False)
    most = 1 - least
    span = f"[{left.interval.low:z.0%}, {left.interval.high:z.0%}]"
    said = f"{left.value:z.0%} of {told.value:.2f} nats is left {span}."
    return findings, Point.of(name, said, holds=left.interval.high <= most, fails=left.interval.low > most)


def _left(case: Case, controls: Controls) -> Estimate:
    before, after = case.gaps(case.before), case.gaps(case.after)
    if before.size == 1 or before.mean() <= 0:
        return missing(Unit.PROPORTION, "the held-out words show no gap without the remedy")
    left = case.left(after)
    reached = int((np.abs(controls.left) <= abs(left)).sum())
    return Estimate(
        value=left,
        unit=Unit.PROPORTION,
        n=before.size,
        resampling_unit=f"{before.shape[0]} stems x {before.shape[1]} words",
        method="share of the gap that is left on held-out words and stems",
        interval=ratio_interval(after, before),
        null=rank_null(reached, len(controls.left), "random changes of equal rank or length"),
    )


def against_controls(
    case: Case, controls: Controls, damage: float, random_damage: Float[ndarray, " r"]
) -> tuple[list[Finding], Point]:
    """Point 4: no random change and no refit to shuffled labels does the same, or spares text more."""
    left = case.left(case.gaps(case.after))
    random_p = (1 + int((np.abs(controls.left) <= abs(left)).sum())) / (1 + len(controls.left))
    damage_p = (1 + int((random_damage >= damage).sum())) / (1 + len(random_damage))
    reached = int((np.abs(controls.shuffled) <= abs(left)).sum())
    shuffled_p = (1 + reached) / (1 + len(controls.shuffled))
    share, divergence = "median share of the gap left", "mean KL divergence on neutral text"
    drawn = {
        "random_left": (controls.left, Unit.PROPORTION, "random changes", share),
        "shuffled_left": (controls.shuffled, Unit.PROPORTION, "shuffled refits", share),
        "random_kl": (random_damage, Unit.NAT, "random changes", divergence),
    }
    findings = [
        case.finding(
            metric,
            controlled(values, unit, what, method),
            rows=case.parts.keep(metric, values, how=Statistic.MEDIAN),
        )
        for metric, (values, unit, what, method) in drawn.items()
    ]
    said = (
        f"random directions leave {np.median(controls.left):.0%} (p {random_p:.3f} of as little), refits to "
        f"shuffled labels {np.median(controls.shuffled):.0%} (p {shuffled_p:.3f}); random directions change "
        f"neutral text as much with p {damage_p:.3f}."
    )
    holds = max(random_p, shuffled_p) <= ALPHA < damage_p
    fails = damage_p <= ALPHA or reached > 0
    return findings, Point.of("better than controls", said, holds=holds, fails=fails)


def doses(case: Case, controls: Controls, shares: Sequence[float]) -> tuple[list[Finding], Figure, Point]:
    """Point 5: the gap falls, or at least never rises, as the strength grows to what was chosen."""
    full = case.remedy.record.strength
    strengths = [share * full for share in shares]
    tables = [case.with_changes(case.remedy.changes, strength) for strength in strengths]
    steps = [over_cells(b - a, Unit.NAT, "change of the gap by one step") for a, b in pairwise(tables)]
    place = max(range(len(steps)), key=lambda one: steps[one].value or 0.0)
    names = (case.stems, case.units.words)
    rows = change_of(case.parts.keep_cells("dose_rise", names, tables[place + 1], tables[place]))
    rise = steps[place].model_copy(
        update={
            "method": f"largest change of the gap over {len(steps)} steps of the strength, up to {full:g}"
        }
    )
    finding = case.finding("dose_rise", rise, direction=Direction.LOWER, site=None, rows=rows)
    said = f"the steepest rise over {len(steps)} steps is {rise.value:+.3f} nats."
    rising = [s for s in steps if s.interval is not None and s.interval.low > PERFECT_TIE]
    falling = all((s.value or 0.0) <= 0 for s in steps)
    point = Point.of("dose response", said, holds=falling, fails=bool(rising))
    return [finding], _figure(case, controls, strengths, tables), point


def _figure(
    case: Case, controls: Controls, strengths: Sequence[float], tables: Sequence[Float[ndarray, "g w"]]
) -> Figure:
    def at(x: float, cells: Float[ndarray, "g w"]) -> FigurePoint:
        interval = two_way_interval(cells) if cells.size > 1 else None
        low, high = (interval.low, interval.high) if interval else (None, None)
        return FigurePoint(x=x, y=float(cells.mean()), low=low, high=high)

    before = float(case.gaps(case.before).mean())
    control = (
        FigurePoint(x=0.0, y=before),
        FigurePoint(
            x=strengths[-1],
            y=float(np.median(controls.gaps)),
            low=float(controls.gaps.min()),
            high=float(controls.gaps.max()),
        ),
    )
    return Figure(
        name="dose-response",
        title="Behavioural gap of held-out words over the strength of the remedy",
        x_label="strength",
        y_label="gap",
        unit=Unit.NAT,
        chance=0.0,
        band="95 % interval over stems and words; range of the random directions",
        curves=(
            Curve(
                name=case.remedy.record.method,
                points=tuple(at(x, cells) for x, cells in zip(strengths, tables, strict=True)),
            ),
            Curve(name="random directions", role=Role.CONTROL, points=control),
        ),
    )


def overcorrection(case: Case, tolerance: float) -> tuple[list[Finding], Point]:
    """Point 7: no target, nor all together, has turned round by more than `tolerance` of the gap before.

    A target is counted where its whole interval, at a level shared out over the targets, lies beyond.
    """
    before, after = case.gaps(case.before), case.gaps(case.after)
    limit = -tolerance * float(before.mean())
    turned: list[str] = []
    start, level = 0, 1 - ALPHA / len(case.units.targets)
    for target, words in case.units.targets.items():
        cells = after[:, start : start + len(words)]
        start += len(words)
        if cells.size > 1 and two_way_interval(cells, level=level).high < limit:
            turned.append(target)
    targets = len(case.units.targets)
    estimate = Estimate(
        value=len(turned) / targets,
        unit=Unit.PROPORTION,
        n=targets,
        resampling_unit="targets",
        method=f"share of targets whose gap turned round by more than {tolerance:.0%} of the mean gap",
        reason="each target is tested at a level shared out over the targets",
    )
    whole = two_way_interval(after) if after.size > 1 else None
    all_round = whole is not None and whole.high < limit
    said = f"{len(turned)} of {targets} targets turned round" + (
        f": {', '.join(turned[:5])}." if turned else "."
    )
    point = Point.of(
        "no over-correction",
        said,
        holds=not turned and whole is not None and whole.low >= limit,
        fails=bool(turned) or all_round,
    )
    counted = np.array([target in turned for target in case.units.targets], dtype=float)
    rows = case.parts.keep("overcorrected", counted, items=case.units.targets)
    return [case.finding("overcorrected", estimate, direction=Direction.LOWER, site=None, rows=rows)], point
