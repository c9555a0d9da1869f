"""The numbers of one test on one kind of vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from biaskit.association import (
    CrossedSets,
    TwoSets,
    associations,
    compare_sets,
    interaction,
    intersectional_words,
    levels,
    unit_rows,
)
from biaskit.records.estimate import Estimate, Null, Unit
from biaskit.records.finding import Direction, Evidence, Finding, FromRows, Statistic
from biaskit.records.table import Cell, Column, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biaskit.analyzers.association.word_sets import Vectors
    from biaskit.association import WordTest

ALPHA = 0.05
WORDS = "words"
_NO_INTERVAL = "no interval: it saturates and is no difference; the difference has one"
_COLUMNS = (
    Column(name="test", description="The test."),
    Column(name="view", description="What kind of vectors."),
    Column(name="site", description="Where in the model; empty for static vectors."),
    Column(name="set", description="The set that the word belongs to."),
    Column(name="word", description="The word."),
    Column(name="second", description="Whether that set is the second; of four, if it lacks the second."),
    Column(name="alone", description="Of four crossed sets, whether it lacks the first."),
    Column(name="association", description="Its association, averaged over its readings, in cosine."),
)


def set_findings(test: WordTest, vectors: Vectors, rng: np.random.Generator) -> tuple[list[Finding], str]:
    """Return the difference of two sets, Caliskan's d with its bound and the pooled effect."""
    first, second = (_associations(test, vectors, words) for words in test.targets.values())
    found = compare_sets(first, second, rng=rng)
    n, over = len(first) + len(second), f"words of two sets ({len(first)} and {len(second)})"
    shared: dict[str, Any] = {"n": n, "resampling_unit": over, "null": found.null}
    difference = Estimate(
        value=found.difference,
        unit=Unit.COSINE,
        method=f"mean association of {_named(test)[0]} less that of {_named(test)[1]}, {vectors.view}",
        interval=found.interval,
        minimum_detectable_effect=found.smallest,
        reason=None if found.interval else "the associations of a set do not vary",
        **shared,
    )
    d = _effect(found.effect, f"Caliskan's d, at most {found.bound:.3f} for sets of these sizes", shared)
    pooled = _effect(found.pooled, "Hedges' g: difference over the deviation within sets", shared)
    evidence = _evidence(test, first, second)
    findings = [
        _finding(
            "weat",
            test,
            vectors,
            difference,
            headline=True,
            evidence=evidence,
            rows=_rows(test, vectors, Statistic.STEP),
        ),
        _finding("weat_d", test, vectors, d, rows=_rows(test, vectors, Statistic.EFFECT)),
        _finding("weat_g", test, vectors, pooled, rows=_rows(test, vectors, Statistic.POOLED_EFFECT)),
    ]
    return findings, _sentence(test, vectors, found)


def crossed_findings(test: WordTest, vectors: Vectors, rng: np.random.Generator) -> tuple[list[Finding], str]:
    """Return the interaction of two attributes of people, and the mean of each cell against the others."""
    cells = [_associations(test, vectors, words).mean(axis=1) for words in test.targets.values()]
    found = interaction((cells[0], cells[1], cells[2], cells[3]), rng=rng)
    estimate = Estimate(
        value=found.contrast,
        unit=Unit.COSINE,
        n=sum(cell.size for cell in cells),
        resampling_unit="names in four cells",
        method=f"both less each alone plus neither, {vectors.view}",
        interval=found.interval,
        null=found.null,
        minimum_detectable_effect=found.smallest,
    )
    rows = _rows(test, vectors, Statistic.STEP, apart="alone")
    finding = _finding("interaction", test, vectors, estimate, headline=True, rows=rows)
    return [finding], f"{_crossed_sentence(test, vectors, found)} {_words_sentence(test, vectors, rng)}"


def _crossed_sentence(test: WordTest, vectors: Vectors, found: CrossedSets) -> str:
    names = list(test.targets)
    more = "differs from" if found.null.p <= ALPHA else "is not shown to differ from"
    return (
        f"{test.name}, {vectors.view}: {names[0]} {more} the sum of {names[1]} and {names[2]} (interaction "
        f"{found.contrast:+.3f}; differences from {found.smallest:.3f} on are seen four times in five)."
    )


def _words_sentence(test: WordTest, vectors: Vectors, rng: np.random.Generator) -> str:
    """Name the attribute words that the intersection's names are tied to, and those beyond its parts."""
    cells = [np.stack([_mean(vectors, name) for name in names]) for names in test.targets.values()]
    words = [word for group in test.attributes.values() for word in group]
    cosines = {word: tuple(cell @ _mean(vectors, word) for cell in cells) for word in words}
    found = intersectional_words(cosines, rng=rng)
    tied = [one.word for one in found if one.q <= ALPHA and one.difference > 0]
    beyond = [one.word for one in found if one.emergent_q <= ALPHA and one.emergent > 0]
    return (
        f"Of {len(found)} words its names are tied to {', '.join(tied) or 'none'}, and beyond its parts to "
        f"{', '.join(beyond) or 'none'} (q at most {ALPHA})."
    )


def _mean(vectors: Vectors, word: str) -> Float[ndarray, " d"]:
    return np.asarray(unit_rows(vectors.rows[word]).mean(axis=0))


def words_table(rows: Sequence[tuple[WordTest, Vectors]]) -> Table:
    """Return the association of every word of every test."""
    cells = tuple(
        (*_where(test, vectors).values(), name, word, place % 2 == 1, place > 1, float(value))
        for test, vectors in rows
        for place, (name, words) in enumerate(test.targets.items())
        for word, value in zip(words, _associations(test, vectors, words).mean(axis=1), strict=True)
    )
    return Table(name=WORDS, title="Association of every word", columns=_COLUMNS, rows=cells)


def _where(test: WordTest, vectors: Vectors) -> dict[str, Cell]:
    return {"test": test.name, "view": vectors.view, "site": str(vectors.site or "")}


def _rows(test: WordTest, vectors: Vectors, statistic: Statistic, apart: str = "") -> FromRows:
    """Say which words a number of two sets, or of four crossed ones, follows from."""
    return FromRows(
        table=WORDS,
        column="association",
        where=_where(test, vectors),
        units=("set", "word"),
        statistic=statistic,
        beside="second",
        apart=apart,
    )


def _associations(test: WordTest, vectors: Vectors, words: Sequence[str]) -> Float[ndarray, "w r"]:
    first, second = _attributes(test, vectors)
    return associations(np.stack([vectors.rows[word] for word in words]), first, second)


def _attributes(test: WordTest, vectors: Vectors) -> list[Float[ndarray, "a d"]]:
    return [np.concatenate([vectors.rows[word] for word in words]) for words in test.attributes.values()]


def _named(test: WordTest) -> list[str]:
    return [*test.targets, *test.attributes]


def _finding(metric: str, test: WordTest, vectors: Vectors, estimate: Estimate, **rest: Any) -> Finding:
    return Finding(
        metric=f"association.{metric}",
        concepts=(test.name,),
        site=vectors.site,
        group=vectors.view,
        direction=Direction.TOWARD_ZERO,
        estimate=estimate,
        **rest,
    )


def _effect(value: float | None, method: str, shared: dict[str, Any]) -> Estimate:
    reason = _NO_INTERVAL if value is not None else "the associations do not vary within the sets"
    null: Null | None = shared["null"] if value is not None else None
    return Estimate(value=value, unit=Unit.SD, method=method, reason=reason, **{**shared, "null": null})


def _evidence(
    test: WordTest, first: Float[ndarray, "x r"], second: Float[ndarray, "y r"]
) -> tuple[Evidence, ...]:
    """Words that move the difference most: each word's association less the mean of all."""
    values = np.concatenate([first.mean(axis=1), second.mean(axis=1)])
    owner = [(name, word) for name, words in test.targets.items() for word in words]
    order = np.argsort(-abs(values - values.mean()))[:10]
    return tuple(
        Evidence(text=owner[i][1], value=float(values[i]), template=owner[i][0], filler=owner[i][1])
        for i in order
    )


def _sentence(test: WordTest, vectors: Vectors, found: TwoSets) -> str:
    names = _named(test)
    rows = [np.concatenate([vectors.rows[word] for word in words]) for words in test.targets.values()]
    lean = levels((rows[0], rows[1]), tuple(_attributes(test, vectors)))  # type: ignore[arg-type]
    side = names[2] if found.difference > 0 else names[3]
    sure = "" if found.null.p <= ALPHA else "; chance could do that"
    leans = f"{names[0]} {lean.leans[0]:+.3f}, {names[1]} {lean.leans[1]:+.3f} towards {names[2]}{sure}"
    return (
        f"{test.name}, {vectors.view}: {names[0]} lies nearer to {side} than {names[1]} does by "
        f"{abs(found.difference):.3f} ({leans})."
    )
