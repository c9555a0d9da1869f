"""What an analysis could leave behind: hooks, changed weights and modes, global generators."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

HOOKS, WEIGHTS, MODES, GENERATORS = "hooks", "weights", "modes", "global generators"
_TABLES = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


class InterruptedAnalysisError(Exception):
    """What `interrupting` raises inside the model."""


def hooks(module: nn.Module) -> int:
    """Return how many hooks a module and its parts carry."""
    return sum(len(getattr(part, table)) for part in module.modules() for table in _TABLES)


def traces(module: nn.Module) -> Mapping[str, str]:
    """Return a fingerprint of everything that an analysis must leave as it was."""
    modes = [(part.training, [one.requires_grad for one in part.parameters()]) for part in module.modules()]
    return {
        HOOKS: str(hooks(module)),
        WEIGHTS: _digest(module.state_dict()),
        MODES: str(modes),
        GENERATORS: _generators(),
    }


def _digest(state: Mapping[str, Any]) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(state.items()):
        digest.update(name.encode())
        if isinstance(value, torch.Tensor):
            digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _generators() -> str:
    """Return a digest of the global states of numpy and torch.

    Python's own `random` is left out: run-time type checkers draw from it.
    """
    state: Any = np.random.get_state(legacy=True)  # noqa: NPY002  the global state is what is watched
    digest = hashlib.sha256(repr((state[0], bytes(np.asarray(state[1])), state[2:])).encode())
    digest.update(torch.random.get_rng_state().numpy().tobytes())
    return digest.hexdigest()


@contextmanager
def interrupting(module: nn.Module, after: int = 3) -> Iterator[None]:
    """Make the model fail in the middle: its innermost parts raise after so many calls."""
    calls = [0]
    parts = [part for part in module.modules() if not list(part.children())]

    def failing(forward: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            calls[0] += 1
            if calls[0] >= after:
                raise InterruptedAnalysisError("the model was made to fail")
            return forward(*arguments, **named)

        return call

    for part in parts:
        part.forward = failing(part.forward)
    try:
        yield
    finally:
        for part in parts:
            del part.forward
