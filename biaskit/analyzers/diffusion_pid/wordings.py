"""The prompts of a target: alone, each group alone, and both, in the words of one template."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from biaskit.records.probe_set import SLOT

if TYPE_CHECKING:
    from biaskit.session import GroupComparison


@dataclass(frozen=True, slots=True)
class Wording:
    """One template, filled in every way that is compared.

    Attributes:
        template: The template, with its slot.
        alone: With the target's noun, such as `a photo of the nurse`.
        groups: With each group's word, such as `a photo of the female`, in the order of the groups.
        joint: With both, such as `a photo of the female nurse`.
    """

    template: str
    alone: str
    groups: tuple[str, ...]
    joint: tuple[str, ...]

    @property
    def prompts(self) -> tuple[str, ...]:
        """The empty prompt and all of the others, 2 + 2G of them."""
        return ("", self.alone, *self.groups, *self.joint)


def wordings(compared: GroupComparison, target: str) -> tuple[Wording, ...]:
    """Return the prompts of a target, template by template.

    Where a target has several nouns, a group several words, or the two several forms, the templates take
    them in turn, so that each template has words of its own and the comparison spans them all.
    """
    return tuple(
        _wording(compared, target, place, template)
        for place, template in enumerate(compared.targets.templates)
    )


def _wording(compared: GroupComparison, target: str, place: int, template: str) -> Wording:
    nouns, groups = compared.targets.targets[target], compared.groups
    noun, form = nouns[place % len(nouns)], groups.forms[place % len(groups.forms)]
    words = [each[place % len(each)] for each in groups.groups.values()]
    return Wording(
        template=template,
        alone=template.replace(SLOT, noun),
        groups=tuple(template.replace(SLOT, word) for word in words),
        joint=tuple(template.replace(SLOT, groups.joined(word, noun, form)) for word in words),
    )
