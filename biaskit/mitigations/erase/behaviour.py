"""The behavioural gap of some units, with or without edits in force, and the prompts it is read from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray

from biaskit.concepts.pole_tokens import PoleTokens, pole_tokens
from biaskit.records.probe_set import REFERENCE_SLOT, TARGET_SLOT, expand
from biaskit.records.prompt import Prompt
from biaskit.records.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from biaskit.hooks.edits import Edit
    from biaskit.mitigations.erase.units import Units
    from biaskit.protocols import LanguageModel
    from biaskit.records.site import Site
    from biaskit.session import Comparison

NEUTRAL_PROMPTS = 64


@dataclass(frozen=True, slots=True, eq=False)
class Behaviour:
    """Reads one comparison in one direction.

    Attributes:
        model: The model.
        reading: What is given and what is asked for.
        tokens: The next tokens that stand for the poles.
    """

    model: LanguageModel
    reading: Reading
    tokens: PoleTokens

    @classmethod
    def of(cls, model: LanguageModel, comparison: Comparison, reading: Reading) -> Behaviour:
        """Look up what the model's tokenizer makes of the poles' words.

        Raises:
            NothingAuditedError: One of the poles has no word of one token.
        """
        return cls(model, reading, pole_tokens(model, comparison))

    def turned(self) -> Behaviour:
        """Return the same comparison read in the other direction."""
        other = Reading.GIVEN_REFERENCE if self.reading is Reading.GIVEN_TARGET else Reading.GIVEN_TARGET
        return Behaviour(self.model, other, self.tokens)

    def prompts(self, units: Units) -> list[Prompt]:
        """Return the stems filled with every word, or with the first pole's words and then the second's."""
        if self.reading is Reading.GIVEN_TARGET:
            examples = expand(units.stems, units.columns, TARGET_SLOT)
        else:
            examples = expand(units.reverse_stems, (*units.poles[0], *units.poles[1]), REFERENCE_SLOT)
        return [Prompt(example.text, example.span) for example in examples]

    def cells(self, units: Units, edits: Mapping[Site, Edit] | None = None) -> Float[ndarray, "g n"]:
        """Return one row a stem and one column a word (targets', then neutral), in nats.

        References given the target: log P(first pole's words) - log P(second pole's). The target given the
        references: log P(word | first pole) - log P(word | second pole), averaged over the poles' words. Each
        row less the mean of its neutral words.
        """
        found = self._given_target(units, edits) if self._by_noun else self._given_reference(units, edits)
        controls = found[:, len(units.words) :]
        centred: Float[ndarray, "g n"] = found - controls.mean(axis=1, keepdims=True)
        return centred

    def concept(self, units: Units) -> Float[ndarray, " n"]:
        """Return what is to be erased of each of `prompts`: its cell in nats, or its pole as +1 and -1."""
        if self._by_noun:
            return self.cells(units).ravel()
        count = len(units.poles[0])
        signs = np.repeat([1.0, -1.0], count)
        return np.tile(signs, len(units.reverse_stems))

    def owners(self, units: Units) -> Int[ndarray, " n"]:
        """Return the number of the word that stands in each of `prompts`."""
        count = len(units.columns) if self._by_noun else 2 * len(units.poles[0])
        stems = units.stems if self._by_noun else units.reverse_stems
        owners: Int[ndarray, " n"] = np.tile(np.arange(count), len(stems))
        return owners

    def spoken(self, units: Units) -> int:
        """Return how many of the words in `prompts` are not neutral: the targets', or both poles'."""
        return len(units.words) if self._by_noun else 2 * len(units.poles[0])

    @property
    def _by_noun(self) -> bool:
        return self.reading is Reading.GIVEN_TARGET

    def _given_target(self, units: Units, edits: Mapping[Site, Edit] | None) -> Float[ndarray, "g n"]:
        first = len(self.tokens.first)
        found = self.model.next_token_logprobs(self.prompts(units), self.tokens.all, edits).double()
        odds = torch.logsumexp(found[:, :first], 1) - torch.logsumexp(found[:, first:], 1)
        return odds.view(len(units.stems), -1).numpy()

    def _given_reference(self, units: Units, edits: Mapping[Site, Edit] | None) -> Float[ndarray, "g n"]:
        known = self.model.single_token_words(units.columns)
        tokens = [known[word] for word in units.columns]
        found = self.model.next_token_logprobs(self.prompts(units), tokens, edits).double()
        by_pole = found.view(len(units.reverse_stems), 2, len(units.poles[0]), -1).mean(2)
        return (by_pole[:, 0] - by_pole[:, 1]).numpy()


def readable(units: Units, model: LanguageModel) -> Units:
    """Return the units without the words that are not one token, which no reading of words can use."""
    known = model.single_token_words(units.columns)
    kept = {name: tuple(w for w in words if w in known) for name, words in units.targets.items()}
    controls = tuple(word for word in units.controls if word in known)
    targets = {name: words for name, words in kept.items() if words}
    return units.model_copy(update={"targets": targets, "controls": controls})


def neutral_prompts(
    units: Units, rng: np.random.Generator, most: int = NEUTRAL_PROMPTS
) -> tuple[list[Prompt], np.ndarray]:
    """Return beginnings of neutral sentences, cut after a random word, and the template of each."""
    examples = expand(units.templates, units.controls)
    drawn = rng.choice(len(examples), size=min(most, len(examples)), replace=False)
    prompts, templates = [], []
    for index in sorted(drawn.tolist()):
        example = examples[index]
        rest = example.text[example.span[1] :].rstrip(".").split(" ")
        kept = " ".join(rest[: int(rng.integers(1, len(rest) + 1))])
        prompts.append(Prompt(example.text[: example.span[1]] + kept.rstrip(",;:"), example.span))
        templates.append(example.template)
    return prompts, np.array(templates)
