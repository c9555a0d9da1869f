"""BBQ: answers of the model, or answers given elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from biaskit.analyzers.behaviour.asking import followed, means_after, scored_items
from biaskit.analyzers.behaviour.found import Found, findings_of, limited, roughness, sentences
from biaskit.behaviour import bbq
from biaskit.behaviour.bbq import BbqItem
from biaskit.errors import RequestError
from biaskit.records.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biaskit.analyzers.behaviour.analyzer import Behaviour
    from biaskit.protocols import LanguageModel
    from biaskit.session import Session


def read_items(paths: Sequence[str]) -> tuple[BbqItem, ...]:
    """Read the items of all files.

    Raises:
        RequestError: A file cannot be read, or an item stands in two.
    """
    items = tuple(item for path in paths for item in bbq.read_bbq(path))
    if len({item.key for item in items}) < len(items):
        raise RequestError("Two of the BBQ files hold the same item.")
    return items


def bbq_found(session: Session, settings: Behaviour) -> Found:
    """Score the model's answers, or those of each model in the file of predictions."""
    items = read_items(settings.bbq)
    pitfalls: tuple[str, ...] = bbq.PITFALLS
    caveats = _without_target(items)
    if settings.bbq_predictions:
        answers = bbq.read_bbq_predictions(settings.bbq_predictions, items)
        named = {f"{bbq.NAME}: {name}": said for name, said in answers.items()}
    else:
        drawn, said = limited(items, settings.limit, session.rng("behaviour/bbq"), "BBQ")
        items, given, long = answered(session.model, drawn)
        named, caveats = {bbq.NAME: given}, (*caveats, *said, *long)
        pitfalls = (*pitfalls, bbq.SCORED_BY_MODEL)
    parts = [_of(session, items, name, said) for name, said in named.items()]
    return Found(
        tuple(one for part in parts for one in part.findings),
        pitfalls,
        tuple(one for part in parts for one in part.summary),
        (*caveats, *(one for part in parts for one in part.caveats)),
        tuple(one for part in parts for one in part.tables),
        tuple(one for part in parts for one in part.scores),
    )


def _of(session: Session, items: Sequence[BbqItem], name: str, answers: Int[ndarray, " n"]) -> Found:
    scores = bbq.bbq_scores(items, answers)
    findings = findings_of(scores, name, session.rng(f"behaviour/{name}"))
    none = int((answers == bbq.NO_ANSWER).sum())
    lost = (f"{name}: {none} of {len(items)} items have no answer that is one of the three.",) if none else ()
    said = tuple(
        sentence
        for one in findings
        if one.headline
        for sentence in sentences((one,), 0, f"{name}, {one.metric.rpartition('_')[2]} contexts")
    )
    tables = (_table(name, items, answers),)
    return Found(findings, (), said, (*lost, *roughness(scores)), tables, ((name, scores),))


def answered(
    model: LanguageModel, items: Sequence[BbqItem]
) -> tuple[tuple[BbqItem, ...], Int[ndarray, " n"], tuple[str, ...]]:
    """Return the items that the model can read, the likeliest answer per token to each, and a caveat."""
    kept, known, said = scored_items(model, items, lambda item: followed(_asked(item), item.answers), "BBQ")
    means = np.array([means_after(known, _asked(item), item.answers) for item in kept])
    return tuple(kept), np.asarray(means.argmax(axis=1)), said


def _asked(item: BbqItem) -> str:
    return f"{item.context} {item.question}"


def _without_target(items: Sequence[BbqItem]) -> tuple[str, ...]:
    lost = sum(item.target is None for item in items)
    if not lost:
        return ()
    return (
        f"BBQ: {lost} of {len(items)} items name no single stereotyped group and count in no bias score.",
    )


def _table(name: str, items: Sequence[BbqItem], answers: Int[ndarray, " n"]) -> Table:
    columns = {
        "item": "Category and number.",
        "template": "Category and question index.",
        "context": "What is told.",
        "question": "What is asked.",
        "ambiguous": "Whether the context tells too little.",
        "answer": "The answer that was given; empty where none of the three was.",
        "right": "Whether it is right.",
        "biased": "Whether it follows the stereotype; empty where the item names no single group.",
    }
    rows = [
        (
            item.key,
            item.template,
            item.context,
            item.question,
            item.ambiguous,
            None if answer == bbq.NO_ANSWER else item.answers[answer],
            bool(answer == item.correct),
            None if item.biased is None else bool(answer == item.biased),
        )
        for item, answer in zip(items, answers.tolist(), strict=True)
    ]
    slug = "".join(c if c.isalnum() else " " for c in name.lower()).split()
    return Table.of("-".join(slug), f"{name}, every item", columns, rows)
