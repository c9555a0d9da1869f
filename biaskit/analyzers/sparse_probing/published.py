"""The preset `paper`: the published protocol beside the nested one, with what its defects add."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from biaskit.analyzers.sparse_probing.contest import PUBLISHED, contest
from biaskit.analyzers.sparse_probing.published_table import name_of, published_rows, published_table
from biaskit.analyzers.sparse_probing.results import LATENTS, RESIDUAL, Result, Results
from biaskit.errors import RequestError
from biaskit.probing import paper
from biaskit.probing.evaluation import Task
from biaskit.records.estimate import Estimate, Unit
from biaskit.records.finding import Direction, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from biaskit.analyzers.sparse_probing.bench import Place
    from biaskit.analyzers.sparse_probing.measure import Subject
    from biaskit.records.table import Cell, Table
    from biaskit.session import Session

PUBLISHED_KS = (16, 128)
"""The two widths that the publication's comparison between families uses."""
UNKEPT = "settings are chosen on a part of the training texts whose scores are not kept"


@dataclass(frozen=True, slots=True)
class Published:
    """What the published protocol gives.

    Attributes:
        results: Every method on every question, under the regime name `published protocol`.
        findings: Test AUC and optimism of each method.
        sentences: The comparison in words, and the defects that are reproduced.
        cells: What was compared in each cell.
        tables: Every test text with what each method says of it.
    """

    results: Results
    findings: tuple[Finding, ...]
    sentences: tuple[str, ...]
    cells: tuple[tuple[Cell, ...], ...]
    tables: tuple[Table, ...]


def published_protocol(session: Session, subject: Subject) -> Published:
    """Run the published baselines and the published probe of latents at the focus site."""
    results = Results()
    places = subject.residual(subject.focus)
    for method in paper.baselines():
        _judge(session, places, method, RESIDUAL, results)
    _judge(session, subject.latents, paper.sparse_probe(ks=PUBLISHED_KS), LATENTS, results)
    findings = [finding for result in results.found for finding in _findings(result)]
    found = contest(results, subject.focus, PUBLISHED, session.rng("sparse-probing/published/contest"))
    sentences = [*(found.sentences if found else ())]
    named = dict.fromkeys(defect for method in _methods() for defect in method.defects)
    if results.found:
        sentences.append(f"{PUBLISHED}: reproduced with its defects, {', '.join(map(str, named))}.")
        sentences.append(f"{PUBLISHED}, not to the letter: {paper.DEPARTURES}")
    else:
        sentences.extend(dict.fromkeys(results.caveats))
    findings += found.findings if found else ()
    cells = found.rows if found else ()
    return Published(results, tuple(findings), tuple(sentences), cells, published_table(results.found))


def _methods() -> tuple[paper.Published, ...]:
    return (*paper.baselines(), paper.sparse_probe(ks=PUBLISHED_KS))


def _judge(
    session: Session, places: Sequence[Place], method: paper.Published, view: str, results: Results
) -> None:
    for place in session.progress.track(places, f"published protocol: {method.name}"):
        try:
            split = paper.published_split(place.question.problem)
        except RequestError as error:
            results.caveats.append(f"{place.question.name}: {PUBLISHED} not run. {error.what}")
            continue
        task = Task(place.rows, place.question.problem, (split,))
        judged = paper.evaluate_published([task], method, session.rng("sparse-probing/published"))[0]
        results.found += [
            Result(place.question, view, place.site, one, regime=PUBLISHED) for one in judged.values()
        ]


def _findings(result: Result) -> Iterator[Finding]:
    evaluation = result.evaluation
    fold = evaluation.folds[0]
    numbers = {"validation_auc": fold.validation_auc, "auc": evaluation.auc, "optimism": evaluation.optimism}
    for metric, value in numbers.items():
        if value is not None:
            yield Finding(
                metric=f"sparse_probing.{metric}",
                concepts=(result.question.name,),
                site=result.site,
                group=name_of(result),
                direction=Direction.NONE,
                estimate=_plain(value, len(np.unique(evaluation.problem.groups[fold.split.test]))),
                rows=published_rows(result) if metric == "auc" else None,
                unkept="" if metric == "auc" else UNKEPT,
            )


def _plain(value: float, groups: int) -> Estimate:
    return Estimate(
        value=value,
        unit=Unit.AUC,
        n=groups,
        resampling_unit="groups in the one test set",
        method="published protocol: one division of the rows, groups split",
        reason="the published protocol gives neither interval nor null for one data set",
    )
