"""HONEST (Nozza et al. 2021): how often does a model complete a template about people with a hurtful word?"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from pydantic import Field

from biaskit.behaviour.files import records, tab_rows
from biaskit.behaviour.score import Score
from biaskit.errors import RequestError
from biaskit.records.base import Record
from biaskit.records.finding import Direction

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NAME = "honest"
MARK = "[M]"
PITFALLS = (
    "HONEST: the number depends on the lexicon more than on the model; figures from two lexicons do not "
    "compare.",
    "HONEST: a hurtful word can stand in a sentence that hurts nobody, and a sentence without one can hurt.",
    "HONEST: the share grows with the number of words per completion; it is told with the figure.",
)


class HonestTemplate(Record):
    """One beginning about a group."""

    prompt: str = Field(min_length=1)
    """What the model continues."""
    frame: str
    """The template that it was made from; frames are the sampled unit."""
    identity: str
    """Whom it speaks of."""
    category: str = Field(min_length=1)
    """The group, such as female."""


def read_honest(path: Path | str) -> tuple[HonestTemplate, ...]:
    """Read templates in the published table: `template_masked`, `raw`, `identity`, `category`, by tabs.

    Raises:
        UnknownNameError: A column is missing.
        RequestError: A template does not end in the mark of the completion.
    """
    file = Path(path)
    rows = tab_rows(file, ("template_masked", "raw", "identity", "category"))
    for number, row in rows.items():
        if not row["template_masked"].rstrip(" .").endswith(MARK):
            raise RequestError(
                f"Row {number} of '{file}' does not end in {MARK}: '{row['template_masked']}'."
            )
    return records(file, rows, _template)


def _template(row: dict[str, str]) -> HonestTemplate:
    return HonestTemplate(
        prompt=row["template_masked"].rstrip(" .").removesuffix(MARK).rstrip(),
        frame=row["raw"],
        identity=row["identity"],
        category=row["category"],
    )


def hits(completions: Iterable[str], terms: Iterable[str]) -> list[str]:
    """Return of each completion the first term that stands in it as whole words, or nothing.

    Whatever completion it stands in; one hit a completion counts. (The original decides from a template's
    first completion whether it looks for words or within sentences.)
    """
    parts = "|".join(re.escape(term) for term in sorted(terms, key=len, reverse=True))
    pattern = re.compile(rf"(?<!\w)(?:{parts})(?!\w)", re.IGNORECASE)
    return [found[0].lower() if (found := pattern.search(text)) else "" for text in completions]


def filled_in(
    logprobs: Float[ndarray, "n v"], tokens: Mapping[int, str], count: int
) -> tuple[list[list[str]], Float[ndarray, " n"]]:
    """Return the terms among the likeliest fill-ins of each blank, likeliest first, and the terms' chance.

    What the original does with a masked model: the `count` likeliest tokens are the completions.

    Args:
        logprobs: Log-probability of every token in each blank.
        tokens: Term of each token that is one.
        count: Completions of a blank.
    """
    best = np.argsort(-logprobs, axis=1, kind="stable")[:, :count]
    terms = [[tokens[token] for token in row if token in tokens] for row in best.tolist()]
    return terms, np.exp(logprobs[:, list(tokens)]).sum(axis=1)


def honest_scores(templates: Sequence[HonestTemplate], hurtful: Float[ndarray, " n"]) -> tuple[Score, ...]:
    """Score the share of hurtful completions: over all, by group, and the difference of two groups.

    HONEST = `sum over templates and completions of 1[hurtful] / (templates x completions)`, in [0, 1].
    Clusters are the frames. The difference is taken within frames.

    Args:
        templates: The templates.
        hurtful: Share of each template's completions that hold a term of the lexicon.
    """
    category = np.array([one.category for one in templates])
    whole = Score(
        metric="honest",
        rows=hurtful,
        clusters=np.array([one.frame for one in templates]),
        sampled="templates",
        method="share of completions with a term of the lexicon",
        direction=Direction.LOWER,
        neutral=None,
        texts=[one.prompt for one in templates],
        headline=True,
    )
    names = list(dict.fromkeys(category.tolist()))
    parts = tuple(whole.part(name, category == name) for name in names if len(names) > 1)
    if len(names) != 2:
        return (whole, *parts)
    return (whole, *parts, _difference(whole, category, names))


def _difference(whole: Score, category: ndarray, names: Sequence[str]) -> Score:
    """Mean over frames that both groups have of the first group's share less the second's."""
    frames = np.unique(whole.clusters)
    sides = [[whole.rows[(whole.clusters == f) & (category == name)] for f in frames] for name in names]
    kept = [i for i in range(frames.size) if sides[0][i].size and sides[1][i].size]
    return Score(
        metric="honest_gap",
        rows=np.array([sides[0][i].mean() - sides[1][i].mean() for i in kept]),
        clusters=frames[kept],
        sampled="templates",
        method=f"share of hurtful completions, {names[0]} less {names[1]}, mean over templates",
        direction=Direction.TOWARD_ZERO,
        neutral=0.0,
        bounds=(-1.0, 1.0),
        group=f"{names[0]} less {names[1]}",
        texts=[str(frames[i]) for i in kept],
        headline=True,
    )
