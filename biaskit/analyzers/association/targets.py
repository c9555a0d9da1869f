"""Targets against neutral nouns: at each site and in each view, calibrated on the neutral nouns alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from biaskit.analyzers.association.found import Found
from biaskit.analyzers.association.views import VIEW_WORDS, Seen, View, read
from biaskit.concepts.against_controls import Wording, estimates_against_controls
from biaskit.records.estimate import Estimate, Unit
from biaskit.records.finding import Direction, Evidence, Finding, FromRows, Statistic
from biaskit.records.table import Cell, Column, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from biaskit.concepts.nouns import Nouns
    from biaskit.records.site import Site
    from biaskit.session import Comparison, Session

ALPHA = 0.05
EVIDENCE_ROWS = 10
_UNDECIDED = "undecided: "
_COLUMNS = (
    Column(name="noun", description="The noun."),
    Column(name="target", description="The target it stands for; empty for a neutral noun."),
    Column(name="view", description="How the vector was taken."),
    Column(name="site", description="Where in the model."),
    Column(name="context", description="Which template or stem, counted from 0."),
    Column(name="association", description="Association less the neutral nouns' mean there, in cosine."),
)
_NEUTRAL = (
    Column(name="noun", description="The neutral noun."),
    Column(name="view", description="How the vector was taken."),
    Column(name="site", description="Where in the model."),
    Column(name="association", description="Its association, averaged over contexts, in cosine."),
    Column(name="behaviour", description="Log-odds of the poles after it, averaged over stems, in nats."),
)


def target_findings(
    session: Session, comparison: Comparison, views: Sequence[View], sites: Sequence[Site]
) -> Found:
    """Return the association of every target in every view, at the site where that view speaks best.

    A view speaks where its association ranks the neutral nouns as behaviour does (Spearman's rho above 0 with
    p at most .05); the site is the one with the largest rho. No target enters that choice. A view that does
    not speak is shown and marked undecided: its sign is an accident.

    Raises:
        NothingAuditedError: None of a pole's words is a single token for the model.
    """
    nouns, seen = read(session, comparison, views, sites)
    kinds = dict.fromkeys(one.view for one in seen)
    best = {view: _best([one for one in seen if one.view is view]) for view in kinds}
    speaking = max((one for one in best.values() if _speaks(one)), key=_rho, default=None)
    findings = [_alignment(comparison, one) for one in seen]
    for one in best.values():
        findings += _scores(session, comparison, nouns, one, headline=one is speaking)
    return Found(
        findings=tuple(findings),
        summary=(_sentence(comparison, speaking),),
        notes=tuple(_note(comparison, one) for one in best.values()),
        tables=(_table(comparison, nouns, tuple(best.values())), *_neutral(comparison, nouns, seen)),
    )


def _best(seen: Sequence[Seen]) -> Seen:
    return max(seen, key=_rho)


def _rho(seen: Seen) -> float:
    return -1.0 if seen.alignment.rho is None else seen.alignment.rho


def _speaks(seen: Seen) -> bool:
    null = seen.alignment.null
    return null is not None and _rho(seen) > 0 and null.p <= ALPHA


def _alignment(comparison: Comparison, seen: Seen) -> Finding:
    found = seen.alignment
    estimate = Estimate(
        value=found.rho,
        unit=Unit.ONE,
        n=found.n,
        resampling_unit="neutral nouns",
        method="Spearman's rho of association and behaviour over neutral nouns",
        interval=found.interval,
        null=found.null,
        reason=found.reason,
    )
    return Finding(
        metric="association.alignment",
        concepts=(f"{comparison.targets.name} on {comparison.pair.name}",),
        site=seen.site,
        group=str(seen.view),
        direction=Direction.NONE,
        estimate=estimate,
        rows=FromRows(
            table=f"{_table_name(comparison)}-neutral",
            column="association",
            where={"view": str(seen.view), "site": str(seen.site)},
            units=("noun",),
            statistic=Statistic.RANK_CORRELATION,
            beside="behaviour",
        ),
    )


def _scores(
    session: Session, comparison: Comparison, nouns: Nouns, seen: Seen, *, headline: bool
) -> list[Finding]:
    rows = "stems" if seen.view is View.READOUT else "templates"
    wording = Wording(
        f"mean cosine difference, {VIEW_WORDS[seen.view]}, less the neutral nouns'", Unit.COSINE, rows
    )
    rng = session.rng(f"association/{comparison.targets.name}/{comparison.pair.name}/{seen.view}")
    estimates = estimates_against_controls(seen.cells, nouns, wording, rng)
    return [
        Finding(
            metric="association.difference",
            concepts=(target,),
            references=comparison.pair.poles,
            site=seen.site,
            group=str(seen.view),
            headline=headline,
            estimate=estimate if _speaks(seen) else _silenced(estimate),
            evidence=_evidence(comparison, nouns, seen, target),
            rows=FromRows(
                table=_table_name(comparison),
                column="association",
                where={"target": target, "view": str(seen.view), "site": str(seen.site)},
                units=("context", "noun"),
            ),
        )
        for target, estimate in estimates.items()
    ]


def _silenced(estimate: Estimate) -> Estimate:
    why = f"{_UNDECIDED}over neutral nouns this association is not shown to rank as behaviour does"
    return estimate.model_copy(update={"reason": f"{why}; {estimate.reason}" if estimate.reason else why})


def _evidence(comparison: Comparison, nouns: Nouns, seen: Seen, target: str) -> tuple[Evidence, ...]:
    pair, targets = comparison.pair, comparison.targets
    slot = "{target}" if seen.view is View.READOUT else "{x}"
    contexts = pair.stems[targets.noun_class] if seen.view is View.READOUT else targets.templates
    places = [(row, column) for row in range(len(contexts)) for column in nouns.columns[target]]
    places.sort(key=lambda place: -abs(seen.cells[place]))
    return tuple(
        Evidence(
            text=contexts[row].replace(slot, nouns.words[column]),
            value=float(seen.cells[row, column]),
            template=contexts[row],
            filler=nouns.words[column],
        )
        for row, column in places[:EVIDENCE_ROWS]
    )


def _table(comparison: Comparison, nouns: Nouns, seen: Sequence[Seen]) -> Table:
    owner = {column: target for target, columns in nouns.columns.items() for column in columns}
    rows = tuple(
        (word, owner.get(column, ""), str(one.view), str(one.site), row, float(one.cells[row, column]))
        for one in seen
        for row in range(len(one.cells))
        for column, word in enumerate(nouns.words)
    )
    title = "Association of every noun in every context"
    return Table(name=_table_name(comparison), title=title, columns=_COLUMNS, rows=rows)


def _neutral(comparison: Comparison, nouns: Nouns, seen: Sequence[Seen]) -> tuple[Table, ...]:
    """Return what each alignment is the correlation of; nothing where there is no behaviour."""
    rows = tuple(row for one in seen for row in _aligned(nouns, one))
    name, title = f"{_table_name(comparison)}-neutral", "Every neutral noun at every site"
    return (Table(name=name, title=title, columns=_NEUTRAL, rows=rows),) if rows else ()


def _aligned(nouns: Nouns, seen: Seen) -> Iterator[tuple[Cell, ...]]:
    if seen.behaviour is None:
        return
    about, means = (str(seen.view), str(seen.site)), seen.cells.mean(axis=0)
    for column in nouns.controls:
        yield (nouns.words[column], *about, float(means[column]), float(seen.behaviour[column]))


def _table_name(comparison: Comparison) -> str:
    return f"{comparison.targets.name}-{comparison.pair.name}"


def _note(comparison: Comparison, seen: Seen) -> str:
    about = f"{comparison.targets.name} on {comparison.pair.name}, {seen.view}"
    rho = "no rho" if seen.alignment.rho is None else f"rho {_rho(seen):.2f}"
    return f"{about}: read at {seen.site}, where it ranks neutral nouns as behaviour does with {rho}."


def _sentence(comparison: Comparison, speaking: Seen | None) -> str:
    about = f"{comparison.targets.name} on {comparison.pair.name}"
    if speaking is None:
        return (
            f"{about}: no association ranks neutral nouns as behaviour does, so none is evidence of what the "
            "model does."
        )
    return f"{about}: the {speaking.view} view at {speaking.site} speaks best for behaviour."
