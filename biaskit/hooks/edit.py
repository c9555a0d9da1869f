"""Changing activations while a model runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from torch import Tensor, nn

from biaskit.errors import RunError
from biaskit.hooks.unwrap import Side, attach, find_modules


@contextmanager
def edit(
    model: nn.Module,
    changes: Mapping[nn.Module, Callable[[Tensor], Tensor]]
    | Mapping[str, Callable[[Tensor], Tensor]]
    | Mapping[nn.Module | str, Callable[[Tensor], Tensor]],
    *,
    read: Side = "output",
) -> Iterator[None]:
    """Put each activation through its change in every forward pass inside the block.

    A change gets the activation and returns a tensor of the same shape, which is cast back to the
    activation's dtype and device. A change that returns the tensor it was given leaves the model's
    output bit-identical. A change must not write into the tensor it is given. Every hook is taken off
    when the block is left, whatever leaves it. Edits nest: the outer one is applied first.

    Args:
        model: The model that is run, or any part of it.
        changes: For each module, or its dotted path, what becomes of its activation.
        read: Whether the module's `output` or its `input` is changed.

    Raises:
        UnknownNameError: A path names no module; near ones are given.
        RunError: A change gives another shape, or was never applied.
    """
    applied: set[str] = set()
    places = find_modules(model, changes)
    with ExitStack() as stack:
        for (name, module), change in zip(places, changes.values(), strict=True):
            stack.callback(attach(module, read, name, _changing(name, change, applied)))
        yield
    untouched = [name for name, _ in places if name not in applied]
    if untouched:
        raise RunError(
            f"The edit of {', '.join(map(repr, untouched))} was never applied.",
            why="The forward pass inside the block did not run through there.",
            fix="Check the module, and that the model is called inside the block.",
        )


def _changing(
    name: str, change: Callable[[Tensor], Tensor], applied: set[str]
) -> Callable[[Tensor], Tensor | None]:
    def replace(activation: Tensor) -> Tensor | None:
        applied.add(name)
        changed = change(activation)
        if changed is activation:
            return None
        if changed.shape != activation.shape:
            raise RunError(
                f"The edit of '{name}' turned shape {tuple(activation.shape)} into {tuple(changed.shape)}.",
                fix="An edit must keep the activation's shape.",
            )
        return changed.to(device=activation.device, dtype=activation.dtype)

    return replace
