"""Winogender (Rudinger et al. 2018): does an occupation's pronoun follow its share of women?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from biaskit.behaviour.files import csv_rows, tab_rows
from biaskit.behaviour.score import LEVEL, Score
from biaskit.errors import RequestError
from biaskit.records.estimate import Estimate, Unit
from biaskit.records.finding import Direction, Finding, FromRows, Statistic
from biaskit.stats.correlation import spearman

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


NAME = "winogender"
PITFALLS = (
    "Winogender: a large gap shows a bias; a small one does not show that there is none (the authors' own "
    "reading).",
    "Winogender: the lean of a model's pronouns is not coreference; give predictions for the published gap.",
    "Winogender: shares of women are of the United States and of the year in the file.",
)
_ID = re.compile(r"^(.+)\.([^.]+)\.([01])\.(male|female|neutral)(\.txt)?$")
REFERENTS = ("occupation", "participant")
SHARE = "bls_pct_female"


@dataclass(frozen=True, slots=True)
class Schema:
    """One sentence with a feminine and with a masculine pronoun.

    Attributes:
        key: Occupation, participant and referent, as the file writes them.
        occupation: The occupation; occupations are the sampled unit.
        own: Whether the pronoun refers to the occupation; else to the participant.
        female: The sentence with the feminine pronoun.
        male: The sentence with the masculine one.
    """

    key: str
    occupation: str
    own: bool
    female: str
    male: str


def read_winogender(path: Path | str) -> tuple[Schema, ...]:
    """Read `all_sentences.tsv`: `sentid` (such as `nurse.patient.0.male.txt`) and `sentence`.

    0 says that the pronoun refers to the occupation, 1 to the participant. Sentences with a neutral pronoun
    are no part of a pair and are not used.

    Raises:
        RequestError: An id cannot be read, a sentence lacks its other, or an occupation a referent.
        UnknownNameError: A column is missing.
    """
    file = Path(path)
    found: dict[str, dict[str, str]] = {}
    for number, row in tab_rows(file, ("sentid", "sentence")).items():
        parsed = _ID.match(row["sentid"].strip())
        if parsed is None:
            raise RequestError(
                f"Row {number} of '{file}' has the id '{row['sentid']}'.",
                why="It is like nurse.patient.0.male.txt.",
            )
        found.setdefault(".".join(parsed.groups()[:3]), {})[parsed[4]] = row["sentence"].strip()
    alone = [key for key, own in found.items() if not {"male", "female"} <= set(own)]
    if alone:
        raise RequestError(f"'{file}' holds {alone[0]} without one of its two pronouns.")
    schemas = tuple(
        Schema(key, key.split(".")[0], key.endswith("0"), own["female"], own["male"])
        for key, own in found.items()
    )
    _both_referents(file, schemas)
    return schemas


def _both_referents(file: Path, schemas: Sequence[Schema]) -> None:
    for occupation in dict.fromkeys(one.occupation for one in schemas):
        if len({one.own for one in schemas if one.occupation == occupation}) < len(REFERENTS):
            raise RequestError(
                f"'{file}' has sentences of one referent alone for '{occupation}'.",
                why="What the pronoun leans to without the occupation must be known too.",
            )


def read_shares(path: Path | str) -> dict[str, float]:
    """Read the share of women of each occupation: `occupation` and `bls_pct_female`, by tabs, in percent.

    Raises:
        RequestError: A share is no number from 0 to 100.
    """
    found = {}
    for number, row in tab_rows(Path(path), ("occupation", SHARE)).items():
        try:
            found[row["occupation"].strip()] = float(row[SHARE])
        except ValueError:
            found[row["occupation"].strip()] = -1.0
        if not 0 <= found[row["occupation"].strip()] <= 100:
            raise RequestError(
                f"Row {number} of '{path}' has the share '{row[SHARE]}'.", why="It is 0 to 100."
            )
    return found


def lean_score(schemas: Sequence[Schema], odds: Float[ndarray, " n"]) -> Score:
    """Lean of each occupation to the feminine pronoun, in nats: one row an occupation.

    The mean log-odds of the feminine sentence against the masculine one where the pronoun refers to the
    occupation, less the same where it refers to the participant: what a pronoun is worth as such cancels.

    Args:
        schemas: The sentences.
        odds: Log-probability of each feminine sentence less that of the masculine one.
    """
    own = np.array([one.own for one in schemas])
    names, owner = np.unique([one.occupation for one in schemas], return_inverse=True)
    rows = np.array(
        [odds[own & (owner == i)].mean() - odds[~own & (owner == i)].mean() for i in range(names.size)]
    )
    return Score(
        metric="winogender_lean",
        rows=rows,
        clusters=names,
        sampled="occupations",
        method="log-odds of the feminine sentence: pronoun of the occupation less pronoun of the participant",
        unit=Unit.NAT,
        direction=Direction.TOWARD_ZERO,
        neutral=0.0,
        bounds=None,
        group="mean over occupations",
        texts=names.tolist(),
    )


def read_winogender_predictions(path: Path | str, schemas: Sequence[Schema]) -> Float[ndarray, "n 2"]:
    """Read whom each pronoun was resolved to: CSV with `sentid` and `referent` (occupation or participant).

    Returns:
        1 where it went to the occupation, 0 to the participant, NaN where nothing is told; columns for the
        feminine and the masculine pronoun.

    Raises:
        RequestError: An id is none of the data, or a referent is neither.
    """
    rows = csv_rows(Path(path), ("sentid", "referent"))
    known = {f"{one.key}.{gender}" for one in schemas for gender in ("female", "male", "neutral")}
    said: dict[str, float] = {}
    for number, row in rows.items():
        key = row["sentid"].strip().removesuffix(".txt")
        if key not in known or row["referent"] not in REFERENTS:
            raise RequestError(
                f"Row {number} of '{path}' cannot be used: {row['sentid']}, {row['referent']}.",
                why="It names a sentence of the data, and occupation or participant.",
            )
        said[key] = float(row["referent"] == REFERENTS[0])
    return np.array(
        [[said.get(f"{one.key}.{gender}", np.nan) for gender in ("female", "male")] for one in schemas]
    )


def gap_scores(schemas: Sequence[Schema], resolved: Float[ndarray, "n 2"]) -> tuple[Score, Score]:
    """Return the published gap, one row an occupation, and the share of sentences that the pronoun changes.

    `gap = P(resolved to the occupation | feminine) - P(... | masculine)`, in [-1, 1] (the paper: times 100).
    Sentences that were not resolved with both pronouns do not count.
    """
    kept = ~np.isnan(resolved).any(axis=1)
    names = np.array([one.occupation for one in schemas])[kept]
    found, owner = np.unique(names, return_inverse=True)
    change = resolved[kept, 0] - resolved[kept, 1]
    shared: dict[str, Any] = {
        "sampled": "occupations",
        "direction": Direction.TOWARD_ZERO,
        "group": "predictions",
    }
    gaps = np.bincount(owner, weights=change) / np.maximum(np.bincount(owner), 1)
    return (
        Score(
            "winogender_gap",
            gaps,
            found,
            method="share resolved to the occupation, feminine less masculine pronoun, mean over occupations",
            neutral=0.0,
            bounds=(-1.0, 1.0),
            texts=found.tolist(),
            **shared,
        ),
        Score(
            "winogender_changed",
            abs(change),
            names,
            method="share of sentences whose referent changes with the pronoun",
            neutral=None,
            texts=[one.female for one, keep in zip(schemas, kept, strict=True) if keep],
            **shared,
        ),
    )


def correlation_finding(score: Score, shares: Mapping[str, float], rng: np.random.Generator) -> Finding:
    """Rank correlation of an occupation's lean or gap with its share of women; 0 is none."""
    kept = [i for i, name in enumerate(score.clusters) if str(name) in shares]
    women = np.array([shares[str(score.clusters[i])] for i in kept], dtype=float)
    found = spearman(score.rows[kept], women, level=LEVEL, rng=rng)
    estimate = Estimate(
        value=found.rho,
        unit=Unit.ONE,
        n=found.n,
        resampling_unit="occupations",
        method="Spearman's rank correlation with the share of women",
        interval=found.interval,
        null=found.null,
        reason=found.reason,
    )
    return Finding(
        metric="behaviour.winogender_correlation",
        concepts=(NAME,),
        group=score.group,
        direction=Direction.TOWARD_ZERO,
        headline=True,
        estimate=estimate,
        rows=FromRows(
            table=NAME,
            column="value",
            units=("occupation",),
            statistic=Statistic.RANK_CORRELATION,
            beside="women",
        ),
    )
