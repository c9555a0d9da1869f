"""The quiver of arrows: in each cell the method that validates best, with and without SAE probes.

Kantamneni et al. 2025 (arXiv 2502.16681) ask whether SAE probes help by choosing, for every (data set,
setting), the method with the best validation AUC, once among the baselines and once among baselines and SAE
probes. Small validation sets give many ties, so the answer depends on who wins them: here the rule is
stated, every rule is shown, and the expectation under random ties is exact. Beside it stands the single best
fixed method, since choosing anew in every cell is not free (the winner's curse).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from statistics import fmean

from biaskit.errors import RequestError


class Family(StrEnum):
    """What a method reads."""

    BASELINE = "baseline"
    SAE = "sae"


class TieRule(StrEnum):
    """Who wins a cell in which several methods validate equally well."""

    FIRST_LISTED = "first listed"
    BASELINES_FIRST = "baselines first"
    SAE_FIRST = "sae first"
    RANDOM = "random"
    """Every tied method is equally likely; figures are exact means over the tied, nothing is drawn."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What one method scored on one data set in one setting, so that released tables fit as well.

    Attributes:
        dataset: The data set; the unit that is resampled.
        cell: The setting inside it, such as a training size; methods are compared within (dataset, cell).
        method: The method, such as `logistic` or `k=16`.
        family: Whether it is a baseline or an SAE probe.
        validation: AUC on validation rows, by which it is chosen.
        test: AUC on test rows, by which it is judged.
    """

    dataset: str
    cell: str | int | float
    method: str
    family: Family
    validation: float
    test: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the quiver gives under one tie rule; means over cells, in AUC.

    Attributes:
        without: Mean test AUC of the choice among baselines.
        with_sae: Mean test AUC of the choice among baselines and SAE probes.
        sae_chosen: Share of cells in which an SAE probe is chosen; its expectation under random ties.
        optimism: Mean validation less mean test AUC of the choice among all methods.
    """

    without: float
    with_sae: float
    sae_chosen: float
    optimism: float

    @property
    def delta(self) -> float:
        """What SAE probes add to the quiver."""
        return self.with_sae - self.without


@dataclass(frozen=True, slots=True)
class Fixed:
    """One method used everywhere.

    Attributes:
        method: Its name.
        validation: Mean over data sets of its mean validation AUC, by which it was chosen.
        test: Mean test AUC over cells, the quiver's scale.
    """

    method: str
    validation: float
    test: float


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the choice by validation gives in one cell, under random ties.

    Attributes:
        dataset: The data set.
        cell: The setting inside it.
        without: Mean test AUC of the baselines that tie for the best validation AUC.
        with_sae: The same among baselines and SAE probes.
    """

    dataset: str
    cell: str | int | float
    without: float
    with_sae: float


@dataclass(frozen=True, slots=True)
class Quiver:
    """The comparison under every tie rule, with what it must be read beside.

    Attributes:
        cells: How many cells there are.
        outcomes: One outcome for each tie rule.
        tied: Share of cells in which the best validation AUC is shared.
        tied_across: Share of cells in which a baseline and an SAE probe share it. `sae_chosen` under
            SAE_FIRST less that under BASELINES_FIRST is exactly this.
        range_without: Lowest and highest test level that tie order alone can give the baseline quiver.
        range_with_sae: The same for all methods.
        oracle_without: Mean over cells of the best baseline's test AUC, chosen on the test rows.
        oracle_with_sae: The same over all methods.
        best_baseline: The baseline with the best mean validation AUC, used everywhere.
        best_sae: The SAE probe chosen likewise.
        deltas: For each data set the mean over its cells of with less without, under random ties; what
            a data-set-clustered interval resamples.
        chosen: What they are means of: one entry for each cell.
    """

    cells: int
    outcomes: Mapping[TieRule, Outcome]
    tied: float
    tied_across: float
    range_without: tuple[float, float]
    range_with_sae: tuple[float, float]
    oracle_without: float
    oracle_with_sae: float
    best_baseline: Fixed
    best_sae: Fixed
    deltas: Mapping[str, float]
    chosen: tuple[Chosen, ...]


def quiver(table: Sequence[Cell], tolerance: float = 0.0) -> Quiver:
    """Choose by validation in every cell, without and with SAE probes, under every tie rule.

    Args:
        table: One row a (data set, cell, method); the order of rows is the order of FIRST_LISTED.
        tolerance: Methods within this of the best validation AUC count as tied with it; 0 is the published
            rule, exact equality.

    Raises:
        RequestError: A method stands twice in a cell, a figure is not finite, a cell has no method of one
            family, or no method of a family is in every cell.
    """
    cells = _by_cell(table)
    _has_both(cells)
    draws = [_Draw.of(rows, tolerance) for rows in cells.values()]
    chosen = tuple(
        Chosen(*place, _test(draw.baselines), _test(draw.all))
        for place, draw in zip(cells, draws, strict=True)
    )
    return Quiver(
        cells=len(draws),
        outcomes={rule: _outcome(draws, rule) for rule in TieRule},
        tied=_mean(draws, lambda draw: len(draw.all) > 1),
        tied_across=_mean(draws, lambda draw: len({row.family for row in draw.all}) > 1),
        range_without=_range([draw.baselines for draw in draws]),
        range_with_sae=_range([draw.all for draw in draws]),
        oracle_without=_oracle(cells.values(), {Family.BASELINE}),
        oracle_with_sae=_oracle(cells.values(), set(Family)),
        best_baseline=best_fixed(table, Family.BASELINE),
        best_sae=best_fixed(table, Family.SAE),
        deltas=_by_dataset(chosen),
        chosen=chosen,
    )


def best_fixed(table: Sequence[Cell], family: Family) -> Fixed:
    """Return the method of a family with the best validation AUC, mean over data sets of means over cells.

    Only methods that were measured in every cell compete; of equals the first listed is taken. The test
    rows have no say.

    Raises:
        RequestError: No method of the family is in every cell, or the table is not one (see `quiver`).
    """
    cells = _by_cell(table)
    listed = dict.fromkeys(row.method for row in table if row.family is family)
    rows = {name: [row for row in table if (row.method, row.family) == (name, family)] for name in listed}
    complete = [name for name in listed if len(rows[name]) == len(cells)]
    if not complete:
        raise RequestError(
            f"No {family} method was measured in all {len(cells)} cells.",
            fix="Leave out the cells that lack one, so that methods are compared on the same cells.",
        )
    chosen = max(complete, key=lambda name: _mean_by_dataset(rows[name]))
    test = fmean([row.test for row in rows[chosen]])
    return Fixed(chosen, _mean_by_dataset(rows[chosen]), test)


@dataclass(frozen=True, slots=True)
class _Draw:
    """The methods tied for best in one cell, among baselines and among all."""

    baselines: tuple[Cell, ...]
    all: tuple[Cell, ...]

    @classmethod
    def of(cls, rows: Sequence[Cell], tolerance: float) -> _Draw:
        return cls(
            _best([row for row in rows if row.family is Family.BASELINE], tolerance), _best(rows, tolerance)
        )

    def taken(self, rule: TieRule) -> tuple[tuple[Cell, ...], tuple[Cell, ...]]:
        """The methods that share the choice under a rule: one each, or all that are tied."""
        if rule is TieRule.RANDOM:
            return self.baselines, self.all
        first = {TieRule.BASELINES_FIRST: Family.BASELINE, TieRule.SAE_FIRST: Family.SAE}.get(rule)
        ranked = sorted(self.all, key=lambda row: first is not None and row.family is not first)
        return self.baselines[:1], (ranked[0],)


def _best(rows: Sequence[Cell], tolerance: float) -> tuple[Cell, ...]:
    top = max(row.validation for row in rows)
    return tuple(row for row in rows if row.validation >= top - tolerance)


def _outcome(draws: Sequence[_Draw], rule: TieRule) -> Outcome:
    taken = [draw.taken(rule) for draw in draws]
    test = fmean([_test(chosen) for _, chosen in taken])
    validation = fmean([fmean([row.validation for row in chosen]) for _, chosen in taken])
    share = [fmean([row.family is Family.SAE for row in chosen]) for _, chosen in taken]
    return Outcome(
        without=fmean([_test(baselines) for baselines, _ in taken]),
        with_sae=test,
        sae_chosen=fmean(share),
        optimism=validation - test,
    )


def _test(rows: Sequence[Cell]) -> float:
    return fmean([row.test for row in rows])


def _mean(draws: Sequence[_Draw], what: Callable[[_Draw], bool]) -> float:
    return fmean([what(draw) for draw in draws])


def _range(tied: Sequence[Sequence[Cell]]) -> tuple[float, float]:
    tests = [[row.test for row in rows] for rows in tied]
    return fmean([min(cell) for cell in tests]), fmean([max(cell) for cell in tests])


def _oracle(cells: Iterable[Sequence[Cell]], families: set[Family]) -> float:
    return fmean([max(row.test for row in rows if row.family in families) for rows in cells])


def _by_dataset(chosen: Sequence[Chosen]) -> dict[str, float]:
    differences: dict[str, list[float]] = {}
    for one in chosen:
        differences.setdefault(one.dataset, []).append(one.with_sae - one.without)
    return {dataset: fmean(gains) for dataset, gains in differences.items()}


def _mean_by_dataset(rows: Sequence[Cell]) -> float:
    values: dict[str, list[float]] = {}
    for row in rows:
        values.setdefault(row.dataset, []).append(row.validation)
    return fmean([fmean(of_one) for of_one in values.values()])


def _by_cell(table: Sequence[Cell]) -> dict[tuple[str, str | int | float], list[Cell]]:
    cells: dict[tuple[str, str | int | float], list[Cell]] = {}
    for row in table:
        cells.setdefault((row.dataset, row.cell), []).append(row)
    if not cells:
        raise RequestError("The quiver was given an empty table.", fix="Give one row a method and cell.")
    for (dataset, cell), rows in cells.items():
        _check(f"cell {cell} of '{dataset}'", rows)
    return cells


def _check(where: str, rows: Sequence[Cell]) -> None:
    if len({row.method for row in rows}) < len(rows):
        raise RequestError(f"A method stands twice in {where}.", fix="Give each method once.")
    if not all(isfinite(row.validation) and isfinite(row.test) for row in rows):
        raise RequestError(f"An AUC in {where} is not a number.", fix="Leave out what was not measured.")


def _has_both(cells: Mapping[tuple[str, str | int | float], Sequence[Cell]]) -> None:
    for (dataset, cell), rows in cells.items():
        missing = [family for family in Family if all(row.family is not family for row in rows)]
        if missing:
            raise RequestError(
                f"There is no {missing[0]} method in cell {cell} of '{dataset}'.",
                fix="Compare on cells that have both families.",
            )
