"""How likely the model finds sentences, whole or after a context."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from biaskit.behaviour.tokens import Scored
from biaskit.errors import NothingAuditedError, TextTooLongError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from biaskit.protocols import LanguageModel

_Item = TypeVar("_Item")


def scored(model: LanguageModel, texts: Sequence[str]) -> dict[str, Scored]:
    """Return each text with the log-probability of its tokens; each is asked once."""
    once = list(dict.fromkeys(texts))
    found = model.text_logprobs(once)
    return {
        text: Scored(one.tokens, one.logprobs.double().numpy()) for text, one in zip(once, found, strict=True)
    }


def scored_items(
    model: LanguageModel, items: Sequence[_Item], texts_of: Callable[[_Item], Sequence[str]], what: str
) -> tuple[list[_Item], dict[str, Scored], tuple[str, ...]]:
    """Score the texts of each item; items with a text longer than the model reads are left out, and counted.

    Raises:
        NothingAuditedError: No item is short enough.
    """
    kept = list(items)
    try:
        return kept, scored(model, [text for item in kept for text in texts_of(item)]), ()
    except TextTooLongError as error:
        kept = [item for item in items if not error.lengths.keys() & set(texts_of(item))]
        lost, limit = len(items) - len(kept), error.limit
    if not kept:
        raise NothingAuditedError(f"{what}: every item is longer than the {limit} tokens the model reads.")
    said = (
        f"{what}: {lost} of {len(items)} items are longer than the {limit} tokens the model reads; left out."
    )
    return kept, scored(model, [text for item in kept for text in texts_of(item)]), (said,)


def totals(model: LanguageModel, texts: Sequence[str]) -> Float[ndarray, " n"]:
    """Return the log-probability of each whole text, in nats."""
    known = scored(model, texts)
    return np.array([float(known[text].logprobs.sum()) for text in texts])


def followed(context: str, sentences: Sequence[str]) -> list[str]:
    """Return the context, and the context with each sentence behind it."""
    return [context, *(f"{context} {sentence}" for sentence in sentences)]


def means_after(known: Mapping[str, Scored], context: str, sentences: Sequence[str]) -> list[float]:
    """Return the mean log-probability per token of each sentence that follows its context, in nats.

    The sentence's tokens are those behind the longest beginning that the context alone has too.
    """
    alone, *joined = followed(context, sentences)
    return [_mean_behind(known[alone], known[text]) for text in joined]


def _mean_behind(context: Scored, whole: Scored) -> float:
    pairs = zip(context.tokens, whole.tokens, strict=False)
    start = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(context.tokens), len(whole.tokens)))
    return mean_logprob(whole.logprobs[start:])


def mean_logprob(logprobs: Float[ndarray, " t"]) -> float:
    """Return the mean over tokens; no token at all is no text, and less likely than any."""
    return float(logprobs.mean()) if logprobs.size else float("-inf")
