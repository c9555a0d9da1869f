"""Attention weights of a transformers model that can compute them one by one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from biaskit.errors import RequestError


def attentions_of(module: nn.Module, taken: Float[Tensor, "n c h w"]) -> list[Float[Tensor, "n a t t"]]:
    """Return the attention weights of every block, bottom first, float32 on the CPU.

    The model runs with eager attention for this one pass; fused kernels keep no weights.

    Raises:
        RequestError: It is no transformers model, has no attention, or attends within windows.
    """
    model: Any = module
    if not callable(getattr(module, "set_attn_implementation", None)):
        raise _unreadable("It is no model of the transformers library.")
    with _eager(model):
        try:
            output = model(taken, output_attentions=True)
        except (TypeError, ValueError) as error:
            raise _unreadable(str(error).split("\n")[0]) from error
    found = [weights for weights in getattr(output, "attentions", None) or () if weights is not None]
    if not found:
        raise _unreadable("It gives no attention weights, as a convolutional network.")
    if any(weights.ndim != 4 or len(weights) != len(taken) for weights in found):
        raise _unreadable(
            "It attends within windows, so that no weight says what a place sees of the whole image."
        )
    return [weights.float().cpu() for weights in found]


@contextmanager
def _eager(model: Any) -> Iterator[None]:
    before = model.config._attn_implementation  # noqa: SLF001  the library has no public name for it
    if before == "eager":
        yield
        return
    try:
        model.set_attn_implementation("eager")
    except ValueError as error:
        raise _unreadable(str(error).split("\n")[0]) from error
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def _unreadable(why: str) -> RequestError:
    return RequestError(
        "This model has no attention that can be read.",
        why=why,
        fix="Use grad-cam or occlusion instead of attention rollout.",
    )
