"""Which prompts and comparisons a question about words needs, and how the answers are put together.

| quantity | comparisons |
|---|---|
| MI, what a word says | (word over nothing) |
| CMI, what it adds to the rest of a prompt | (the prompt over the prompt without the word) |
| PID of two words | (first), (second) and (both) over nothing |
| CPID, given the rest of a prompt | the same three over the prompt without both words |

Prompts and comparisons that several questions have in common stand in a `Design` once, so that all pairs of n
words cost `1 + n + n (n - 1) / 2` prompts, where pair by pair they would cost `4 n (n - 1) / 2`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from typing import NamedTuple, TypeAlias

from jaxtyping import Float
from numpy import ndarray

from biaskit.decomposition.contrast import Contrast
from biaskit.decomposition.redundancy import Informations
from biaskit.errors import RequestError

Words: TypeAlias = tuple[str, str]


class Question(NamedTuple):
    """What some words say of an image, i(x; said | given).

    Attributes:
        said: The words.
        given: The prompt that is known already; empty for none.
    """

    said: tuple[str, ...]
    given: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """Prompts, each once, and what is compared.

    Attributes:
        prompts: The prompts.
        contrasts: The comparison that answers each question; their order is that of the measured columns.
    """

    prompts: tuple[str, ...]
    contrasts: Mapping[Question, Contrast]

    def of(self, values: Float[ndarray, "n c ..."], question: Question) -> Float[ndarray, "n ..."]:
        """Return a question's column of what was measured: MI, or CMI where something is given.

        Args:
            values: One row an image, one column a comparison, and perhaps pixels.
            question: The question.

        Raises:
            RequestError: The design does not ask it.
        """
        if question not in self.contrasts:
            asked = "; ".join(_spoken(each) for each in self.contrasts)
            raise RequestError(
                f"It was not asked what {_spoken(question)} says.", why=f"Asked were: {asked}."
            )
        return values[:, list(self.contrasts).index(question)]

    def informations(
        self,
        values: Float[ndarray, "n c ..."],
        pair: Words,
        given: str = "",
        surprisals: tuple[float, float] = (0.0, 0.0),
    ) -> Informations:
        """Return what PID takes apart, or CPID where something is given.

        Args:
            values: One row an image, one column a comparison, and perhaps pixels.
            pair: The two words.
            given: The prompt without both words, for CPID.
            surprisals: -log of the prior probability of each word, in nats.

        Raises:
            RequestError: The design does not ask for the pair.
        """
        one, other = pair
        return Informations(
            first=self.of(values, Question((one,), given)),
            second=self.of(values, Question((other,), given)),
            both=self.of(values, Question((one, other), given)),
            surprisals=surprisals,
        )


def pair_design(words: Sequence[str]) -> Design:
    """Return MI of every word and PID of every pair: `1 + n + n (n - 1) / 2` prompts, 37 for 8 words."""
    said = chain(((word,) for word in words), combinations(words, 2))
    return _design(("", " ".join(each), Question(each)) for each in said)


def group_design(target: str, groups: Sequence[str]) -> Design:
    """Return PID of a target with each group, and CMI of the group given the target: `2 + 2 G` prompts.

    The prompts are the words themselves, the group before the target, as in `female nurse`.
    """
    alone = [("", word, Question((word,))) for word in (target, *groups)]
    joint = [("", f"{group} {target}", Question((group, target))) for group in groups]
    given = [(target, f"{group} {target}", Question((group,), target)) for group in groups]
    return _design([*alone, *joint, *given])


def leave_one_out_design(prompt: str, words: Sequence[str]) -> Design:
    """Return CMI of each word given the rest of a prompt: `1 + n` prompts.

    Raises:
        RequestError: A word does not stand in the prompt.
    """
    rests = [(without(prompt, (word,)), word) for word in words]
    return _design((rest, prompt, Question((word,), rest)) for rest, word in rests)


def pairs_in_prompt_design(prompt: str, pairs: Sequence[Words]) -> Design:
    """Return CPID of pairs of a prompt's words; all pairs of n words cost `1 + n + n (n - 1) / 2` prompts.

    Raises:
        RequestError: A word does not stand in the prompt.
    """
    asked = []
    for one, other in pairs:
        rest = without(prompt, (one, other))
        asked += [
            (rest, without(prompt, (other,)), Question((one,), rest)),
            (rest, without(prompt, (one,)), Question((other,), rest)),
            (rest, prompt, Question((one, other), rest)),
        ]
    return _design(asked)


def conditional(found: Informations) -> tuple[Float[ndarray, ...], Float[ndarray, ...]]:
    """Return i(x; y1 | y2) = i12 - i2 and i(x; y2 | y1) = i12 - i1.

    The chain rule holds at each image for log-ratios (`standard`); for squared differences (`orthogonal`) it
    holds on average alone, and a conditional information is then to be asked for by itself.
    """
    return found.both - found.second, found.both - found.first


def without(prompt: str, words: Iterable[str], instead: str = "") -> str:
    """Return a prompt without some of its words or phrases, or with another in their place, in single spaces.

    Words are found whole, in any case, at all their places; a blank that is left before a comma or a full
    stop goes too.

    Raises:
        RequestError: A word does not stand in the prompt.
    """
    left = prompt
    for word in words:
        spelt = r"\s+".join(map(re.escape, word.split()))
        left, found = re.subn(rf"(?<!\w){spelt}(?!\w)", lambda _: instead, left, flags=re.IGNORECASE)
        if not spelt or not found:
            raise RequestError(
                f"'{word}' does not stand in '{prompt}'.", fix="Name words as the prompt has them."
            )
    return re.sub(r"\s+([,.;:!?])", r"\1", " ".join(left.split()))


def _design(asked: Iterable[tuple[str, str, Question]]) -> Design:
    """Number prompts in the order in which they are met, what is given before what is added."""
    prompts: dict[str, int] = {}
    contrasts: dict[Question, Contrast] = {}
    for given, added, question in asked:
        first = prompts.setdefault(given, len(prompts))
        contrasts[question] = Contrast(added=prompts.setdefault(added, len(prompts)), given=first)
    return Design(tuple(prompts), contrasts)


def _spoken(question: Question) -> str:
    said = " with ".join(f"'{word}'" for word in question.said)
    return f"{said} over '{question.given}'" if question.given else said
