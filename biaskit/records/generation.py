"""How a language model writes."""

from __future__ import annotations

from typing import NamedTuple


class Generation(NamedTuple):
    """How a model writes.

    Attributes:
        tokens: Most new tokens.
        samples: Continuations of each prompt.
        temperature: Divides the logits; 0 takes the likeliest token.
        top_p: Only the likeliest tokens that hold this share of the probability are drawn from.
        seed: Seed of the draws; each sample of each prompt has a stream of its own.
    """

    tokens: int = 20
    samples: int = 1
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int = 0


PLAIN_GENERATION = Generation()
"""How a model writes where nothing else is said."""
