"""Counterfactual sentiment (Huang et al. 2020): does what a model writes change its tone with the group?"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from pydantic import AfterValidator, Field, model_validator

from biaskit.behaviour.files import document, records
from biaskit.behaviour.score import Score, finding
from biaskit.catalogue.reading import decoded
from biaskit.errors import RequestError
from biaskit.records.base import Record
from biaskit.records.estimate import Null, Unit
from biaskit.records.finding import Direction, Finding
from biaskit.records.probe_set import Words

if TYPE_CHECKING:
    from collections.abc import Mapping


NAME = "counterfactual-sentiment"
SLOT = "{group}"
DRAWS = 499
PITFALLS = (
    "Counterfactual sentiment: the lexicon is the ruler; words that it lacks count as neutral, and a ruler "
    "that errs more for one group makes a difference of its own.",
    "Counterfactual sentiment: distances between samples are above 0 without any difference; what samples "
    "of this size give by chance is taken off, so that 0 is neutral and small negative figures are chance.",
    "Counterfactual sentiment: group fairness pools templates; opposite differences in two of them cancel "
    "there, and do not in individual fairness.",
)
_WORD = re.compile(r"\w[\w'-]*")
_TWO = 2


def _with_slot(template: str) -> str:
    if template.count(SLOT) != 1:
        raise ValueError(f"the template '{template}' must hold the slot {SLOT} exactly once")
    return template


class Counterfactuals(Record):
    """Beginnings that differ in the group alone."""

    name: str = Field(min_length=1)
    """Name of the set."""
    templates: tuple[Annotated[str, AfterValidator(_with_slot)], ...] = Field(min_length=1)
    """Beginnings with the slot `{group}`; templates are the sampled unit."""
    groups: dict[str, Words]
    """The words of each group; as many for each, in the same order."""

    @model_validator(mode="after")
    def _equal(self) -> Self:
        sizes = {name: len(words) for name, words in self.groups.items()}
        if len(sizes) < _TWO or len(set(sizes.values())) > 1 or not min(sizes.values()):
            raise ValueError(f"two groups or more need as many words each; there are {sizes}")
        return self


def read_counterfactuals(path: Path | str) -> Counterfactuals:
    """Read TOML or JSON with the fields of `Counterfactuals`.

    Raises:
        RequestError: It is not well-formed, or groups have different numbers of words.
    """
    file = Path(path)
    content = document(file)
    if not isinstance(content, dict):
        raise RequestError(f"'{file}' holds no templates.", why="It has the keys templates and groups.")
    return records(file, {1: {"name": file.stem, **content}}, Counterfactuals.model_validate)[0]


def read_sentiment(path: Path | str) -> dict[str, float]:
    """Read a lexicon with a word and its tone from -1 to 1 a line, parted by a tab or a comma.

    Raises:
        RequestError: A line is no such pair, or there is none.
    """
    found = {}
    for number, line in enumerate(decoded(Path(path)).split("\n"), 1):
        if not line.strip():
            continue
        word, _, tone = line.strip().replace("\t", ",").rpartition(",")
        try:
            found[word.strip().lower()] = float(tone)
        except ValueError:
            found[""] = 0.0
        if not word.strip() or not -1 <= found[word.strip().lower()] <= 1:
            raise RequestError(
                f"Line {number} of '{path}' is no word with a tone: '{line.strip():.60}'.",
                why="A line is a word, a tab or a comma, and a number from -1 to 1.",
            )
    if not found:
        raise RequestError(f"The lexicon '{path}' holds no word.")
    return found


def tone(text: str, lexicon: Mapping[str, float]) -> float | None:
    """Mean tone of the words of a text that the lexicon knows, in [0, 1]; None where it knows none."""
    known = [lexicon[word] for word in _WORD.findall(text.lower()) if word in lexicon]
    return (sum(known) / len(known) + 1) / 2 if known else None


def individual(tones: Float[ndarray, "... g n"]) -> Float[ndarray, ...]:
    """Mean over pairs of groups of Wasserstein-1, within one template.

    `2 / (|A| (|A| - 1)) sum_{a < b} W1(P_a, P_b)`; of samples of one size W1 is the mean difference of the
    sorted values.
    """
    ordered = np.sort(tones, axis=-1)
    pairs = list(combinations(range(tones.shape[-2]), 2))
    return np.asarray(
        sum(abs(ordered[..., a, :] - ordered[..., b, :]).mean(axis=-1) for a, b in pairs) / len(pairs)
    )


def grouped(tones: Float[ndarray, "g n"]) -> float:
    """Mean over groups of Wasserstein-1 between a group's samples and all samples."""
    count = tones.shape[0]
    everything = np.sort(tones.ravel())
    own = np.repeat(np.sort(tones, axis=1), count, axis=1)
    return float(abs(own - everything).mean())


@dataclass(frozen=True, slots=True, eq=False)
class Fairness:
    """One kind of fairness.

    Attributes:
        score: What each template contributes: its distance less chance for individual fairness; for group
            fairness the jackknife's pseudo-value `W + (t - 1) (mean over templates of W without one - W
            without it)` less chance, W the distance over all t.
        finding: The number, which is their mean.
    """

    score: Score
    finding: Finding


def fairness(
    tones: Float[ndarray, "t g n"], rng: np.random.Generator, templates: Sequence[str] = ()
) -> tuple[Fairness, Fairness]:
    """Individual and group fairness, each less what chance gives at this size; 0 is neutral, lower is fairer.

    Chance: samples exchanged between the groups of a template, `DRAWS` times; p is the share of these that
    reaches the observed distance. Interval: over templates.

    Args:
        tones: Tone of each text; templates x groups x samples.
        rng: Source of the exchanges.
        templates: The templates, as evidence names them.
    """
    t, g, n = tones.shape
    flat = np.repeat(tones.reshape(t, 1, g * n), DRAWS, axis=1)
    shuffled = rng.permuted(flat, axis=2).reshape(t, DRAWS, g, n)
    own, chance = individual(tones), individual(shuffled)
    pooled = np.array([grouped(_joined(shuffled[:, draw])) for draw in range(DRAWS)])
    rows = _jackknife(tones, lambda kept: grouped(_joined(kept))) - pooled.mean()
    one = _Reached("individual", float(own.mean()), chance.mean(axis=0))
    other = _Reached("group", grouped(_joined(tones)), pooled)
    return (
        one.told(own - chance.mean(axis=1), templates, rng),
        other.told(rows, templates, rng),
    )


def _joined(tones: Float[ndarray, "t g n"]) -> Float[ndarray, "g m"]:
    return tones.transpose(1, 0, 2).reshape(tones.shape[1], -1)


def _jackknife(
    tones: Float[ndarray, "t g n"], statistic: Callable[[Float[ndarray, "t g n"]], float]
) -> Float[ndarray, " t"]:
    """Rows whose mean is the statistic and whose spread is that of leaving a template out."""
    count = len(tones)
    whole = statistic(tones)
    if count < _TWO:
        return np.full(count, whole)
    left = np.array([statistic(np.delete(tones, i, axis=0)) for i in range(count)])
    return np.asarray(whole + (count - 1) * (left.mean() - left))


@dataclass(frozen=True, slots=True, eq=False)
class _Reached:
    """A distance between the tones of groups, beside what chance gives."""

    kind: str
    observed: float
    chance: Float[ndarray, " b"]

    def told(
        self, rows: Float[ndarray, " t"], templates: Sequence[str], rng: np.random.Generator
    ) -> Fairness:
        """Return the number that is the mean of `rows`, with its null."""
        how = f"({self.observed:.3f}) less chance ({self.chance.mean():.3f})"
        score = Score(
            metric=f"sentiment_{self.kind}",
            rows=rows,
            clusters=np.arange(rows.size),
            sampled="templates",
            method=f"Wasserstein-1 between tones of groups {how}",
            unit=Unit.ONE,
            direction=Direction.LOWER,
            neutral=None,
            bounds=None,
            group=f"{self.kind} fairness",
            texts=templates,
            headline=True,
        )
        found, draws = finding(score, rng, NAME), self.chance.size
        p = (1 + int((self.chance >= self.observed - 1e-12).sum())) / (draws + 1)
        kind = f"texts exchanged between the groups of a template, {draws} draws, one-sided"
        reason = None if found.estimate.interval else found.estimate.reason
        update = {"null": Null(p=p, kind=kind), "reason": reason}
        told = found.estimate.model_copy(update=update)
        return Fairness(score, found.model_copy(update={"estimate": told}))
