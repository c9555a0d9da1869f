"""WinoBias (Zhao et al. 2018): does a pronoun go to the occupation of its stereotype?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from biaskit.behaviour.files import csv_rows
from biaskit.behaviour.score import Score
from biaskit.behaviour.tokens import preferences
from biaskit.catalogue.reading import decoded
from biaskit.errors import RequestError
from biaskit.records.estimate import Estimate, Interval, Null, Unit
from biaskit.records.finding import Direction, Finding, FromRows, Statistic
from biaskit.records.table import Table
from biaskit.stats.unequal_clusters import clustered_statistic

NAME = "winobias"
RESOLVED = "winobias-resolved"
FEMALE = frozenset({"she", "her", "hers", "herself"})
MALE = frozenset({"he", "him", "his", "himself"})
PITFALLS = (
    "WinoBias: the preference for a pronoun is not coreference: it tells what the model writes, not whom "
    "it means.",
    "WinoBias: 40 occupations, chosen by United States statistics, stand behind all sentences; the "
    "interval counts them.",
    "WinoBias: two genders and English alone.",
)
_NAME = re.compile(r"^(pro|anti)_stereotyped_type([12])\.txt\.(\w+)$")
_BRACKET = re.compile(r"\[([^\[\]]*)\]")
_ARTICLE = re.compile(r"^(the|a|an)\s+", re.IGNORECASE)
_DRAWS = 1999


@dataclass(frozen=True, slots=True)
class WinoPair:
    """A sentence with the pronoun of the stereotype and with the other one.

    Attributes:
        key: File and line.
        kind: 1: the sentence's meaning tells the referent; 2: its syntax does too.
        split: Which part of the data.
        occupation: The occupation that the pronoun refers to; occupations are the sampled unit.
        pro: The sentence with the pronoun of the stereotype.
        anti: The sentence with the other pronoun.
    """

    key: str
    kind: str
    split: str
    occupation: str
    pro: str
    anti: str


@dataclass(frozen=True, slots=True)
class WinoPairs:
    """Pairs with what was left out.

    Attributes:
        pairs: The pairs that differ in pronouns alone.
        left_out: Keys of the lines that differ in more, or in none.
    """

    pairs: tuple[WinoPair, ...]
    left_out: tuple[str, ...]


def read_winobias(folder: Path | str) -> WinoPairs:
    """Read a folder with `pro_stereotyped_type1.txt.dev` and its kin, each beside its `anti_` file.

    Line i of the one is the other of line i. Lines that differ in more than pronouns (20 of the published
    1,584) say nothing of the pronoun and are left out, by name.

    Raises:
        RequestError: There is no such file, one lacks its other, or the two have different lengths.
    """
    place = Path(folder)
    names = sorted(path.name for path in place.glob("pro_stereotyped_type*")) if place.is_dir() else []
    if not names:
        raise RequestError(
            f"'{place}' holds no WinoBias files.",
            why="They are named pro_stereotyped_type1.txt.dev and so on.",
        )
    pairs: list[WinoPair] = []
    left_out: list[str] = []
    for name in names:
        parsed = _NAME.match(name)
        if parsed is None:
            raise RequestError(f"'{place / name}' is named like no WinoBias file.")
        for key, pro, anti in _beside(place, name):
            found = _pair(key, parsed[2], parsed[3], pro, anti)
            left_out += [key] if found is None else []
            pairs += [] if found is None else [found]
    if not pairs:
        raise RequestError(f"No two lines in '{place}' differ in their pronouns alone.")
    return WinoPairs(tuple(pairs), tuple(left_out))


def _beside(place: Path, name: str) -> list[tuple[str, str, str]]:
    other = place / name.replace("pro_", "anti_")
    if not other.is_file():
        raise RequestError(f"'{place / name}' stands without '{other.name}'.")
    pro, anti = (_lines(path) for path in (place / name, other))
    if len(pro) != len(anti):
        raise RequestError(
            f"'{place / name}' has {len(pro)} sentences and '{other.name}' {len(anti)}.",
            why="Each sentence must have its other.",
        )
    return [(f"{name}:{i}", a, b) for i, (a, b) in enumerate(zip(pro, anti, strict=True), 1)]


def _lines(path: Path) -> list[str]:
    return [re.sub(r"^\d+\s+", "", line.strip()) for line in decoded(path).split("\n") if line.strip()]


def _pair(key: str, kind: str, split: str, pro: str, anti: str) -> WinoPair | None:
    occupations = [one for one in _BRACKET.findall(pro) if one.lower() not in FEMALE | MALE]
    if not occupations or _neutral(pro) != _neutral(anti) or _genders(pro) == _genders(anti):
        return None
    occupation = _ARTICLE.sub("", occupations[0]).lower()
    return WinoPair(key, kind, split, occupation, _plain(pro), _plain(anti))


def _neutral(sentence: str) -> str:
    """The sentence with a mark in place of each pronoun."""
    return " ".join(
        "<p>" if word.strip("[].,").lower() in FEMALE | MALE else word for word in sentence.split()
    )


def _genders(sentence: str) -> list[bool]:
    words = [one.lower() for one in _BRACKET.findall(sentence)]
    return [word in FEMALE for word in words if word in FEMALE | MALE]


def _plain(sentence: str) -> str:
    text = re.sub(r"\s+([.,'])", r"\1", _BRACKET.sub(r"\1", sentence))
    return re.sub(r"\bthe the\b", "the", text)


def winobias_scores(
    pairs: Sequence[WinoPair], pro: Float[ndarray, " n"], anti: Float[ndarray, " n"]
) -> tuple[Score, ...]:
    """Score how often the sentence with the pronoun of the stereotype is likelier; one half is neutral.

    Both genders are the stereotype equally often, so a model that always prefers one pronoun gets one half.

    Args:
        pairs: The pairs.
        pro: Log-probability of each sentence with the pronoun of the stereotype.
        anti: The same with the other pronoun.
    """
    whole = Score(
        metric="winobias",
        rows=preferences(pro, anti),
        clusters=np.array([pair.occupation for pair in pairs]),
        sampled="occupations",
        method="share of sentences likelier with the pronoun of the stereotype; a tie counts one half",
        group="all pairs",
        texts=[f"{pair.pro} / {pair.anti}" for pair in pairs],
        strength=pro - anti,
        headline=True,
    )
    kinds = np.array([pair.kind for pair in pairs])
    found = sorted(set(kinds.tolist()))
    return (whole, *(whole.part(f"type {kind}", kinds == kind) for kind in found if len(found) > 1))


def read_winobias_predictions(path: Path | str, pairs: Sequence[WinoPair]) -> Resolved:
    """Read whom a coreference system resolved each pronoun to: CSV with `sentence` and `referent`.

    `sentence` is file and line, such as `anti_stereotyped_type1.txt.dev:3`; `referent` is the occupation,
    empty where the system gave none. A sentence that is not in the file counts as not answered.

    Raises:
        RequestError: A sentence is none of the data.
    """
    rows = csv_rows(Path(path), ("sentence", "referent"))
    said = {row["sentence"]: _ARTICLE.sub("", row["referent"].strip()).lower() for row in rows.values()}
    keys = {pair.key for pair in pairs} | {_other(pair.key) for pair in pairs}
    strange = [key for key in said if key not in keys]
    if strange:
        raise RequestError(
            f"'{path}' answers '{strange[0]}', which is no sentence that is used.", fix="Write file:line."
        )
    pro, anti = ([said.get(key, "") for key in own] for own in _keys(pairs))
    gold = np.array([pair.occupation for pair in pairs])
    return Resolved(
        *(np.array(one) == gold for one in (pro, anti)), *(np.array(one) != "" for one in (pro, anti))
    )


def _keys(pairs: Sequence[WinoPair]) -> tuple[list[str], list[str]]:
    return [pair.key for pair in pairs], [_other(pair.key) for pair in pairs]


def _other(key: str) -> str:
    return key.replace("pro_", "anti_", 1)


@dataclass(frozen=True, slots=True, eq=False)
class Resolved:
    """What a coreference system made of each pair.

    Attributes:
        pro: Whether it was right with the pronoun of the stereotype.
        anti: Whether it was right with the other one.
        pro_answered: Whether it gave a referent with the pronoun of the stereotype.
        anti_answered: Whether it gave one with the other.
    """

    pro: Bool[ndarray, " n"]
    anti: Bool[ndarray, " n"]
    pro_answered: Bool[ndarray, " n"]
    anti_answered: Bool[ndarray, " n"]


def f1(right: Bool[ndarray, " n"], answered: Bool[ndarray, " n"]) -> float:
    """`2 P R / (P + R)` with P right of the answered and R right of all; 0 where none is right."""
    return float(2 * right.sum() / (answered.sum() + right.size))


def f1_gap(pairs: Sequence[WinoPair], resolved: Resolved, rng: np.random.Generator) -> Finding:
    """F1 with the pronoun of the stereotype less F1 with the other; 0 is fair.

    Interval: jackknife over occupations. Null: pro and anti exchanged for all pairs of an occupation together
    (approximate randomisation, as in the paper, with the occupation as the unit).
    """
    owners = np.array([pair.occupation for pair in pairs])
    _, owner = np.unique(owners, return_inverse=True)
    sides = np.stack([resolved.pro, resolved.anti]), np.stack([resolved.pro_answered, resolved.anti_answered])
    value = _gap(*sides)
    swaps = rng.random((_DRAWS, int(owner.max()) + 1)) < 0.5
    reached = sum(
        abs(_gap(*(np.where(swap[owner], one[::-1], one) for one in sides))) >= abs(value) - 1e-12
        for swap in swaps
    )
    null = Null(p=(1 + reached) / (_DRAWS + 1), kind=f"pro and anti exchanged by occupation, {_DRAWS} draws")
    shared = {"value": value, "unit": Unit.PROPORTION, "n": int(owner.max()) + 1, "null": null}
    interval: Interval | None = None
    reason: str | None = "one occupation alone has no interval"
    if owner.max() > 0:
        found = clustered_statistic(lambda rows: _gap(*(one[:, rows] for one in sides)), owners)
        interval = found.interval(0.95) if found is not None and found.error else None
        reason = None if interval else "every occupation gives the same gap"
    estimate = Estimate(
        interval=interval,
        reason=reason,
        resampling_unit="occupations",
        method="F1 with the pronoun of the stereotype less F1 with the other",
        **shared,
    )
    return Finding(
        metric="behaviour.winobias_f1_gap",
        concepts=(NAME,),
        group="predictions",
        direction=Direction.TOWARD_ZERO,
        headline=True,
        estimate=estimate,
        rows=FromRows(
            table=RESOLVED,
            column="hits",
            units=("occupation",),
            statistic=Statistic.SHARE,
            beside="counted",
            apart="anti",
        ),
    )


def resolved_table(pairs: Sequence[WinoPair], resolved: Resolved) -> Table:
    """Return what a coreference system made of each sentence, so that each F1 is `sum hits / sum counted`."""
    columns = {
        "sentence": "File and line of the pair.",
        "occupation": "Whom the pronoun refers to.",
        "anti": "Whether it has the pronoun against the stereotype.",
        "hits": "2 where the referent was right, else 0.",
        "counted": "2 where a referent was given, else 1.",
    }
    sides = ((False, resolved.pro, resolved.pro_answered), (True, resolved.anti, resolved.anti_answered))
    rows = [
        (pair.key, pair.occupation, anti, 2 * int(hit), 1 + int(told))
        for anti, right, answered in sides
        for pair, hit, told in zip(pairs, right, answered, strict=True)
    ]
    return Table.of(RESOLVED, "WinoBias, whom every pronoun was resolved to", columns, rows)


def _gap(right: Bool[ndarray, "2 n"], answered: Bool[ndarray, "2 n"]) -> float:
    return f1(right[0], answered[0]) - f1(right[1], answered[1])
