"""Every test text of the published protocol in one row, with what each method says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from biaskit.analyzers.sparse_probing.methods import in_words
from biaskit.records.finding import FromRows, Statistic
from biaskit.records.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from biaskit.analyzers.sparse_probing.results import Result
    from biaskit.records.table import Cell

PUBLISHED_TEXTS = "published-texts"
COLUMNS = {
    "concept": "What was told apart.",
    "text": "Number of the text among those of the concept, from 0.",
    "positive": "Whether it shows the property.",
}
CERTAIN = 1e300
"""What stands for an infinite log-odds, which JSON does not hold."""


def name_of(result: Result) -> str:
    """Return how a reader meets a method."""
    evaluation = result.evaluation
    return ", ".join(part for part in (in_words(evaluation.probe), evaluation.variant) if part)


def published_rows(result: Result) -> FromRows:
    """Say which rows a method's test AUC follows from."""
    return FromRows(
        table=PUBLISHED_TEXTS,
        column=_column(result),
        where={"concept": result.question.name},
        statistic=Statistic.AUC,
        beside="positive",
    )


def published_table(found: Sequence[Result]) -> tuple[Table, ...]:
    """Return the table, with one column a method; nothing where nothing was judged."""
    methods = {
        _column(one): f"Log-odds by {name_of(one)}, nats; 1e300 for certainty, empty where it was not run."
        for one in found
    }
    asked: dict[str, dict[str, Result]] = {}
    for one in found:
        asked.setdefault(one.question.name, {})[_column(one)] = one
    rows = [row for by_method in asked.values() for row in _rows(by_method, tuple(methods))]
    title = "every test text of the published protocol"
    return (Table.of(PUBLISHED_TEXTS, title, COLUMNS | methods, rows),) if rows else ()


def _column(result: Result) -> str:
    evaluation = result.evaluation
    return f"{evaluation.probe}_{evaluation.variant}".strip("_").replace("-", "_").replace("=", "_")


def _rows(by_method: Mapping[str, Result], methods: Sequence[str]) -> Iterator[tuple[Cell, ...]]:
    first = next(iter(by_method.values()))
    problem = first.evaluation.problem
    for place, text in enumerate(first.evaluation.folds[0].split.test.tolist()):
        said = (_log_odds(by_method.get(method), place) for method in methods)
        yield first.question.name, text, bool(problem.labels[text]), *said


def _log_odds(result: Result | None, place: int) -> float | None:
    if result is None:
        return None
    return min(max(float(result.evaluation.folds[0].log_odds[place]), -CERTAIN), CERTAIN)
