"""Reading activations while a model runs."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypedDict, TypeVar, Unpack, overload

import torch
from torch import Tensor, nn

from biaskit.errors import RequestError, RunError
from biaskit.hooks.unwrap import Side, attach, find_modules

K = TypeVar("K", bound=Hashable)


class How(TypedDict, total=False):
    """What is kept of an activation, and what else happens.

    Attributes:
        pool: Applied inside the hook to each activation; only its result is kept.
        gradient: Whether the activations stay in the graph.
        stop: Whether the forward pass ends once every point has fired.
    """

    pool: Callable[[Tensor], Tensor] | None
    gradient: bool
    stop: bool


@overload
def capture(
    model: nn.Module,
    points: Mapping[K, nn.Module | str],
    *,
    read: Side | Mapping[K, Side] = "output",
    repeats: Literal[False] = False,
    **how: Unpack[How],
) -> AbstractContextManager[dict[K, Tensor]]: ...
@overload
def capture(
    model: nn.Module,
    points: Mapping[K, nn.Module | str],
    *,
    read: Side | Mapping[K, Side] = "output",
    repeats: Literal[True],
    **how: Unpack[How],
) -> AbstractContextManager[dict[K, list[Tensor]]]: ...
def capture(
    model: nn.Module,
    points: Mapping[K, nn.Module | str],
    *,
    read: Side | Mapping[K, Side] = "output",
    repeats: bool = False,
    **how: Unpack[How],
) -> AbstractContextManager[dict[K, Any]]:
    """Read the activations at `points` of every forward pass inside the block.

    The activation of a module is its output, or the first tensor of the tuple, mapping or dataclass
    it gives. What is kept is a copy: an in-place operation above does not reach it. Every hook is
    taken off when the block is left, whatever leaves it. Captures nest; a capture opened inside an
    `edit` of the same module reads the edited activation.

    With `stop=True` the forward pass ends as soon as every point has fired, and **the rest of the
    block is skipped with it**: read the result after the block.

    With `gradient=True` gradients are switched on inside the block and each activation is part of the
    graph above it, even where every parameter is frozen, so that
    `torch.autograd.grad(objective, list(activations.values()))` holds the gradient at every point. An
    activation that nothing below it needs a gradient for becomes a leaf, so nothing below it is kept.

    Args:
        model: The model that is run, or any part of it.
        points: The modules to read, or their dotted paths, under the caller's keys.
        read: `output`, `input` (the first tensor a module is called with), or one of them for each key
            (a key that is left out reads the output).
        repeats: Whether a point may fire more than once (generation, denoising); each key then holds
            the list of its activations in the order they came.
        **how: `pool`, `gradient` and `stop`, see `How`.

    Yields:
        A dictionary that fills as the points fire; after the block it is in the order of `points`.

    Raises:
        UnknownNameError: A path names no module; near ones are given.
        RequestError: `pool` or `repeats` together with a setting it contradicts.
        RunError: A point never fired, or fired twice without `repeats`.
    """
    if how.get("gradient") and how.get("pool"):
        raise RequestError(
            "Activations cannot be pooled inside the hook and stay in the graph.",
            why="The output does not depend on the pooled copy, so its gradient would be zero.",
            fix="Leave `pool` out and pool the gradient.",
        )
    if repeats and how.get("stop"):
        raise RequestError(
            "A forward pass that stops cannot be read repeatedly.", fix="Leave out `repeats` or `stop`."
        )
    sides = read if isinstance(read, Mapping) else dict.fromkeys(points, read)
    return _running(model, points, sides, _Recorder[K](repeats=repeats, **how))


@contextmanager
def _running(
    model: nn.Module, points: Mapping[K, nn.Module | str], sides: Mapping[K, Side], recorder: _Recorder[K]
) -> Iterator[dict[K, Any]]:
    places = dict(zip(points, find_modules(model, points.values()), strict=True))
    recorder.names = {key: name for key, (name, _) in places.items()}
    with ExitStack() as stack:
        for key, (name, module) in places.items():
            stack.callback(attach(module, sides.get(key, "output"), name, recorder.listener(key)))
        if recorder.gradient:
            stack.enter_context(torch.inference_mode(mode=False))
            stack.enter_context(torch.enable_grad())
        try:
            yield recorder.kept
        except _Stop as stop:
            if stop.recorder is not recorder:
                raise
    recorder.finish()


class _Stop(BaseException):
    """Ends a forward pass; not an `Exception`, so that no handler inside a model takes it for a failure."""

    def __init__(self, recorder: object) -> None:
        self.recorder = recorder


@dataclass(eq=False)
class _Recorder(Generic[K]):
    pool: Callable[[Tensor], Tensor] | None = None
    gradient: bool = False
    stop: bool = False
    repeats: bool = False
    names: dict[K, str] = field(default_factory=dict)
    kept: dict[K, Any] = field(default_factory=dict)

    def listener(self, key: K) -> Callable[[Tensor], Tensor | None]:
        def listen(activation: Tensor) -> Tensor | None:
            kept, onward = (
                self._connected(key, activation) if self.gradient else (self._copied(activation), None)
            )
            self._keep(key, kept)
            if self.stop and len(self.kept) == len(self.names):
                raise _Stop(self)
            return onward

        return listen

    def finish(self) -> None:
        silent = [name for key, name in self.names.items() if key not in self.kept]
        if silent:
            raise RunError(
                f"No activation came from {', '.join(map(repr, silent))}.",
                why="The forward pass inside the block did not run through there.",
                fix="Check the module, and that the model is called inside the block.",
            )
        in_order = {key: self.kept[key] for key in self.names}
        self.kept.clear()
        self.kept.update(in_order)

    def _keep(self, key: K, activation: Tensor) -> None:
        if self.repeats:
            self.kept.setdefault(key, []).append(activation)
            return
        if key in self.kept:
            raise RunError(
                f"Module '{self.names[key]}' ran more than once inside one capture.",
                why="It is shared by several layers, or the model was called several times.",
                fix="Open one capture for each call, or pass repeats=True for a list of activations.",
            )
        self.kept[key] = activation

    def _copied(self, activation: Tensor) -> Tensor:
        with torch.no_grad():
            kept = activation if self.pool is None else self.pool(activation)
            # A view would keep the whole activation alive and see what is later written into it.
            shared = kept.untyped_storage().data_ptr() == activation.untyped_storage().data_ptr()
            if not (shared or kept.is_inference()):
                return kept.detach()
            # A tensor born in inference mode could never enter a graph again, such as a probe's.
            with torch.inference_mode(mode=False):
                return kept.detach().clone()

    def _connected(self, key: K, activation: Tensor) -> tuple[Tensor, Tensor]:
        if not torch.is_grad_enabled():
            raise RunError(
                f"No gradient reaches '{self.names[key]}'.",
                why="The model switches gradients off while it runs, as `generate` does.",
                fix="Call the model's forward pass itself.",
            )
        kept = activation if activation.requires_grad else activation.detach().clone().requires_grad_()
        kept.retain_grad()
        # The model goes on with a copy: an in-place operation fails on a leaf and would move `kept`.
        return kept, kept.clone()
