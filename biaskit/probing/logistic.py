"""Logistic regression with an L2 penalty, fitted on many jobs at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.sparse import csr_array

from biaskit.errors import RequestError
from biaskit.probing.designs import ByColumn, Designs, batches, designs, rotated
from biaskit.probing.newton import Problems, minimise
from biaskit.probing.probe import Fitted, Job, Setting
from biaskit.probing.workers import Item, Part, shared_out

# Numbers that could be read in the time that the smallest fit takes.
_EFFORT = 6e4

Columns: TypeAlias = tuple[Int[ndarray, " _"] | None, ...]


@dataclass(frozen=True, slots=True)
class Logistic:
    """L2-penalised logistic regression on all coordinates, at scikit-learn's optimum.

    It minimises |w|^2 / 2 + C sum_i log(1 + exp(-y_i (<w, x_i> + b))), the objective of scikit-learn's
    `LogisticRegression(C=C)`. Where there are more coordinates than training rows the same problem is solved
    in the span of the rows.

    Attributes:
        inverse_penalties: The values of C to try, the simplest (smallest) first.
        standardise: Divide each coordinate by its standard deviation over the training rows.
    """

    inverse_penalties: tuple[float, ...] = (0.001, 0.01, 0.1, 1.0, 10.0)
    standardise: bool = True

    def __post_init__(self) -> None:
        """Refuse penalties that are not positive.

        Raises:
            RequestError: There is no inverse penalty, or one is not positive and finite.
        """
        check_penalties(self.inverse_penalties)

    @property
    def name(self) -> str:
        """Short, stable name."""
        return "logistic"

    def settings(self, rows: int, width: int) -> tuple[Setting, ...]:  # noqa: ARG002 - the grid is the same for all
        """Return one setting for each inverse penalty."""
        return tuple(Setting(values={"C": value}) for value in self.inverse_penalties)

    def fit(
        self,
        jobs: Sequence[Job],
        settings: Sequence[Setting],
        rng: np.random.Generator,  # noqa: ARG002 - nothing is drawn
    ) -> Iterator[Fitted]:
        """Fit every setting on every job; see `Probe.fit`."""
        places = [part for alike in _grouped(jobs) for part in _batched(jobs, alike)]
        batched = [[jobs[place] for place in part] for part in places]
        parts = [part_of(members, members, settings, _widths(members)) for members in batched]
        fits: list[list[Fitted]] = shared_out(partial(self._fit_batches, settings), parts)
        answers = dict(zip(chain.from_iterable(places), chain.from_iterable(fits), strict=True))
        for place, job in enumerate(jobs):
            yield answers.get(place) or undecided(job, (None,) * len(settings))

    def _fit_batches(self, settings: Sequence[Setting], parts: Sequence[Sequence[Job]]) -> list[list[Fitted]]:
        reader, fits = ByColumn(), []
        for members in parts:
            laid = self._laid(members, reader)
            columns: list[Columns] = [(None,) * len(settings)] * len(members)
            fits.append(list(fit_settings(laid, members, settings, columns)))
        return fits

    def _laid(self, jobs: Sequence[Job], reader: ByColumn) -> Designs:
        if _wide(jobs[0]):
            return rotated(jobs, reader, standardise=self.standardise)
        return designs(jobs, [slice(None)] * len(jobs), reader, standardise=self.standardise)


def fit_settings(
    laid: Designs, jobs: Sequence[Job], settings: Sequence[Setting], columns: Sequence[Columns]
) -> Iterator[Fitted]:
    """Fit every setting on every job of a batch, beginning where the next smaller k and C ended.

    A setting of `k` coordinates uses the first `k` of the layout; `values["C"]` is its inverse penalty.
    """
    width = laid.train.shape[1]
    wanted = [(_leading(setting, width), inverse_penalty(setting)) for setting in settings]
    weights = np.zeros((len(jobs), len(settings), width))
    converged = np.zeros((len(jobs), len(settings)), dtype=bool)
    for key, found, done in _path(laid, sorted(set(wanted))):
        same = [place for place, other in enumerate(wanted) if other == key]
        weights[:, same, : found.shape[1]] = found[:, None]
        converged[:, same] = done[:, None]
    # What is no number is told by whoever reads the scores; see `one_by_one.converges`.
    with np.errstate(all="ignore"):
        scores = weights @ laid.held_out
    for place, job in enumerate(jobs):
        log_odds = scores[place, :, : len(job.held_out)].copy()
        yield Fitted(log_odds, columns[place], tuple(converged[place].tolist()))


def _path(
    laid: Designs, wanted: Sequence[tuple[int, float]]
) -> Iterator[tuple[tuple[int, float], Float[ndarray, "j k"], Bool[ndarray, " j"]]]:
    """Yield weights and convergence for each pair (leading coordinates, C), both ascending."""
    ended: dict[float, ndarray] = {}
    start = None
    for leading, cost in wanted:
        start = ended.get(cost, start)
        if start is not None:
            start = np.pad(start, ((0, 0), (0, leading - start.shape[1])))
        problems = Problems(laid.train[:, :leading], laid.single[:, :leading], laid.labels, cost)
        solution = minimise(problems, start)
        start = ended[cost] = solution.weights
        yield (leading, cost), solution.weights, solution.converged


def undecided(job: Job, columns: Columns) -> Fitted:
    """Return log-odds of 0, for a job whose training rows hold one class."""
    return Fitted(np.zeros((len(columns), len(job.held_out))), columns, (False,) * len(columns))


def part_of(
    item: Item, jobs: Sequence[Job], settings: Sequence[Setting], widths: Sequence[int]
) -> Part[Item]:
    """Return a batch of jobs on the same activations, as work to share out.

    A fit takes some dozen operations whatever its size; it reads its rows in every step, and multiplies them
    by themselves in some.
    """
    wide = [
        (len(job.train), _leading(one, width))
        for job, width in zip(jobs, widths, strict=True)
        for one in settings
    ]
    effort = sum(_EFFORT + rows * width * (1 + width / 64) for rows, width in wide)
    rows = jobs[0].activations
    size = rows.data.nbytes + rows.indices.nbytes if isinstance(rows, csr_array) else rows.nbytes
    return Part(item, effort, id(rows), size)


def two_classes(job: Job) -> bool:
    """Tell whether the training rows hold both classes."""
    told = job.labels[job.train]
    return bool(told.any() and not told.all())


def check_penalties(inverse_penalties: Sequence[float]) -> None:
    """Refuse inverse penalties that are missing, not positive or not finite.

    Raises:
        RequestError: One of these holds.
    """
    if not inverse_penalties or not all(0 < value < float("inf") for value in inverse_penalties):
        raise RequestError(
            f"Inverse penalties {inverse_penalties} cannot be used.",
            fix="Give at least one, each positive and finite, such as (0.1, 1.0).",
        )


def inverse_penalty(setting: Setting) -> float:
    """Return a setting's C, 1 where it names none."""
    return float(setting.values.get("C", 1.0))


def _leading(setting: Setting, width: int) -> int:
    return width if setting.k is None else min(setting.k + 1, width)


def _grouped(jobs: Sequence[Job]) -> list[list[int]]:
    """Return places of jobs with two classes: those on one matrix side by side, wide ones by equal rows."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for place, job in enumerate(jobs):
        if two_classes(job):
            rows = (job.train.tobytes(), job.held_out.tobytes()) if _wide(job) else ()
            groups.setdefault((id(job.activations), *rows), []).append(place)
    return list(groups.values())


def _wide(job: Job) -> bool:
    return bool(job.activations.shape[1] > len(job.train))


def _batched(jobs: Sequence[Job], places: Sequence[int]) -> list[Sequence[int]]:
    members = [jobs[place] for place in places]
    return [places[part] for part in batches(members, _widths(members))]


def _widths(jobs: Sequence[Job]) -> list[int]:
    return [min(job.activations.shape[1], len(job.train)) for job in jobs]
