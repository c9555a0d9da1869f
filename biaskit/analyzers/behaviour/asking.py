"""How likely the model finds sentences, whole or after a context."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from biaskit.behaviour.tokens import Scored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biaskit.protocols import LanguageModel


def scored(model: LanguageModel, texts: Sequence[str]) -> dict[str, Scored]:
    """Return each text with the log-probability of its tokens; each is asked once."""
    once = list(dict.fromkeys(texts))
    found = model.text_logprobs(once)
    return {
        text: Scored(one.tokens, one.logprobs.double().numpy()) for text, one in zip(once, found, strict=True)
    }


def totals(model: LanguageModel, texts: Sequence[str]) -> Float[ndarray, " n"]:
    """Return the log-probability of each whole text, in nats."""
    known = scored(model, texts)
    return np.array([float(known[text].logprobs.sum()) for text in texts])


def means_after(
    model: LanguageModel, contexts: Sequence[str], sentences: Sequence[str]
) -> Float[ndarray, " n"]:
    """Return the mean log-probability per token of each sentence that follows its context, in nats.

    The sentence's tokens are those behind the longest beginning that the context alone has too.
    """
    joined = [f"{context} {sentence}" for context, sentence in zip(contexts, sentences, strict=True)]
    known = scored(model, [*contexts, *joined])
    return np.array(
        [_mean_behind(known[context], known[text]) for context, text in zip(contexts, joined, strict=True)]
    )


def _mean_behind(context: Scored, whole: Scored) -> float:
    pairs = zip(context.tokens, whole.tokens, strict=False)
    start = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(context.tokens), len(whole.tokens)))
    return mean_logprob(whole.logprobs[start:])


def mean_logprob(logprobs: Float[ndarray, " t"]) -> float:
    """Return the mean over tokens; no token at all is no text, and less likely than any."""
    return float(logprobs.mean()) if logprobs.size else float("-inf")
