"""Every fold of every result as one row of a long-format table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import astuple
from typing import TYPE_CHECKING

from biaskit.probing.metrics import Metrics
from biaskit.records.finding import FromRows
from biaskit.records.table import Cell, Table

if TYPE_CHECKING:
    from biaskit.analyzers.sparse_probing.results import Result
    from biaskit.probing.evaluation import FoldResult

TABLE = "folds"
COLUMNS = {
    "concept": "What was told apart.",
    "kind": "`concept`, or `attribute` for a sensitive property that activations may leak.",
    "view": "What the probe saw: residual, latents, neurons or text.",
    "site": "Where in the model; empty for the text itself.",
    "probe": "Name of the probe.",
    "variant": "Its variant, such as k=16.",
    "k": "How many coordinates it may use; empty for all.",
    "control": "Which control the row belongs to; empty for a measurement.",
    "regime": "scarcity, imbalance, label-noise, shift or published protocol; empty for the whole data.",
    "x": "Where in the regime: training rows, share of positives, or share of flipped labels.",
    "repeat": "Number of the repeat.",
    "fold": "Number of the fold.",
    "train_rows": "Rows the probe was fitted on.",
    "test_rows": "Rows it was judged on.",
    "validation_auc": "Mean AUC over the inner folds at the chosen settings, 0 to 1.",
    "validation_pr_auc": "Average precision, likewise over the inner folds.",
    "validation_f1": "F1 at log-odds above 0, likewise.",
    "validation_accuracy": "Share on the right side of log-odds 0, likewise.",
    "validation_brier": "Brier score, likewise; lower is better.",
    "validation_log_loss": "Log-loss in nats, likewise; lower is better.",
    "auc": "Test area under the ROC curve, 0 to 1.",
    "pr_auc": "Test average precision, 0 to 1.",
    "f1": "Test F1 at log-odds above 0, 0 to 1.",
    "accuracy": "Share of test rows on the right side of log-odds 0, 0 to 1.",
    "brier": "Test Brier score, 0 to 1; lower is better.",
    "log_loss": "Test log-loss in nats; lower is better.",
    "optimism": "Validation AUC less test AUC.",
    "settings": "Chosen hyper-parameters, as JSON.",
    "columns": "Coordinates or latents used, strongest first, separated by spaces; empty for all.",
    "converged": "Whether the last fit's solver reached its tolerance.",
}

JUDGED = "judged"
JUDGED_COLUMNS = {
    "concept": COLUMNS["concept"],
    "metric": "The metric, without the analyzer's name.",
    "group": "Which probe, or what is compared.",
    "site": "Where in the model; empty for the text itself and for a site chosen in each fold.",
    "part": "Number of the fold, or of the shuffle.",
    "k": "How many latents, for `k_needed`; else empty.",
    "auc": "Its test AUC, 0 to 1.",
    "other": "The test AUC that is taken off, less 0.01 for `k_needed`; empty where none is.",
}

NOTHING = Metrics(None, None, None, None, None, None)


def long_table(results: Iterable[Result]) -> Table:
    """Return one row for each fold of each result."""
    rows = (row for result in results for row in _rows(result))
    return Table.of(TABLE, "every probe on every fold", COLUMNS, rows)


def judged_table(rows: Iterable[tuple[Cell, ...]]) -> Table:
    """Return the AUCs behind each number that is not of one probe on all folds."""
    return Table.of(JUDGED, "the folds and shuffles behind each number", JUDGED_COLUMNS, rows)


def from_folds(result: Result, column: str) -> FromRows:
    """Say which rows a result's mean over folds is taken over; folds share rows, so they are no units."""
    where: dict[str, Cell] = dict(zip(COLUMNS, _about(result), strict=False))
    where |= {"control": result.control or None, "regime": result.regime or None}
    return FromRows(table=TABLE, column=column, where=where)


def _about(result: Result) -> tuple[Cell, ...]:
    evaluation, question = result.evaluation, result.question
    return (
        question.name,
        "attribute" if question.sensitive else "concept",
        result.view,
        str(result.site) if result.site else None,
        evaluation.probe,
        evaluation.variant or None,
    )


def _rows(result: Result) -> Iterator[tuple[Cell, ...]]:
    about = _about(result)
    for fold in result.evaluation.folds:
        tags = fold.split.tags
        yield (
            *about,
            fold.k,
            result.control or None,
            result.regime or None,
            tags.get("x"),
            tags.get("repeat"),
            tags.get("fold"),
            *_measures(fold),
        )


def _measures(fold: FoldResult) -> tuple[Cell, ...]:
    metrics, inside = fold.metrics, fold.validation or NOTHING
    known = fold.validation_auc is not None and metrics.auc is not None
    columns = None if fold.columns is None else " ".join(map(str, fold.columns))
    return (
        len(fold.split.train),
        len(fold.split.test),
        fold.validation_auc,
        *astuple(inside)[1:],
        *astuple(metrics),
        (fold.validation_auc or 0.0) - (metrics.auc or 0.0) if known else None,
        json.dumps(dict(fold.values)),
        columns,
        fold.converged,
    )
