"""What the head of a model reads off its last residual stream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from biaskit.errors import RequestError
from biaskit.hooks.finite import require_finite

_LOUD = 1e3


def logprobs(logits: Float[Tensor, "*n v"]) -> Float[Tensor, "*n v"]:
    """Return log-softmax of the logits over the vocabulary, float32, in nats.

    Raises:
        ActivationError: A logit is NaN or infinite.
    """
    require_finite(logits.reshape(-1, logits.shape[-1]), "the logits")
    return logits.float().log_softmax(dim=-1)


def norm_scale(norm: nn.Module | None, width: int) -> Float[Tensor, " d"]:
    """Return what a norm multiplies each normalised coordinate with, ones where there is no norm.

    A layer norm and an RMS norm agree on a vector of +-1 with mean 0, and both are odd apart from their
    bias. So (norm(x) - norm(-x)) / 2 / x is the scale, however the module stores it.
    """
    if norm is None:
        return torch.ones(width)
    weight = next(norm.parameters(), torch.zeros(()))
    signs = 1 - 2 * (torch.arange(width, device=weight.device) % 2)
    # A loud vector, because the norm adds a small number to its variance.
    loud = (_LOUD * signs).to(weight.dtype)[None, None]
    scale: Tensor = (norm(loud) - norm(-loud)) / (2 * signs)
    return scale[0, 0].float().cpu()


def unembedding_rows(module: Any, tokens: list[int], width: int) -> Float[Tensor, "k d"]:
    """Return rows of the output embedding in the coordinates of the normalised residual stream.

    Raises:
        RequestError: The head is not linear there, as in an encoder, or there is none.
    """
    if hasattr(module, "W_U"):
        columns: Tensor = module.W_U[:, tokens]
        return columns.T.detach().float().cpu()
    head = module.get_output_embeddings()
    if head is None:
        raise RequestError(f"{type(module).__name__} has no head that could be read.")
    rows: Tensor = head.weight[tokens].detach().float().cpu()
    projection = next((part for name, part in module.named_modules() if name.endswith("project_out")), None)
    if projection is not None:
        rows = rows @ projection.weight.detach().float().cpu()
    if rows.shape[1] != width:
        raise RequestError(f"The head of {type(module).__name__} does not read the residual stream directly.")
    return rows


def plain_head(module: Any, norm: nn.Module | None) -> Callable[[Tensor], Tensor] | None:
    """Return "final norm, then output embedding", or None where one of them is missing.

    A model may do more on the way (a projection, a cap on the logits), so the result is a guess until it has
    been compared with the model's own logits; see `agrees`.
    """
    head: Any = getattr(module, "get_output_embeddings", lambda: None)()
    # A cap that bends large logits only would pass a comparison on a row of small ones.
    capped = getattr(getattr(module, "config", None), "final_logit_softcapping", None)
    if norm is None or head is None or capped or not hasattr(head, "weight"):
        return None
    return lambda residual: head(norm(residual.to(head.weight.device, head.weight.dtype)))


def agrees(
    guess: Callable[[Tensor], Tensor], residual: Float[Tensor, "n d"], logprobs: Float[Tensor, "n v"]
) -> bool:
    """Tell whether a guessed head gives the model's own log-probabilities, to 1e-4."""
    try:
        found = guess(residual).float().log_softmax(-1).cpu()
    except (RuntimeError, TypeError):
        return False
    return found.shape == logprobs.shape and torch.allclose(found, logprobs, atol=1e-4)
