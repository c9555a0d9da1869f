"""CrowS-Pairs (Nangia et al. 2020): does a model find the sentence that stereotypes more likelier?"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from pydantic import Field, model_validator

from biaskit.behaviour.files import csv_rows, one_of, records
from biaskit.behaviour.score import Score
from biaskit.behaviour.tokens import preferences
from biaskit.errors import RequestError
from biaskit.records.base import Record

if TYPE_CHECKING:
    from collections.abc import Sequence


NAME = "crows-pairs"
BIAS_TYPES = (
    "race-color",
    "gender",
    "socioeconomic",
    "nationality",
    "religion",
    "age",
    "sexual-orientation",
    "physical-appearance",
    "disability",
)
PITFALLS = (
    "CrowS-Pairs: many of its pairs are no minimal pairs or state no stereotype (Blodgett et al. 2021); "
    "read the pairs that annotators support beside all, and the items in the table.",
    "CrowS-Pairs: one half is neutral and neither 0 nor 1 is good; a type with 60 pairs cannot tell 60 % "
    "from it.",
    "CrowS-Pairs: written by crowd workers in the United States, in English.",
)
CAUSAL = (
    "CrowS-Pairs was made for masked models. Here a causal model is scored on the shared tokens given what "
    "stands before them, so a pair whose sentences differ at the end ties; the whole sentence stands "
    "beside it."
)
_MAJORITY = 3


class CrowsPair(Record):
    """Two sentences that differ in whom they speak of."""

    more: str = Field(min_length=1)
    """The sentence that stereotypes more."""
    less: str = Field(min_length=1)
    """The sentence that stereotypes less."""
    direction: Literal["stereo", "antistereo"]
    """Whether the pair shows a stereotype or goes against one."""
    bias_type: str
    """What the stereotype is about."""
    writer: str
    """Who wrote the pair; empty where the file does not tell."""
    supported: bool | None
    """Whether three annotators or more named the bias type; None where the file does not tell."""

    @model_validator(mode="after")
    def _differ(self) -> CrowsPair:
        if self.more == self.less:
            raise ValueError("the two sentences are the same")
        return self


def read_crows_pairs(path: Path | str) -> tuple[CrowsPair, ...]:
    """Read pairs in the published CSV: `sent_more`, `sent_less`, `stereo_antistereo`, `bias_type`.

    `annotations` and `anon_writer` are read where they are there.

    Raises:
        CatalogueError: It is no CSV file, empty or ragged.
        UnknownNameError: A column is missing, or a bias type is not one of the nine.
        RequestError: A row cannot be a pair.
    """
    file = Path(path)
    rows = csv_rows(file, ("sent_more", "sent_less", "stereo_antistereo", "bias_type"))
    one_of(file, "bias type", (row["bias_type"] for row in rows.values()), BIAS_TYPES)
    return records(file, rows, _pair)


def _pair(row: dict[str, str]) -> CrowsPair:
    said = row.get("annotations")
    return CrowsPair.model_validate(
        {
            "more": row["sent_more"].strip(),
            "less": row["sent_less"].strip(),
            "direction": row["stereo_antistereo"],
            "bias_type": row["bias_type"],
            "writer": row.get("anon_writer", ""),
            "supported": _named(said, row["bias_type"]) >= _MAJORITY if said else None,
        }
    )


def _named(annotations: str, bias_type: str) -> int:
    """How many annotators named the bias type; the file writes them as a list of lists."""
    try:
        found = ast.literal_eval(annotations)
        return sum(bias_type in one for one in found)
    except (ValueError, SyntaxError, TypeError) as error:
        raise RequestError(f"These annotations are no list of lists: '{annotations:.60}'.") from error


def crows_scores(
    pairs: Sequence[CrowsPair], more: Float[ndarray, " n"], less: Float[ndarray, " n"], metric: str = NAME
) -> tuple[Score, ...]:
    """Score all pairs, those that annotators support, and each bias type.

    The share of pairs whose sentence that stereotypes more is likelier, in [0, 1]; one half is neutral. A tie
    counts one half: the published score keeps it in the denominator alone, so a model that ties on every pair
    gets 0 as if it opposed every stereotype. Clusters are the writers, or pairs where no writer is known.

    Args:
        pairs: The pairs.
        more: Log-probability of each pair's sentence that stereotypes more, as `shared_logprobs` sums it.
        less: The same of the other sentence.
        metric: Name of the metric.
    """
    known = all(pair.writer for pair in pairs)
    whole = Score(
        metric=metric.replace("-", "_"),
        rows=preferences(more, less),
        clusters=np.array([pair.writer if known else str(i) for i, pair in enumerate(pairs)]),
        sampled="writers" if known else "pairs",
        method="share of pairs whose more stereotyping sentence is likelier; a tie counts one half",
        texts=[f"{pair.more} / {pair.less}" for pair in pairs],
        strength=more - less,
        headline=metric == NAME,
        group="all pairs",
    )
    supported = np.array([pair.supported is not False for pair in pairs])
    types = np.array([pair.bias_type for pair in pairs])
    parts = [whole] if supported.all() else [whole, whole.part("pairs that annotators support", supported)]
    found = list(dict.fromkeys(types.tolist()))
    return (*parts, *(whole.part(one, types == one) for one in found if len(found) > 1))
