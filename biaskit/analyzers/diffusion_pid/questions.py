"""Prompts and comparisons of one wording, each once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from biaskit.decomposition.contrast import Contrast


@dataclass(eq=False)
class Questions:
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


def of_groups(alone: str, groups: Iterable[str], joint: Iterable[str]) -> Questions:
    """Return the questions about a target over groups: `2 + 2 G` prompts for G groups.

    The contrasts are, in order: the target, each group, each group with the target, all over the empty
    prompt; then each group with the target over the target.
    """
    questions, both = Questions(), tuple(joint)
    for prompt in (alone, *groups, *both):
        questions.ask(prompt)
    for prompt in both:
        questions.ask(prompt, given=alone)
    return questions
