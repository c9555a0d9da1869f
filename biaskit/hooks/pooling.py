"""How the activations of a text become one vector, inside the hook."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from biaskit.errors import RunError
from biaskit.hooks.edits import Rows


class Pooling(StrEnum):
    """Which tokens of a text an activation is read from.

    `last` reads the last token (an encoder's mask token where it is asked for one), `span` the last
    token of the prompt's span, `mean` and `max` all tokens of the span (of the text where it has none).
    Padding and special tokens never enter a mean or a maximum.
    """

    LAST = "last"
    SPAN = "span"
    MEAN = "mean"
    MAX = "max"


def pooler(
    rows: Rows, spans: Bool[Tensor, "b t"] | None, pooling: Pooling
) -> Callable[[Float[Tensor, "b t d"]], Float[Tensor, "b d"]]:
    """Return what pools every activation of one batch, for `capture(..., pool=...)`.

    Args:
        rows: Where each sequence is read, and its tokens that are neither padding nor special.
        spans: True on the tokens of each prompt's span, all along a row that has no span; None where
            no prompt of the batch has one.
        pooling: Which tokens are read; see `Pooling`.

    Returns:
        `last`: a[position]; `span`: a[last token of the span]; `mean`, `max`: over the tokens of the
        span. Always float32.

    Raises:
        RunError: A span holds no token.
    """
    if pooling is Pooling.LAST:
        return _at(rows.position)
    tokens = rows.mask if spans is None else rows.mask & spans.to(rows.mask.device)
    _require_tokens(tokens, rows)
    if pooling is Pooling.SPAN:
        return _at(last_token(tokens))
    return _mean(tokens) if pooling is Pooling.MEAN else _maximum(tokens)


def pool(
    activation: Float[Tensor, "b t d"], rows: Rows, spans: Bool[Tensor, "b t"] | None, pooling: Pooling
) -> Float[Tensor, "b d"]:
    """Pool one activation, float32; see `pooler`."""
    return pooler(rows, spans, pooling)(activation)


def last_token(tokens: Bool[Tensor, "b t"]) -> Int[Tensor, " b"]:
    """Return the position of the last True in each row; 0 for a row without any."""
    places = torch.arange(tokens.shape[1], device=tokens.device)
    return torch.where(tokens, places, 0).amax(dim=1)


def _at(position: Tensor) -> Callable[[Tensor], Tensor]:
    def read(activation: Tensor) -> Tensor:
        sequence = torch.arange(len(activation), device=activation.device)
        return activation[sequence, position.to(activation.device)].float()

    return read


def _mean(tokens: Tensor) -> Callable[[Tensor], Tensor]:
    def read(activation: Tensor) -> Tensor:
        inside = tokens.to(activation.device)[..., None]
        # Padding may hold anything, NaN too, so it is left out rather than multiplied by zero.
        return torch.where(inside, activation.float(), 0.0).sum(dim=1) / inside.sum(dim=1)

    return read


def _maximum(tokens: Tensor) -> Callable[[Tensor], Tensor]:
    def read(activation: Tensor) -> Tensor:
        inside = tokens.to(activation.device)[..., None]
        return torch.where(inside, activation.float(), -torch.inf).amax(dim=1)

    return read


def _require_tokens(tokens: Tensor, rows: Rows) -> None:
    empty = rows.index[~tokens.any(dim=1).to(rows.index.device)].tolist()
    if empty:
        shown = ", ".join(map(str, empty[:5])) + (", …" if len(empty) > 5 else "")
        raise RunError(
            f"The span of {len(empty)} prompt(s) holds no token (rows {shown}).",
            why="The span is empty or white space, or its tokens were cut off.",
            fix="Check the character offsets of the prompts' spans, or pool with 'last'.",
        )
