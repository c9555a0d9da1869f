"""Running a model's forward pass: what it is called with, and its logits where they are wanted."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from biaskit.errors import RequestError
from biaskit.models.batches import Batch

# Modules that turn an encoder's last hidden state into logits.
_MASKED_HEADS = {"bert": "cls", "roberta": "lm_head", "xlm-roberta": "lm_head", "camembert": "lm_head"}
# These derive positions from the attention mask or the token ids themselves, with offsets of their own.
_OWN_POSITIONS = frozenset({"opt", "bloom", "roberta", "xlm-roberta", "camembert"})


class Network(Protocol):
    """A module that is run on batches of tokens."""

    module: nn.Module
    has_head: bool
    device: torch.device
    attention: str

    def run(self, batch: Batch) -> None:
        """Run a forward pass for what is captured on the way."""

    def logits(self, batch: Batch, at: Int[Tensor, "b k"]) -> Float[Tensor, "b k v"]:
        """Return the logits at tokens `at` of each sequence.

        Raises:
            RequestError: The model has no language-modelling head.
        """


class TransformersNetwork:
    """A model of the transformers library.

    Attributes:
        module: The model.
        has_head: Whether it gives logits.
        device: Where token ids are put.
        attention: The attention implementation in use.
    """

    def __init__(self, module: nn.Module, architecture: str) -> None:
        self.module: Any = module
        config: Any = self.module.config
        self.has_head = getattr(module, "get_output_embeddings", lambda: None)() is not None
        self.device: torch.device = _input_device(self.module)
        self.attention: str = config._attn_implementation or "eager"  # noqa: SLF001  no public name
        self._takes = frozenset(inspect.signature(module.forward).parameters)
        self._sets_positions = architecture not in _OWN_POSITIONS
        self._head = _MASKED_HEADS.get(architecture, "")

    def run(self, batch: Batch) -> None:
        """Run a forward pass for what is captured on the way."""
        self.module(**self._inputs(batch))

    def logits(self, batch: Batch, at: Int[Tensor, "b k"]) -> Float[Tensor, "b k v"]:
        """Return the logits at tokens `at` of each sequence; the head runs at no other place.

        Raises:
            RequestError: The model has no language-modelling head.
        """
        if not self.has_head:
            raise no_head(type(self.module).__name__)
        if "logits_to_keep" in self._takes:
            kept, place = torch.unique(at, return_inverse=True)
            return take(self.module(**self._inputs(batch), logits_to_keep=kept).logits, place)
        if hasattr(self.module, self._head):
            hidden = self.module.base_model(**self._inputs(batch)).last_hidden_state
            logits: Tensor = getattr(self.module, self._head)(take(hidden, at))
            return logits
        return take(self.module(**self._inputs(batch)).logits, at)

    def _inputs(self, batch: Batch) -> dict[str, Any]:
        inputs: dict[str, Any] = {"input_ids": batch.ids}
        padded = not bool(batch.attention.all())
        if padded or self._looks_padded(batch.ids):
            inputs["attention_mask"] = batch.attention.long()
        if padded and self._sets_positions and "position_ids" in self._takes:
            inputs["position_ids"] = batch.positions
        if "use_cache" in self._takes:
            inputs["use_cache"] = False
        return inputs

    def _looks_padded(self, ids: Int[Tensor, "b t"]) -> bool:
        """Whether transformers would warn: special tokens at an end can be the padding token too."""
        token = getattr(self.module.config, "pad_token_id", None)
        return token is not None and bool((ids[:, [0, -1]] == token).any())


def _input_device(module: Any) -> torch.device:
    weight = next(module.get_input_embeddings().parameters())
    # Weights that accelerate keeps on disk or in main memory stand on `meta` between forward passes.
    return torch.device(torch.accelerator.current_accelerator() or "cpu") if weight.is_meta else weight.device


def no_head(name: str) -> RequestError:
    """Return the error for a model that predicts no tokens."""
    return RequestError(
        f"{name} predicts no words, so its behaviour cannot be read.",
        why="It is an encoder without a language-modelling head.",
        fix="Read its activations only, or audit a model that has one (…ForCausalLM, …ForMaskedLM).",
    )


@contextmanager
def at_rest(module: nn.Module, *, frozen: bool = False) -> Iterator[None]:
    """Put a model in evaluation mode (and `frozen`: no parameter asks for a gradient), then restore it."""
    training = [part for part in module.modules() if part.training]
    learning = [weight for weight in module.parameters() if weight.requires_grad] if frozen else []
    for part in training:
        part.training = False
    for weight in learning:
        weight.requires_grad_(False)  # noqa: FBT003  torch takes it by position only
    try:
        yield
    finally:
        for part in training:
            part.training = True
        for weight in learning:
            weight.requires_grad_(True)  # noqa: FBT003  torch takes it by position only


@contextmanager
def forward_only(module: nn.Module) -> Iterator[None]:
    """Run a model in evaluation mode and without gradients."""
    # accelerate puts weights in place while a spread-out model runs; made in inference mode, no gradient
    # could pass through them ever after.
    spread = hasattr(module, "hf_device_map")
    with at_rest(module), torch.no_grad() if spread else torch.inference_mode():
        yield


def take(values: Float[Tensor, "b t c"], at: Int[Tensor, "b k"]) -> Float[Tensor, "b k c"]:
    """Return the values at tokens `at` of each sequence."""
    index = at.to(values.device)[:, :, None].expand(-1, -1, values.shape[-1])
    return values.gather(1, index)
