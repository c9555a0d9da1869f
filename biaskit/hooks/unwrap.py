"""Finding the activation in whatever a module takes in or gives out, and putting a new one in its place."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any, Literal, TypeAlias

from torch import Tensor, nn

from biaskit.errors import RunError, UnknownNameError

Side: TypeAlias = Literal["output", "input"]
Inputs: TypeAlias = tuple[tuple[Any, ...], dict[str, Any]]


def find_modules(model: nn.Module, places: Iterable[nn.Module | str]) -> list[tuple[str, nn.Module]]:
    """Return name and module of each place, which is a module or its dotted path inside `model`.

    Raises:
        UnknownNameError: No module has that path; near ones are given.
    """
    modules = dict(model.named_modules())
    names = {id(module): name for name, module in modules.items()}
    found = []
    for place in places:
        if isinstance(place, str) and place not in modules:
            raise UnknownNameError("module", place, (name for name in modules if name))
        module = modules[place] if isinstance(place, str) else place
        found.append((names.get(id(module)) or type(module).__name__, module))
    return found


def activation_of(value: object, module: str) -> Tensor:
    """Return the activation in a module's output: the first tensor of a tuple, mapping or dataclass.

    Raises:
        RunError: The output holds no tensor.
    """
    if isinstance(value, Tensor):
        return value
    for _, part in _parts(value):
        if isinstance(part, Tensor):
            return part
    raise RunError(
        f"Module '{module}' gives no tensor but {type(value).__name__}.",
        why="An activation is a tensor, or the first tensor of a tuple, mapping or dataclass.",
        fix="Choose a module inside it or around it.",
    )


def with_activation(value: Any, activation: Tensor) -> Any:
    """Return a copy of a module's output in which the first tensor is `activation`."""
    if isinstance(value, Tensor):
        return activation
    key = next(key for key, part in _parts(value) if isinstance(part, Tensor))
    if isinstance(value, tuple | list):
        parts = [activation if place == key else part for place, part in enumerate(value)]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    clone = copy.copy(value)
    if isinstance(clone, MutableMapping):
        clone[key] = activation
    else:
        object.__setattr__(clone, key, activation)
    return clone


def input_of(inputs: Inputs, module: str) -> Tensor:
    """Return the first tensor a module is called with, positional arguments before named ones."""
    return activation_of((*inputs[0], *inputs[1].values()), module)


def with_input(inputs: Inputs, activation: Tensor) -> Inputs:
    """Return the arguments of a call in which the first tensor is `activation`."""
    args, kwargs = inputs
    if any(isinstance(part, Tensor) for part in args):
        return with_activation(args, activation), kwargs
    return args, with_activation(kwargs, activation)


def attach(
    module: nn.Module, side: Side, name: str, replace: Callable[[Tensor], Tensor | None]
) -> Callable[[], None]:
    """Let `replace` see each activation of `module` and put another in its place, or return None to leave it.

    Returns:
        What takes the hook off again.
    """
    if side == "input":

        def before(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Inputs | None:
            new = replace(input_of((args, kwargs), name))
            return None if new is None else with_input((args, kwargs), new)

        return module.register_forward_pre_hook(before, with_kwargs=True).remove

    def after(_module: nn.Module, _args: tuple[Any, ...], output: Any) -> Any:
        new = replace(activation_of(output, name))
        return None if new is None else with_activation(output, new)

    return module.register_forward_hook(after).remove


def _parts(value: object) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, tuple | list):
        return enumerate(value)
    if isinstance(value, Mapping):
        return value.items()
    if dataclasses.is_dataclass(value):
        return ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
    return ()
