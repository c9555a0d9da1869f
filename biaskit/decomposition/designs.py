"""Which prompts a question needs, each once, and which of them are compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from biaskit.decomposition.contrast import Contrast


@dataclass(eq=False)
class Design:
    """A growing list of prompts and contrasts; equal prompts and equal contrasts stand in it once.

    Attributes:
        prompts: The prompts.
        contrasts: What is compared.
    """

    prompts: list[str] = field(default_factory=list)
    contrasts: list[Contrast] = field(default_factory=list)

    def ask(self, added: str, given: str = "") -> int:
        """Add i(x; added | given) and return its number among the contrasts."""
        pair = Contrast(self._number(added), self._number(given))
        if pair not in self.contrasts:
            self.contrasts.append(pair)
        return self.contrasts.index(pair)

    def _number(self, prompt: str) -> int:
        if prompt not in self.prompts:
            self.prompts.append(prompt)
        return self.prompts.index(prompt)


def all_pairs(words: Sequence[str]) -> tuple[Design, dict[tuple[str, ...], int]]:
    """Return the design of every word and every pair of words over the empty prompt.

    n words need `1 + n + n (n - 1) / 2` prompts, where pair by pair they would need `4 n (n - 1) / 2`.

    Returns:
        The design, and the number of the contrast of each word and pair.
    """
    design = Design()
    singles = {(word,): design.ask(word) for word in words}
    pairs = {pair: design.ask(" ".join(pair)) for pair in combinations(words, 2)}
    return design, {**singles, **pairs}


def grouped(alone: str, groups: Iterable[str], joint: Iterable[str]) -> Design:
    """Return the design of a target over groups: `2 + 2 G` prompts for G groups.

    The contrasts are, in order: the target, each group, each group with the target, all over the empty prompt;
    then each group with the target over the target.
    """
    design, both = Design(), tuple(joint)
    for prompt in (alone, *groups, *both):
        design.ask(prompt)
    for prompt in both:
        design.ask(prompt, given=alone)
    return design
