"""Metrics by group, in fairlearn's shape, with intervals and nulls that hold.

`difference`, `ratio` and the rest are fairlearn's numbers (`MetricFrame`), and each comes with what shuffled
groups of the same sizes give, since the largest of several gaps lies above 0 without any disparity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int, Shaped
from numpy import ndarray

from biaskit.errors import RequestError, UnknownNameError
from biaskit.records.estimate import Interval, Null
from biaskit.stats import disparity
from biaskit.stats.attributes import MISSING, Attribute, attributes, crossed
from biaskit.stats.bootstrap import cluster_bootstrap
from biaskit.stats.disparity import Disparity, Worst
from biaskit.stats.group_metrics import Asked, Metric, Outcomes, resolve
from biaskit.stats.measured import Measured, measured_draws, measured_mean, measured_pairs
from biaskit.stats.shuffling import Shuffle, shuffled_means
from biaskit.stats.unequal_clusters import blocks_of


@dataclass(frozen=True, slots=True)
class GroupOptions:
    """How groups are formed and judged.

    Attributes:
        intersections: Whether several attributes are also crossed.
        clusters: Rows that were sampled together, such as images of one person; None: each row alone.
        positive: The class whose selection rate, true and false positive rate and AUC are asked for.
        categories: Groups that exist, by attribute, so that an empty one is listed.
        level: Confidence level of every interval.
        draws: Shuffles for each null, and bootstrap draws for statistics that are no mean or AUC.
        small: Groups of fewer rows are marked as small; they are never left out.
        seed: Seed of shuffles and bootstrap.
    """

    intersections: bool = True
    clusters: Sequence[object] | None = None
    positive: int | str = 1
    categories: Mapping[str, Sequence[str]] = field(default_factory=dict)
    level: float = 0.95
    draws: int = 999
    small: int = 30
    seed: int = 0


@dataclass(frozen=True, slots=True)
class GroupValue:
    """A metric in one group.

    Attributes:
        group: Its name.
        rows: How many rows are in the group.
        n: How many of them count for the metric, such as those of the positive class.
        value: The metric; None where it could not be measured.
        interval: Its interval, for this group alone.
        small: Whether the group has few rows.
        reason: Why value or interval is missing.
    """

    group: str
    rows: int
    n: int
    value: float | None
    interval: Interval | None
    small: bool
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class GroupMetric:
    """One metric over the groups of one attribute.

    Attributes:
        metric: Name of the metric.
        attribute: Name of the attribute, or of attributes crossed.
        overall: The metric over all rows whose group is known.
        groups: The metric in each group, empty ones included.
        difference: Largest minus smallest value.
        difference_to_overall: Largest distance of a group from all rows together.
        ratio: Smallest over largest value.
        ratio_to_overall: Smallest of a group's value over that of all rows, or the inverse.
        worst: The worst group.
    """

    metric: str
    attribute: str
    overall: GroupValue
    groups: tuple[GroupValue, ...]
    difference: Disparity
    difference_to_overall: Disparity
    ratio: Disparity
    ratio_to_overall: Disparity
    worst: Worst


@dataclass(frozen=True, slots=True)
class GroupFrame:
    """Every metric over the groups of every attribute.

    Attributes:
        metrics: One entry for each attribute and metric, attribute by attribute.
        missing: How many rows have no value, by attribute; they are in no group.
    """

    metrics: tuple[GroupMetric, ...]
    missing: Mapping[str, int]

    def of(self, metric: str, attribute: str) -> GroupMetric:
        """Return a metric over the groups of an attribute.

        Raises:
            UnknownNameError: It was not asked for.
        """
        entries = {(entry.metric, entry.attribute): entry for entry in self.metrics}
        if (metric, attribute) in entries:
            return entries[metric, attribute]
        if attribute not in self.missing:
            raise UnknownNameError("attribute", attribute, self.missing)
        raise UnknownNameError("group metric", metric, {entry.metric for entry in self.metrics})


def by_group(
    metrics: Asked,
    y_true: Shaped[ndarray, " n"],
    y_pred: Shaped[ndarray, "m ..."],
    groups: Mapping[str, Sequence[object]],
    options: GroupOptions = GroupOptions(),
) -> GroupFrame:
    """Measure metrics in each group and how far the groups lie apart.

    Args:
        metrics: Names (`group_metrics.METRICS`), or a name for each of: a known name, a `Metric`, a function
            `f(y_true, y_pred)`, an array of one number a row (NaN: not measured).
        y_true: The true class of each row.
        y_pred: The predicted class of each row, or one column of probabilities a class.
        groups: One column of group names for each attribute; None, NaN and the empty text are missing.
        options: Clusters, intersections, level, shuffles.

    Raises:
        RequestError: Columns of different lengths, or a metric that needs probabilities where there are none.
        UnknownNameError: A metric nobody knows.
    """
    seen = _outcomes(y_true, y_pred, options)
    clusters = None if options.clusters is None else _clusters(options.clusters, len(y_true))
    parts = attributes(groups, len(y_true), options.categories)
    if options.intersections and len(parts) > 1:
        parts = (*parts, crossed(parts))
    asked = resolve(metrics)
    seeds = iter(np.random.SeedSequence(options.seed).spawn(len(parts) * len(asked)))
    found = tuple(
        _Comparison(metric, part, seen, clusters, options).judged(np.random.default_rng(next(seeds)))
        for part in parts
        for metric in asked
    )
    return GroupFrame(found, {part.name: part.missing for part in parts})


@dataclass(frozen=True, slots=True, eq=False)
class _Comparison:
    """One metric over one attribute: what is measured, and how it is judged."""

    metric: Metric
    attribute: Attribute
    seen: Outcomes
    clusters: Shaped[ndarray, " n"] | None
    options: GroupOptions

    def judged(self, rng: np.random.Generator) -> GroupMetric:
        known = np.flatnonzero(self.attribute.codes != MISSING)
        measure = self._means if self.metric.per_row is not None else self._statistics
        parts, overall, null = measure(known, rng)
        sizes = np.bincount(self.attribute.codes[known], minlength=len(self.attribute.groups))
        full = [part for part in parts if part.value is not None]
        found = dict(zip(_NAMES, self._disparities(full, overall, null), strict=True))
        return GroupMetric(
            self.metric.name,
            self.attribute.name,
            self._shown("overall", known.size, overall),
            tuple(map(self._shown, self.attribute.groups, sizes.tolist(), parts)),
            **found,
            worst=self._worst(parts),
        )

    def _means(self, known: Int[ndarray, " m"], rng: np.random.Generator) -> _Measurement:
        if self.metric.per_row is None:
            raise ValueError(f"{self.metric.name} is no mean of rows")
        values, groups = self.metric.per_row(self.seen)[known], len(self.attribute.groups)
        codes, owners = self.attribute.codes[known], None if self.clusters is None else self.clusters[known]
        parts = [
            measured_mean(values[codes == g], None if owners is None else owners[codes == g])
            for g in range(groups)
        ]
        counted = ~np.isnan(values)
        shuffle = Shuffle(codes[counted], None if owners is None else owners[counted])
        means = shuffled_means(values[counted], shuffle, groups, self.options.draws, rng)
        overall = measured_mean(values, owners)
        whole = np.full(len(means), np.nan if overall.value is None else overall.value)
        return parts, overall, _Shuffled(means, whole, shuffle.kind)

    def _statistics(self, known: Int[ndarray, " m"], rng: np.random.Generator) -> _Measurement:
        seen, codes = self.seen.take(known), self.attribute.codes[known]
        rows = np.arange(known.size)
        observed = self._values(seen, codes, rows)
        units = rows if self.clusters is None else self.clusters[known]
        if self.metric.pairs:
            parts, overall = self._pairs(seen, codes, units, rng)
        else:
            drawn = self._bootstrap(seen, codes, units, rng)
            sizes = [*np.bincount(codes, minlength=len(self.attribute.groups)).tolist(), known.size]
            *parts, overall = map(measured_draws, observed.tolist(), sizes, drawn.T)
        strata = seen.labels if self.metric.within_classes else None
        shuffle = Shuffle(codes, None if self.clusters is None else units, strata)
        shuffled = [self._values(seen, each, rows) for each in shuffle.draws(self.options.draws, rng)]
        null = np.array(shuffled).reshape(-1, observed.size)
        return parts, overall, _Shuffled(null[:, :-1], null[:, -1], shuffle.kind)

    def _pairs(
        self,
        seen: Outcomes,
        codes: Int[ndarray, " m"],
        units: Shaped[ndarray, " m"],
        rng: np.random.Generator,
    ) -> tuple[list[Measured], Measured]:
        """Measure every group and all rows by leaving out units, or blocks of them where there are many."""
        blocks = blocks_of(units, rng)

        def measured(rows: Int[ndarray, " r"]) -> Measured:
            own = seen.take(rows)
            kinds = [units[rows][own.labels == seen.positive], units[rows][own.labels != seen.positive]]
            rarer = min(np.unique(one).size for one in kinds)
            return measured_pairs(lambda picked: self._of_rows(own.take(picked)), blocks[rows], rarer)

        groups = [np.flatnonzero(codes == g) for g in range(len(self.attribute.groups))]
        return [measured(rows) for rows in groups], measured(np.arange(codes.size))

    def _of_rows(self, seen: Outcomes) -> float:
        if self.metric.of_rows is None:
            raise ValueError(f"{self.metric.name} is a mean of rows")
        return self.metric.of_rows(seen)

    def _bootstrap(
        self,
        seen: Outcomes,
        codes: Int[ndarray, " m"],
        units: Shaped[ndarray, " m"],
        rng: np.random.Generator,
    ) -> Float[ndarray, "b g"]:
        """Draws of every group's value and, last, of all rows', from the same resamples of whole clusters."""
        if np.unique(units).size < 2:
            return np.full((self.options.draws, len(self.attribute.groups) + 1), np.nan)
        kept: list[Float[ndarray, " g"]] = []

        def remember(rows: Int[ndarray, " m"]) -> float:
            kept.append(self._values(seen, codes, rows))
            return 0.0

        cluster_bootstrap(remember, units, draws=self.options.draws, rng=rng)
        return np.array(kept)

    def _values(
        self, seen: Outcomes, codes: Int[ndarray, " m"], rows: Int[ndarray, " r"]
    ) -> Float[ndarray, " g"]:
        groups = range(len(self.attribute.groups))
        each = [self._of_rows(seen.take(rows[codes[rows] == g])) for g in groups]
        return np.array([*each, self._of_rows(seen.take(rows))], dtype=float)

    def _disparities(self, full: list[Measured], overall: Measured, null: _Shuffled) -> list[Disparity]:
        if len(full) < 2:
            few = (
                f"{len(full)} of {len(self.attribute.groups)} groups can be measured; a comparison needs two"
            )
            return [Disparity(None, reason=few)] * len(_NAMES)
        values = np.array([[part.value for part in full]], dtype=float)
        observed = _compared(values, np.array([overall.value], dtype=float))[0]
        shuffled = null.compared()
        intervals = self._intervals(full, overall)
        bare = [part for part in full if part.ends is None]
        reason = f"no interval: {bare[0].reason}" if bare else None
        return [
            _disparity(
                float(_SIGNS[i] * observed[i]), _SIGNS[i] * shuffled[:, i], null.kind, intervals[i], reason
            )
            for i in range(len(_NAMES))
        ]

    def _intervals(self, full: list[Measured], overall: Measured) -> list[Interval | None]:
        level, mixture = self.options.level, self.metric.per_row is not None
        return [
            disparity.gap(full, level),
            disparity.gap_to_overall(full, overall, level, mixture=mixture),
            disparity.least_ratio(full, level),
            disparity.least_ratio_to_overall(full, overall, level),
        ]

    def _worst(self, parts: Sequence[Measured]) -> Worst:
        better = self.metric.higher_is_better
        full = [
            (part, name)
            for part, name in zip(parts, self.attribute.groups, strict=True)
            if part.value is not None
        ]
        if not full:
            return Worst(None, None, reason="no group can be measured")
        worst, name = (min if better else max)(full, key=lambda entry: entry[0].value or 0.0)
        interval = disparity.worst_value(
            [part for part, _ in full], self.options.level, higher_is_better=better
        )
        bare = [group for part, group in full if part.ends is None]
        reason = f"group '{bare[0]}' has no interval, and the true worst may be there" if bare else None
        return Worst(name, worst.value, interval, reason)

    def _shown(self, group: str, rows: int, part: Measured) -> GroupValue:
        reason = "no row is in this group" if not rows else part.reason
        interval, small = part.interval(self.options.level), rows < self.options.small
        return GroupValue(group, rows, part.n, part.value, interval, small, reason)


@dataclass(frozen=True, slots=True, eq=False)
class _Shuffled:
    """Values under each shuffle: of the groups, and of all rows."""

    groups: Float[ndarray, "b g"]
    overall: Float[ndarray, " b"]
    kind: str

    def compared(self) -> Float[ndarray, "b 4"]:
        """Every disparity under each shuffle, over the groups that the shuffle leaves defined."""
        return _compared(self.groups, self.overall)


_Measurement = tuple[list[Measured], Measured, _Shuffled]
_NAMES = ("difference", "difference_to_overall", "ratio", "ratio_to_overall")
# +1 where large values speak for a disparity, -1 where small ones do.
_SIGNS = (1, 1, -1, -1)


def _compared(groups: Float[ndarray, "b g"], overall: Float[ndarray, " b"]) -> Float[ndarray, "b 4"]:
    """Differences and ratios as fairlearn defines them; NaN where one is undefined."""
    found = np.full((len(groups), 4), np.nan)
    rows = (~np.isnan(groups)).sum(axis=1) > 1
    kept, whole = groups[rows], overall[rows, None]
    highest, lowest = np.nanmax(kept, axis=1), np.nanmin(kept, axis=1)
    positive = lowest >= 0
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(positive, lowest / highest, np.nan)
        share = np.where(positive[:, None], np.minimum(kept / whole, whole / kept), np.nan)
    # A group of 0 is infinitely far from a whole above 0; a whole of 0 has no ratio.
    share = np.where((kept == 0) & (whole > 0), 0.0, share)
    least = np.where(np.isnan(share).all(axis=1), np.nan, np.fmin.reduce(share, axis=1, initial=np.inf))
    found[rows] = np.stack([highest - lowest, np.nanmax(abs(kept - whole), axis=1), ratio, least], axis=1)
    return found


def _disparity(
    value: float,
    shuffled: Float[ndarray, " b"],
    kind: str,
    interval: Interval | None,
    reason: str | None,
) -> Disparity:
    if not np.isfinite(value):
        return Disparity(None, reason="a ratio needs values of at least 0, and one above 0")
    defined = shuffled[np.isfinite(shuffled)]
    if 2 * defined.size <= shuffled.size or not defined.size:
        return Disparity(abs(value), None, interval, reason=reason or "most shuffles leave it undefined")
    hits = int((defined >= value - 1e-12).sum())
    null = Null(p=(1 + hits) / (defined.size + 1), kind=f"{kind}, {defined.size} shuffles")
    return Disparity(abs(value), float(abs(defined).mean()), interval, null, reason)


def _outcomes(y_true: ndarray, y_pred: ndarray, options: GroupOptions) -> Outcomes:
    labels, outputs = np.asarray(y_true), np.asarray(y_pred)
    if labels.shape != outputs.shape[:1] or outputs.ndim > 2 or not labels.size:
        raise RequestError(
            f"There are {labels.size} true classes and predictions of shape {outputs.shape}.",
            fix="Give one prediction, or one row of probabilities, for each true class.",
        )
    return Outcomes(labels, outputs, options.positive)


def _clusters(given: Sequence[object], rows: int) -> Shaped[ndarray, " n"]:
    if len(given) != rows:
        raise RequestError(f"There are {len(given)} clusters for {rows} rows.", fix="Give one for each row.")
    return np.unique(np.array([str(name) for name in given]), return_inverse=True)[1]
