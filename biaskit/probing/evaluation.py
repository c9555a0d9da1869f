"""A probe judged on rows it never saw, its settings chosen inside the training rows alone.

For each split: the inner rule divides the training rows; every setting is fitted on every inner fold; within
a variant the setting with the best mean validation AUC is kept (of equals the first); it is fitted again on
all training rows and judged on the test rows. This is nested cross-validation (Varma and Simon 2006, BMC
Bioinformatics 7:91).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from biaskit.concepts.probe_auc import FoldScores, clustered_auc
from biaskit.errors import RequestError, RunError
from biaskit.probing.auc import auc
from biaskit.probing.choice import Choice, Inside
from biaskit.probing.metrics import Metrics, measure
from biaskit.probing.probe import Fitted, Job, Probe, Rows, Setting
from biaskit.probing.problem import Problem
from biaskit.probing.split import InnerRule, Split
from biaskit.records.estimate import Estimate, Unit


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """One problem at one place.

    Attributes:
        activations: All rows, dense float32 (n, d) or a `csr_array`.
        problem: What is told apart.
        splits: Divisions of the rows.
    """

    activations: Rows
    problem: Problem
    splits: tuple[Split, ...]

    def __post_init__(self) -> None:
        """Refuse activations that do not belong to the problem.

        Raises:
            RequestError: Rows differ in number, or there is no split.
        """
        if self.activations.shape[0] != len(self.problem) or not self.splits:
            raise RequestError(
                f"'{self.problem.name}' has {len(self.problem)} rows, {self.activations.shape[0]} rows of "
                f"activations and {len(self.splits)} splits.",
                fix="Give one row of activations for each row of the problem, and at least one split.",
            )


@dataclass(frozen=True, slots=True, eq=False)
class FoldResult:
    """What one variant of a probe reached on one split.

    Attributes:
        split: The division.
        variant: The variant, such as `k=16`; empty where the probe has only one form.
        k: How many coordinates it may use; None for all.
        values: The hyper-parameters that were chosen.
        validation_auc: Mean AUC over the inner folds at the chosen setting; None without inner folds.
        validation: All measures at the chosen setting, each the mean over the inner folds; None without
            inner folds.
        metrics: How the test rows were told apart, by the true labels.
        columns: Coordinates it used, strongest first; None for all of them.
        converged: Whether the last fit's solver reached its tolerance.
        log_odds: Log-odds of the split's test rows, in their order.
    """

    split: Split
    variant: str
    k: int | None
    values: Mapping[str, float | int | str]
    validation_auc: float | None
    validation: Metrics | None
    metrics: Metrics
    columns: Int[ndarray, " k"] | None
    converged: bool
    log_odds: Float[ndarray, " b"]


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """One variant of one probe on all splits of one task.

    Attributes:
        problem: What was told apart.
        probe: Name of the probe.
        variant: Name of the variant.
        folds: What each split gave, in the order of the splits.
    """

    problem: Problem
    probe: str
    variant: str
    folds: tuple[FoldResult, ...]

    @property
    def auc(self) -> float | None:
        """Mean test AUC over the splits whose test rows hold both classes; None where none does."""
        return _mean([fold.metrics.auc for fold in self.folds])

    @property
    def optimism(self) -> float | None:
        """Mean of validation AUC minus test AUC, over splits that have both; None where none has."""
        gaps = [
            fold.validation_auc - fold.metrics.auc
            for fold in self.folds
            if fold.validation_auc is not None and fold.metrics.auc is not None
        ]
        return _mean(gaps)

    def estimate(self) -> Estimate:
        """Return the mean test AUC with its interval over groups; see `clustered_auc`."""
        scores = self.fold_scores()
        if scores:
            return clustered_auc(scores, self.problem.grouping)
        return Estimate(
            value=None,
            unit=Unit.AUC,
            n=0,
            resampling_unit=self.problem.grouping,
            method=f"AUC on held-out {self.problem.grouping}",
            reason="no split's test rows hold both classes",
        )

    def fold_scores(self) -> list[FoldScores]:
        """Return the test rows' log-odds with true labels and groups, for `clustered_auc`.

        Splits whose test rows lack a class have no AUC and are left out.
        """
        return [
            FoldScores(
                fold.log_odds, self.problem.labels[fold.split.test], self.problem.groups[fold.split.test]
            )
            for fold in self.folds
            if fold.metrics.auc is not None
        ]


def evaluate(
    task: Task, probe: Probe, inner: InnerRule, rng: np.random.Generator, *, optimism: bool = True
) -> dict[str, Evaluation]:
    """Judge a probe on one task; see `evaluate_many`."""
    return evaluate_many([task], probe, inner, rng, optimism=optimism)[0]


def evaluate_many(
    tasks: Sequence[Task],
    probe: Probe,
    inner: InnerRule,
    rng: np.random.Generator,
    *,
    optimism: bool = True,
) -> list[dict[str, Evaluation]]:
    """Judge a probe on many tasks, handing it all their fits at once.

    The inner folds are drawn first, once for each pair of problem and split: probes that are given the same
    seed, and tasks that share problem and splits (layers), choose their settings on the same folds. Noisy
    labels of a split are used for fitting and validation; its test rows are judged by the true ones.

    Args:
        tasks: The tasks.
        probe: What is fitted.
        inner: How settings are chosen inside the training rows. Folds that lack a class on either side are
            left out; where none is left, each variant's first setting is taken, without a validation AUC.
        rng: Source of the inner folds, then of whatever the probe draws.
        optimism: Whether validation AUCs are wanted even where there is nothing to choose; without them a
            probe with one setting per variant is fitted once per split.

    Returns:
        For each task its evaluations by variant, in the order of the probe's settings.

    Raises:
        RunError: The probe gave log-odds that are not numbers, or results for fewer jobs than it was handed.
    """
    cells = _cells(tasks, inner, rng)
    found: dict[tuple[int, int], list[FoldResult]] = {}
    for settings, batch in _alike(cells, probe):
        single = len({setting.variant for setting in settings}) == len(settings)
        skipped = single and not optimism
        inside = [replace(cell, folds=[]) for cell in batch] if skipped else batch
        choice = _validated(inside, probe, settings, rng)
        results = _tested(batch, probe, choice, rng)
        found |= {cell.place: result for cell, result in zip(batch, results, strict=True)}
    return [_by_variant(task, probe.name, number, found) for number, task in enumerate(tasks)]


def best_of(candidates: Mapping[str, Evaluation]) -> Evaluation:
    """Take, on each split, the candidate with the best validation AUC, and its test result.

    The choice sees the training rows alone, so the test figures stay honest ("the layer chosen inside"); the
    validation AUC of the winner is the best of several and so optimistic. Of equals the first candidate is
    taken; the hyper-parameter `chosen` names it.

    Args:
        candidates: Evaluations of the same problem on the same splits, by name.

    Raises:
        RequestError: There is no candidate, or they were not judged on the same splits.
    """
    if not candidates:
        raise RequestError("There is nothing to choose from.", fix="Give at least one evaluation.")
    first = next(iter(candidates.values()))
    tests = [[fold.split.test.tolist() for fold in one.folds] for one in candidates.values()]
    if any(other != tests[0] for other in tests):
        raise RequestError(
            f"The candidates for '{first.problem.name}' were not judged on the same splits.",
            fix="Evaluate all of them on the same splits.",
        )
    folds = zip(*(one.folds for one in candidates.values()), strict=True)
    return replace(first, variant="best", folds=tuple(_winner(list(candidates), fold) for fold in folds))


def _winner(names: Sequence[str], folds: Sequence[FoldResult]) -> FoldResult:
    scores = [-np.inf if fold.validation_auc is None else fold.validation_auc for fold in folds]
    best = int(np.argmax(scores))
    return replace(folds[best], variant="best", values={**folds[best].values, "chosen": names[best]})


@dataclass(frozen=True, slots=True, eq=False)
class _Cell:
    """One split of one task, with its inner folds."""

    place: tuple[int, int]
    task: Task
    split: Split
    folds: list[tuple[Int[ndarray, " _"], Int[ndarray, " _"]]]

    @property
    def told(self) -> Bool[ndarray, " n"]:
        return self.task.problem.labels if self.split.labels is None else self.split.labels

    def job(self, train: Int[ndarray, " a"], held_out: Int[ndarray, " b"]) -> Job:
        return Job(self.task.activations, self.told, train, held_out)


def _cells(tasks: Sequence[Task], inner: InnerRule, rng: np.random.Generator) -> list[_Cell]:
    drawn: dict[tuple[int, int], list[tuple[Int[ndarray, " _"], Int[ndarray, " _"]]]] = {}
    cells = []
    for number, task in enumerate(tasks):
        for place, split in enumerate(task.splits):
            key = (id(task.problem), id(split))
            if key not in drawn:
                drawn[key] = _inner_folds(task.problem, split, inner, rng)
            cells.append(_Cell((number, place), task, split, drawn[key]))
    return cells


def _inner_folds(
    problem: Problem, split: Split, inner: InnerRule, rng: np.random.Generator
) -> list[tuple[Int[ndarray, " _"], Int[ndarray, " _"]]]:
    told = problem.labels if split.labels is None else split.labels
    pairs = inner.folds(told, problem.groups, split.train, rng)
    return [(fit, held) for fit, held in pairs if _both(told[fit]) and _both(told[held])]


def _alike(cells: Sequence[_Cell], probe: Probe) -> list[tuple[tuple[Setting, ...], list[_Cell]]]:
    """Cells on which the probe tries the same settings."""
    batches: list[tuple[tuple[Setting, ...], list[_Cell]]] = []
    for cell in cells:
        settings = probe.settings(len(cell.split.train), int(cell.task.activations.shape[1]))
        batch = next((members for known, members in batches if known == settings), None)
        if batch is None:
            batch = []
            batches.append((settings, batch))
        batch.append(cell)
    return batches


def _validated(
    cells: Sequence[_Cell], probe: Probe, settings: Sequence[Setting], rng: np.random.Generator
) -> Choice:
    """What every setting reaches on the inner folds of each cell."""
    jobs = [cell.job(fit, held) for cell in cells for fit, held in cell.folds]
    owners = [index for index, cell in enumerate(cells) for _ in cell.folds]
    sums, counts = np.zeros((len(cells), len(settings))), np.bincount(owners, minlength=len(cells))
    inside: list[list[Inside]] = [[] for _ in cells]
    for owner, job, fitted in zip(owners, jobs, _fits(probe, jobs, settings, rng), strict=True):
        told = job.labels[job.held_out]
        sums[owner] += auc(fitted.log_odds, told)
        inside[owner].append(Inside(fitted.log_odds.astype(np.float32), told))
    means = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], np.nan)
    return Choice(settings, means, inside)


def _tested(
    cells: Sequence[_Cell], probe: Probe, choice: Choice, rng: np.random.Generator
) -> Iterator[list[FoldResult]]:
    """The chosen settings fitted on all training rows of each cell, and judged on its test rows."""
    best = [choice.best(index) for index in range(len(cells))]
    tried = sorted({index for chosen in best for index in chosen})
    jobs = [cell.job(cell.split.train, cell.split.test) for cell in cells]
    fits = _fits(probe, jobs, [choice.settings[index] for index in tried], rng)
    for number, (cell, fitted) in enumerate(zip(cells, fits, strict=True)):
        truth = cell.task.problem.labels[cell.split.test]
        yield [
            _result(cell.split, choice, (number, index), (fitted, at, truth))
            for index, at in ((index, tried.index(index)) for index in best[number])
        ]


def _result(
    split: Split, choice: Choice, at: tuple[int, int], outcome: tuple[Fitted, int, Bool[ndarray, " b"]]
) -> FoldResult:
    fitted, place, truth = outcome
    setting, log_odds = choice.settings[at[1]], fitted.log_odds[place].copy()
    return FoldResult(
        split=split,
        variant=setting.variant,
        k=setting.k,
        values=setting.values,
        validation_auc=choice.auc(*at),
        validation=choice.validation(*at),
        metrics=measure(log_odds, truth),
        columns=fitted.columns[place],
        converged=fitted.converged[place],
        log_odds=log_odds,
    )


def _fits(
    probe: Probe, jobs: Sequence[Job], settings: Sequence[Setting], rng: np.random.Generator
) -> Iterator[Fitted]:
    """What the probe yields, checked; the probe is not called for no jobs."""
    answers = iter(probe.fit(jobs, settings, rng) if jobs else ())
    for number, job in enumerate(jobs):
        fitted = next(answers, None)
        if fitted is None:
            raise RunError(f"The probe '{probe.name}' answered {number} of {len(jobs)} jobs.")
        if fitted.log_odds.shape != (len(settings), len(job.held_out)) or np.isnan(fitted.log_odds).any():
            raise RunError(
                f"The probe '{probe.name}' gave log-odds that are not numbers, or too few of them.",
                why=f"Job {number} has {len(job.held_out)} rows to score and {len(settings)} settings.",
            )
        yield fitted


def _by_variant(
    task: Task, probe: str, number: int, found: Mapping[tuple[int, int], list[FoldResult]]
) -> dict[str, Evaluation]:
    folds: dict[str, list[FoldResult]] = {}
    for place in range(len(task.splits)):
        for result in found[number, place]:
            folds.setdefault(result.variant, []).append(result)
    return {name: Evaluation(task.problem, probe, name, tuple(results)) for name, results in folds.items()}


def _both(labels: Bool[ndarray, " a"]) -> bool:
    return bool(labels.any() and not labels.all())


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
