"""The findings of a steered generator: shares, side effects, distances, each with its interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy import stats

from biaskit.mitigations.steer_rows import LATENTS, MANY, READ, STEERED, kept_rows, share_rows
from biaskit.records.dot_plot import DotPlot
from biaskit.records.estimate import Estimate, Interval, Null, Unit
from biaskit.records.finding import Direction, Finding
from biaskit.stats.paired import mcnemar, paired_interval
from biaskit.stats.proportions import wilson
from biaskit.steering.quality import Distances, farther

if TYPE_CHECKING:
    from biaskit.mitigations.steered import SteerRecord
    from biaskit.protocols import Drawing
    from biaskit.records.dot_plot import DotRow
    from biaskit.steering.quality import Reference

LEVEL, DRAWS = 0.95, 200
IMAGES = "images"
_SIZE = "It is a size, not a test: the images are the same noises drawn twice."


@dataclass(frozen=True, slots=True)
class Compared:
    """What a number is about.

    Attributes:
        target: The target.
        group: The group.
        way: Which way of drawing: before, steered, or a baseline.
    """

    target: str
    group: str
    way: str

    def finding(
        self,
        metric: str,
        estimate: Estimate,
        direction: Direction = Direction.NONE,
        *,
        headline: bool = False,
    ) -> Finding:
        """Return a finding about it."""
        return Finding(
            metric=metric,
            concepts=(self.target, self.way),
            group=self.group,
            direction=direction,
            headline=headline,
            estimate=estimate,
        )

    def mean(self, metric: str, values: Float[ndarray, " n"], method: str, unit: Unit = Unit.ONE) -> Finding:
        """Return the mean of one value an image, with its t interval."""
        n = len(values)
        reach = float(stats.t.ppf((1 + LEVEL) / 2, n - 1)) * float(values.std(ddof=1)) / n**0.5
        middle = float(values.mean())
        interval = Interval(low=middle - reach, high=middle + reach, level=LEVEL, method="t over images")
        estimate = Estimate(
            value=middle,
            unit=unit,
            n=n,
            resampling_unit=IMAGES,
            method=f"{method}, mean over images",
            interval=interval,
            reason=_SIZE,
        )
        return self.finding(metric, estimate).model_copy(update={"unkept": MANY})


def share(about: Compared, shows: Bool[ndarray, " n"], wanted: float, *, headline: bool) -> Finding:
    """Return the share of the group, tested against the share that is wanted."""
    count, n = int(shows.sum()), len(shows)
    p = float(stats.binomtest(count, n, wanted).pvalue)
    estimate = Estimate(
        value=count / n,
        unit=Unit.PROPORTION,
        n=n,
        resampling_unit=IMAGES,
        method=f"share of fresh images that the classifier takes for '{about.group}', {about.way}",
        interval=wilson(count, n),
        null=Null(p=p, kind=f"the wanted share of {wanted:.3g}, exact binomial"),
    )
    found = about.finding("mitigation.share", estimate, headline=headline)
    return found.model_copy(update={"rows": share_rows(about.target, about.way)})


def kept_share(
    about: Compared, metric: str, before: Bool[ndarray, " n"], after_: Bool[ndarray, " n"]
) -> Finding:
    """Return the change of a share that should not change, image by image."""
    said = {
        "mitigation.side_effect": f"change of the share of '{about.group}', {about.way} less before",
        "mitigation.fidelity": f"change of the share read as their prompt's noun, {about.way} less before",
    }
    estimate = Estimate(
        value=float(after_.mean() - before.mean()),
        unit=Unit.PROPORTION,
        n=len(before),
        resampling_unit=IMAGES,
        method=f"{said[metric]}; {before.mean():.3f} before",
        interval=paired_interval(after_, before),
        null=mcnemar(after_, before),
    )
    found = about.finding(metric, estimate, Direction.TOWARD_ZERO)
    if about.way != STEERED:
        return found.model_copy(update={"unkept": MANY})
    measure = READ if metric == "mitigation.fidelity" else about.group
    return found.model_copy(update={"rows": kept_rows(about.target, measure)})


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """Images, and which group each of them shows.

    Attributes:
        drawn: The images.
        groups: Number of the group of each.
    """

    drawn: Drawing
    groups: Int[ndarray, " n"]


def relative(
    about: Compared, reference: Reference, pair: tuple[Seen, Seen], shares: Sequence[float]
) -> list[Finding]:
    """Return how much farther from reference images the drawn ones are, and how far from what they were.

    `mitigation.frechet` is `d(drawn) / d(before) - 1` of the Frechet distance, which the groups' shares rule;
    `mitigation.nearest` the same of the mean distance to the nearest reference image with the shares held
    equal, so that it tells of the images alone. Intervals resample images, in pairs.
    """
    before, drawn = (one.drawn for one in pair)
    pixels = (drawn.pixels - before.pixels).abs().flatten(1).mean(dim=1).double().numpy()
    placed = [reference.placed(one.latents) for one in (before, drawn)]
    nearest = [Distances(reference.nearest(one.drawn.latents), one.groups) for one in pair]
    from_rows: dict[str, Callable[[Int[ndarray, " m"]], float]] = {
        "mitigation.frechet": partial(_ratio, reference, placed),
        "mitigation.nearest": lambda rows: farther(nearest[0].rows(rows), nearest[1].rows(rows), shares),
    }
    every, rng = np.arange(len(pixels)), np.random.default_rng(0)
    draws = [rng.integers(len(pixels), size=len(pixels)) for _ in range(DRAWS)]
    found = []
    for metric, value in from_rows.items():
        ends = np.quantile([value(rows) for rows in draws], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        found.append(_relative(about, metric, value(every), (float(ends[0]), float(ends[1])), len(pixels)))
    return [*found, about.mean("mitigation.pixels", pixels, "absolute change of the pixels, 0 to 1")]


def _relative(about: Compared, metric: str, value: float, ends: tuple[float, float], count: int) -> Finding:
    estimate = Estimate(
        value=value,
        unit=Unit.PROPORTION,
        n=count,
        resampling_unit=IMAGES,
        method=f"distance to reference images, {about.way}, relative to before, less 1",
        interval=Interval(
            low=ends[0], high=ends[1], level=LEVEL, method=f"bootstrap over images, {DRAWS} draws"
        ),
        reason=_SIZE,
    )
    return about.finding(metric, estimate, Direction.LOWER).model_copy(update={"unkept": LATENTS})


def _ratio(reference: Reference, placed: Sequence[Float[ndarray, "n c"]], rows: Int[ndarray, " m"]) -> float:
    first, second = (reference.apart(one[rows]) for one in placed)
    return second / first - 1


def after(rows: Sequence[DotRow], series: tuple[str, ...], record: SteerRecord) -> tuple[DotPlot, ...]:
    """Show the share of each target before and after, beside the baselines."""
    known = tuple(one for one in series if any(dot.series == one for row in rows for dot in row.dots))
    if not rows:
        return ()
    plot = DotPlot(
        name="shares-before-and-after",
        title=f"Share of the rarest group before and after ({record.groups}), fresh seeds",
        series=known,
        chance=record.targets[0].wanted,
        of="target",
        rows=tuple(rows),
    )
    return (plot,)
