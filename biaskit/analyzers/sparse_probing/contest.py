"""Do SAE latents add anything? The comparison over all concepts, by one fixed method and by the quiver."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from biaskit.analyzers.sparse_probing.methods import in_words
from biaskit.analyzers.sparse_probing.results import DENSE, LATENTS, TEXT
from biaskit.analyzers.sparse_probing.summary import ALL
from biaskit.errors import RequestError
from biaskit.probing.comparison import compare, difference_over_datasets
from biaskit.probing.quiver import Cell, Family, TieRule, quiver
from biaskit.records.finding import Direction, Finding, FromRows, Statistic
from biaskit.records.table import Cell as TableCell
from biaskit.records.table import Table

if TYPE_CHECKING:
    from biaskit.analyzers.sparse_probing.results import Result, Results
    from biaskit.probing.comparison import Comparison
    from biaskit.probing.evaluation import FoldResult
    from biaskit.probing.quiver import Quiver
    from biaskit.records.estimate import Estimate
    from biaskit.records.site import Site

WHOLE, PUBLISHED = "whole data", "published protocol"
CELLS = "cells"
COLUMNS = {
    "comparison": "The regime, `whole data`, or `published protocol`.",
    "data_set": "Questions that share words or texts are one data set.",
    "cell": "The question, and the fold or setting on which all methods are judged.",
    "sae": "Test AUC of the one probe of latents that validates best over all data sets.",
    "baseline": "Test AUC of the one baseline that does.",
    "with_sae": "Test AUC of whatever validates best in the cell, mean over ties.",
    "without": "The same among baselines alone.",
}
COMPARED = {"sae_gain": ("sae", "baseline"), "quiver_gain": ("with_sae", "without")}
"""The columns whose difference each metric is."""
FEWEST_DATASETS = 3
LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Contest:
    """The comparison in one regime.

    Attributes:
        findings: The gain of the best fixed probe of latents, and what latents add to the quiver.
        sentences: The same in words.
        rows: What was compared in each cell, for the table of cells.
    """

    findings: tuple[Finding, ...]
    sentences: tuple[str, ...]
    rows: tuple[tuple[TableCell, ...], ...]


def contest(results: Results, focus: Site, regime: str, rng: np.random.Generator) -> Contest | None:
    """Compare baselines and probes of latents at the focus site.

    Every fold of every question is a cell; what is resampled is the data set, since questions about one
    share rows. With fewer than three data sets the figures stand without interval or test. Returns None
    where either family is missing.
    """
    found = [one for one in results.where(regime=regime) if one.site == focus]
    table = list(_cells(found))
    if {cell.family for cell in table} != set(Family):
        return None
    try:
        fixed, quivers = compare(table, rng), quiver(table)
    except RequestError:
        return None
    gain = difference_over_datasets(
        np.array(list(quivers.deltas.values())),
        "mean over data sets: quiver with SAE probes less quiver without, ties at random",
        rng,
    )
    where = regime or WHOLE
    fixed, gain = replace(fixed, estimate=_stated(fixed.estimate)), _stated(gain)
    sentences = (_fixed(where, fixed), _ties(where, quivers))
    shown = {"sae_gain": fixed.estimate, "quiver_gain": gain}
    findings = tuple(_finding(name, one, where, focus) for name, one in shown.items())
    return Contest(findings, sentences, tuple(_rows(where, table, (fixed, quivers))))


def cells_table(rows: Iterable[tuple[TableCell, ...]]) -> tuple[Table, ...]:
    """Return the table of what was compared in each cell; nothing without a cell."""
    title = "baselines and probes of latents, cell by cell"
    table = Table.of(CELLS, title, COLUMNS, rows)
    return (table,) if table.rows else ()


def _rows(
    where: str, table: Iterable[Cell], compared: tuple[Comparison, Quiver]
) -> Iterator[tuple[TableCell, ...]]:
    fixed, quivers = compared
    test = {(one.dataset, one.cell, one.method): one.test for one in table}
    for one in quivers.chosen:
        own = (test[one.dataset, one.cell, side.method] for side in (fixed.subject, fixed.baseline))
        yield where, one.dataset, one.cell, *own, one.with_sae, one.without


def _stated(gain: Estimate) -> Estimate:
    """Leave interval and test to comparisons over data sets enough."""
    if gain.n >= FEWEST_DATASETS:
        return gain
    why = f"the questions share words or texts and are {gain.n} of the {FEWEST_DATASETS} data sets it takes"
    bare = {"interval": None, "null": None, "minimum_detectable_effect": None, "reason": why}
    return gain.model_copy(update=bare)


def _finding(metric: str, estimate: Estimate, where: str, focus: Site) -> Finding:
    return Finding(
        metric=f"sparse_probing.{metric}",
        concepts=(ALL,),
        site=focus,
        group=where,
        direction=Direction.NONE,
        headline=where in {WHOLE, PUBLISHED},
        estimate=estimate,
        rows=FromRows(
            table=CELLS,
            column=COMPARED[metric][0],
            where={"comparison": where},
            statistic=Statistic.MEAN_OF_MEANS,
            less=COMPARED[metric][1],
            beside="data_set",
        ),
    )


def _fixed(where: str, found: Comparison) -> str:
    ours, theirs = found.subject, found.baseline
    return (
        f"{where}: {ours.method} of the latents reaches AUC {ours.test:.3f}, the best fixed baseline, "
        f"{in_words(theirs.method)}, {theirs.test:.3f}; {_verdict(found.estimate)}"
    )


def _ties(where: str, found: Quiver) -> str:
    random = found.outcomes[TieRule.RANDOM]
    kind, unkind = (found.outcomes[rule].sae_chosen for rule in (TieRule.SAE_FIRST, TieRule.BASELINES_FIRST))
    return (
        f"{where}, quiver of arrows: {random.with_sae:.3f} with SAE probes, {random.without:.3f} without. "
        f"{found.tied_across:.0%} of {found.cells} cells tie an SAE probe with a baseline, so one is "
        f"chosen in {unkind:.0%} of them if ties go to baselines and in {kind:.0%} if they go to the SAE."
    )


def _verdict(gain: Estimate) -> str:
    """Say better or worse only where interval and test agree on it."""
    if gain.value is None or gain.interval is None:
        return f"not tested, as {gain.reason}."
    ends = f"{gain.value:+.3f} [{gain.interval.low:+.3f}, {gain.interval.high:+.3f}]"
    told = gain.null is not None and gain.null.p <= LEVEL and 0.0 not in gain.interval
    if told:
        return f"the latents {'add' if gain.value > 0 else 'cost'} {ends}."
    return f"no difference is shown, {ends}."


def _cells(found: Iterable[Result]) -> Iterator[Cell]:
    for result in found:
        if result.view == TEXT or (result.view in DENSE and result.k is not None):
            continue
        evaluation = result.evaluation
        family = Family.SAE if result.view == LATENTS else Family.BASELINE
        method = evaluation.variant if result.view == LATENTS else evaluation.probe
        for number, fold in enumerate(evaluation.folds):
            if fold.validation_auc is not None and fold.metrics.auc is not None:
                yield Cell(
                    result.question.source,
                    f"{result.question.name}/{_place(fold, number)}",
                    method,
                    family,
                    fold.validation_auc,
                    fold.metrics.auc,
                )


def _place(fold: FoldResult, number: int) -> str:
    tags = fold.split.tags
    return "/".join(str(tags[name]) for name in ("x", "repeat", "fold") if name in tags) or str(number)
