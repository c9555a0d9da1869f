"""Watching one forward pass: which modules ran, how often, and what went in and out of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from biaskit.errors import RunError
from biaskit.hooks.unwrap import activation_of


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One time that a module ran.

    Attributes:
        name: Its dotted path.
        module: The module.
        inputs: The first tensor it was called with by position; None where there is none.
        output: The first tensor it gave; None where it gave none.
        version: How often that tensor had been written into in place by then.
    """

    name: str
    module: nn.Module
    inputs: Tensor | None
    output: Tensor | None
    version: int = 0


@contextmanager
def trace(model: nn.Module) -> Iterator[list[Run]]:
    """Record every run of every module below `model` inside the block, in the order in which they end.

    The tensors are the model's own and stay alive as long as the list does: run a small batch. Every hook is
    taken off when the block is left, whatever leaves it.

    Yields:
        The list, which fills as modules end; a module that runs several times stands in it several times.
    """
    runs: list[Run] = []
    with ExitStack() as stack:
        for name, module in model.named_modules():
            if module is not model:
                stack.callback(module.register_forward_hook(_recording(name, runs)).remove)
        yield runs


def _recording(name: str, runs: list[Run]) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
    def record(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        given = _tensor(output, name)
        version = 0 if given is None or given.is_inference() else given._version  # noqa: SLF001  no public name
        runs.append(Run(name, module, _tensor(args, name), given, version))

    return record


def _tensor(value: Any, name: str) -> Tensor | None:
    with suppress(RunError):
        return activation_of(value, name)
    return None
