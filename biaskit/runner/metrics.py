"""Whether a gate's metric exists: one that no analyzer gives would never be judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from biaskit import analyzers
from biaskit.errors import UnknownNameError
from biaskit.reporting.words import METRIC_WORDS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from biaskit.protocols import Analyzer
    from biaskit.records.audit_spec import Gate


def check(gates: Iterable[Gate], ran: Collection[str] = (), found: Collection[str] = ()) -> None:
    """Refuse a gate on a metric that does not exist; nothing is loaded.

    The metrics of the built-in analyzers are declared in `biaskit.reporting.words`; of an analyzer of
    another package any metric under its name is taken here.

    Args:
        gates: The gates.
        ran: Names of analyzers that need not be installed here, such as those of a saved run.
        found: Metrics that a run holds.

    Raises:
        UnknownNameError: There is no such metric; near names are given.
    """
    known = {*METRIC_WORDS, *found}
    declared = {_first(metric) for metric in METRIC_WORDS}
    others = {_prefix(name) for name in (*ran, *(one.name for one in analyzers.entries()))} - declared
    for gate in gates:
        if gate.metric not in known and _first(gate.metric) not in others:
            raise _unknown(gate, known)


def check_declared(gates: Iterable[Gate], run: Iterable[Analyzer]) -> None:
    """Refuse a gate on a metric that its analyzer, which declares `metrics`, does not name.

    Raises:
        UnknownNameError: There is no such metric; near names are given.
    """
    declared = {_prefix(one.name): tuple(getattr(one, "metrics", ())) for one in run}
    for gate in gates:
        known = declared.get(_first(gate.metric), ())
        if known and gate.metric not in known:
            raise _unknown(gate, known)


def _unknown(gate: Gate, known: Iterable[str]) -> UnknownNameError:
    return UnknownNameError("metric", gate.metric, known, fix=f"The gate '{gate.id}' names it.")


def _first(metric: str) -> str:
    return metric.partition(".")[0]


def _prefix(analyzer: str) -> str:
    return analyzer.replace("-", "_")
