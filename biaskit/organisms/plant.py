"""Check that the plant took: does the model's behaviour rank the doses, and with slope 1?"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from scipy.stats import linregress, spearmanr

from biaskit.records.probe_set import REFERENCE_SLOT, TARGET_SLOT
from biaskit.records.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

    from biaskit.organisms.language import Language
    from biaskit.records.probe_set import ReferencePair

RANK_AT_LEAST = 0.97
SLOPE_WITHIN = (0.85, 1.15)
FOLLOWS_AT = 0.9
FORMED_SLOPE = 1.5


@dataclass(frozen=True, slots=True)
class Ladder:
    """How well the behaviour follows one ladder.

    Attributes:
        pair: The reference pair.
        reading: The reading in which it was planted.
        rank: Spearman correlation of the targets' behavioural log-odds with their doses; None where all
            doses are 0.
        slope: Least-squares slope of the log-odds on the doses; 1 is a perfect plant.
        spread: Standard deviation of the neutral controls' log-odds, in nats.
    """

    pair: str
    reading: str
    rank: float | None
    slope: float | None
    spread: float

    @property
    def took(self) -> bool:
        """Tell whether rank and slope are good enough to prove an analyzer on."""
        if self.rank is None or self.slope is None:
            return False
        return self.rank >= RANK_AT_LEAST and SLOPE_WITHIN[0] <= self.slope <= SLOPE_WITHIN[1]

    @property
    def follows(self) -> bool:
        """Tell whether the behaviour ranks the doses and is not flat, so that more steps will sharpen it."""
        return (self.rank or 0.0) >= FOLLOWS_AT and (self.slope or 0.0) >= FOLLOWS_AT

    @property
    def formed(self) -> bool:
        """Tell whether the behaviour follows the larger doses of the primer, and not only the planted ones.

        A ladder that merely `follows` may still be half formed; training on the planted doses then keeps
        it so.
        """
        return (self.rank or 0.0) >= RANK_AT_LEAST and (self.slope or 0.0) >= FORMED_SLOPE

    def as_dict(self) -> dict[str, float | str | None]:
        """Return the fields as plain data."""
        return asdict(self)


def check(model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, language: Language) -> list[Ladder]:
    """Measure every planted ladder in the model's behaviour.

    Behaviour of a noun: log-odds of the first pole given the noun, or of the noun given the first pole
    rather than the second, averaged over stems, in nats. A target's is the mean over its fillers.
    """
    return [
        _ladder(model, tokenizer, language, pair) for pair in language.pairs if pair.name in language.planted
    ]


def _ladder(
    model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, language: Language, pair: ReferencePair
) -> Ladder:
    reading = language.planted[pair.name]
    nouns = language.nouns()
    measure = given_target if reading is Reading.GIVEN_TARGET else given_reference
    odds = dict(zip(nouns, measure(model, tokenizer, language, pair), strict=True))
    by_target: dict[str, list[float]] = {}
    for noun, target in nouns.items():
        if target is not None:
            by_target.setdefault(target, []).append(odds[noun])
    doses = [language.doses[pair.name][target] for target in by_target]
    means = [float(np.mean(values)) for values in by_target.values()]
    spread = float(np.std([odds[noun] for noun, target in nouns.items() if target is None]))
    if not any(doses):
        return Ladder(pair.name, str(reading), None, None, spread)
    return Ladder(
        pair.name, str(reading), float(spearmanr(doses, means)[0]), float(linregress(doses, means)[0]), spread
    )


def given_target(
    model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, language: Language, pair: ReferencePair
) -> Float[ndarray, " n"]:
    """Return log P(first pole's words | noun) - log P(second pole's), for each noun, in nats."""
    stems = pair.stems[language.controls.noun_class]
    prompts = [stem.replace(TARGET_SLOT, noun) for noun in language.nouns() for stem in stems]
    first, second = (
        [tokenizer.encode(f" {word}")[0] for word in pair.continuations[pole]] for pole in pair.poles
    )
    logprobs = next_logprobs(model, tokenizer, prompts)
    odds = logprobs[:, first].logsumexp(1) - logprobs[:, second].logsumexp(1)
    return odds.view(-1, len(stems)).mean(1).double().numpy()


def given_reference(
    model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, language: Language, pair: ReferencePair
) -> Float[ndarray, " n"]:
    """Return log P(noun's first token | first pole) - log P(it | second pole), for each noun, in nats."""
    stems = pair.reverse_stems[language.controls.noun_class]
    tokens = [tokenizer.encode(f" {noun}")[0] for noun in language.nouns()]
    means = []
    for pole in pair.poles:
        prompts = [stem.replace(REFERENCE_SLOT, word) for stem in stems for word in pair.fillers[pole]]
        means.append(next_logprobs(model, tokenizer, prompts)[:, tokens].mean(0))
    return (means[0] - means[1]).double().numpy()


@torch.inference_mode()
def next_logprobs(
    model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, prompts: Sequence[str]
) -> Tensor:
    """Return log-probabilities of the next token after each prompt, (n, vocabulary), in nats."""
    rows = []
    for start in range(0, len(prompts), 256):
        texts = [f"{tokenizer.bos_token}{text}" for text in prompts[start : start + 256]]
        batch = tokenizer(texts, return_tensors="pt", padding=True, padding_side="right")
        logits = model(**batch).logits
        last = batch["attention_mask"].sum(1) - 1
        rows.append(logits[torch.arange(len(texts)), last].log_softmax(-1))
    return torch.cat(rows)
