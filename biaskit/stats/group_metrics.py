"""What is measured in each group: rates and means of rows, and statistics of a whole group."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from numpy import ndarray
from scipy import stats

from biaskit.errors import RequestError, UnknownNameError

BINS = 15


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """What was true and what a model said, one entry a row.

    Attributes:
        labels: The true class of each row, as an index or any other value.
        outputs: The predicted class of each row, or one column of probabilities a class (labels are then
            the columns' indices).
        positive: The class whose selection rate, true and false positive rate and AUC are asked for.
    """

    labels: Shaped[ndarray, " n"]
    outputs: Shaped[ndarray, "n ..."]
    positive: int | str = 1

    def take(self, rows: Int[ndarray, " m"]) -> Outcomes:
        """Return some of the rows, in the order given and as often as given."""
        return Outcomes(self.labels[rows], self.outputs[rows], self.positive)

    @property
    def predictions(self) -> Shaped[ndarray, " n"]:
        """The predicted class of each row; the first of several that tie."""
        highest: ndarray = self.outputs if self.outputs.ndim == 1 else self.outputs.argmax(axis=1)
        return highest

    @property
    def probabilities(self) -> Float[ndarray, "n k"]:
        """The probability of each class.

        Raises:
            RequestError: Predicted classes were given, and no probabilities.
        """
        if self.outputs.ndim != 2:
            raise RequestError(
                "Confidence and calibration need probabilities, and predicted classes were given.",
                fix="Give one column of probabilities for each class as `y_pred`.",
            )
        return self.outputs

    @property
    def scores(self) -> Shaped[ndarray, " n"]:
        """How strongly each row is taken for `positive`: its probability, or the one column given."""
        if self.outputs.ndim == 1:
            return self.outputs
        if not isinstance(self.positive, int):
            raise RequestError(f"'{self.positive}' is no column of probabilities; give the class's index.")
        column: ndarray = self.outputs[:, self.positive]
        return column


RowMeasure: TypeAlias = Callable[[Outcomes], Float[ndarray, " n"]]
"""One number a row, NaN where the row does not count."""

GroupMeasure: TypeAlias = Callable[[Outcomes], float]
"""One number for some rows, NaN where they do not define it."""

Function: TypeAlias = Callable[[ndarray, ndarray], float]
"""A metric in scikit-learn's form: `function(y_true, y_pred)`."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: the mean of one number a row, or a statistic of all rows of a group.

    Attributes:
        name: Its name, such as `accuracy`.
        per_row: One number a row; None for a statistic.
        of_rows: The statistic; None for a mean of rows.
        higher_is_better: Whether the worst group is the one with the lowest value.
        within_classes: Whether shuffled groups keep their true classes, so that only their order within a
            class is at stake.
        pairs: Whether it is a share of pairs, one row of the positive class and one of another, as AUC is.
    """

    name: str
    per_row: RowMeasure | None = None
    of_rows: GroupMeasure | None = None
    higher_is_better: bool = True
    within_classes: bool = False
    pairs: bool = False


def accuracy(seen: Outcomes) -> Float[ndarray, " n"]:
    """1 where the prediction is right, else 0."""
    return np.asarray(seen.predictions == seen.labels, dtype=float)


def error_rate(seen: Outcomes) -> Float[ndarray, " n"]:
    """1 where the prediction is wrong, else 0."""
    return 1.0 - accuracy(seen)


def selection_rate(seen: Outcomes) -> Float[ndarray, " n"]:
    """1 where the positive class is predicted, else 0."""
    return np.asarray(seen.predictions == seen.positive, dtype=float)


def true_positive_rate(seen: Outcomes) -> Float[ndarray, " n"]:
    """1 where the positive class is found, 0 where it is missed; NaN on the other classes."""
    return np.where(seen.labels == seen.positive, selection_rate(seen), np.nan)


def false_positive_rate(seen: Outcomes) -> Float[ndarray, " n"]:
    """1 where another class is taken for the positive one; NaN on the positive class."""
    return np.where(seen.labels != seen.positive, selection_rate(seen), np.nan)


def confidence(seen: Outcomes) -> Float[ndarray, " n"]:
    """Probability of the predicted class."""
    return np.asarray(seen.probabilities.max(axis=1), dtype=float)


def auc(seen: Outcomes) -> float:
    """Probability that a row of the positive class scores above one of another class; ties count half.

    NaN where either kind of row is missing (Mann and Whitney 1947).
    """
    positive = seen.labels == seen.positive
    found, others = int(positive.sum()), int((~positive).sum())
    if not found or not others:
        return float("nan")
    ranks = stats.rankdata(seen.scores)
    return float((ranks[positive].sum() - found * (found + 1) / 2) / (found * others))


def calibration_error(seen: Outcomes) -> float:
    """Expected calibration error: mean over 15 equal bins of |accuracy - confidence|, weighted by rows.

    Confidence is the probability of the predicted class (Guo et al. 2017). A group of few rows has a larger
    value by chance alone; compare a gap with what shuffled groups give, never with 0.
    """
    sure, right = confidence(seen), accuracy(seen)
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, weights=right - sure, minlength=BINS)
    return float(abs(gaps).sum() / sure.size) if sure.size else float("nan")


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", per_row=accuracy),
        Metric("error-rate", per_row=error_rate, higher_is_better=False),
        Metric("selection-rate", per_row=selection_rate),
        Metric("true-positive-rate", per_row=true_positive_rate),
        Metric("false-positive-rate", per_row=false_positive_rate, higher_is_better=False),
        Metric("mean-confidence", per_row=confidence),
        Metric("auc", of_rows=auc, within_classes=True, pairs=True),
        Metric("calibration-error", of_rows=calibration_error, higher_is_better=False),
    )
}
"""The metrics that are known by name."""

Asked: TypeAlias = Sequence[str] | Mapping[str, str | Metric | Function | ndarray]
"""Names of metrics, or a name for each of: a known name, a metric, a function, one number a row."""


def resolve(asked: Asked) -> tuple[Metric, ...]:
    """Turn what a caller asks for into metrics, in the order asked.

    Raises:
        UnknownNameError: A name is no metric's.
    """
    if not isinstance(asked, Mapping):
        return tuple(_known(name) for name in asked)
    return tuple(_metric(name, given) for name, given in asked.items())


def _known(name: str) -> Metric:
    if name not in METRICS:
        raise UnknownNameError("group metric", name, METRICS)
    return METRICS[name]


def _metric(name: str, given: str | Metric | Function | ndarray) -> Metric:
    if isinstance(given, Metric):
        return given
    if isinstance(given, str):
        return _known(given)
    if isinstance(given, ndarray):
        return Metric(name, per_row=_column(name, given))
    return Metric(name, of_rows=_statistic(given))


def _column(name: str, values: ndarray) -> RowMeasure:
    column = np.asarray(values, dtype=float)

    def rows(seen: Outcomes) -> Float[ndarray, " n"]:
        if column.shape != seen.labels.shape or np.isinf(column).any():
            raise RequestError(
                f"'{name}' must hold one finite number (or NaN: not measured) for each of the "
                f"{seen.labels.size} rows.",
                why=f"Its shape is {column.shape}.",
            )
        return column

    return rows


def _statistic(function: Function) -> GroupMeasure:
    def measure(seen: Outcomes) -> float:
        return float(function(seen.labels, seen.outputs)) if seen.labels.size else float("nan")

    return measure


def is_binary(values: Float[ndarray, " n"]) -> bool:
    """Tell whether every value is 0 or 1, so that its mean is a proportion."""
    only: Bool[ndarray, " n"] = (values == 0) | (values == 1)
    return bool(only.all())
