"""Neutral text on which the damage of an intervention is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from biaskit.records.probe_set import expand
from biaskit.records.prompt import Prompt

if TYPE_CHECKING:
    from biaskit.session import Comparison, Session

PROMPTS = 64


def neutral_prompts(session: Session, comparison: Comparison) -> tuple[list[Prompt], list[str]]:
    """Return beginnings of the targets' own sentences with neutral nouns in them, and their templates.

    A sentence is cut after its noun or at a later word, at random, so that what comes next is open.
    """
    rng = session.rng(f"biaslens/neutral/{comparison.targets.name}")
    examples = expand(comparison.targets.templates, comparison.controls.fillers)
    drawn = rng.choice(len(examples), size=min(PROMPTS, len(examples)), replace=False)
    prompts, templates = [], []
    for index in sorted(drawn):
        example = examples[index]
        rest = example.text[example.span[1] :].rstrip(".").split(" ")
        kept = " ".join(rest[: int(rng.integers(1, len(rest) + 1))])
        prompts.append(Prompt(example.text[: example.span[1]] + kept.rstrip(",;:"), example.span))
        templates.append(example.template)
    return prompts, templates
