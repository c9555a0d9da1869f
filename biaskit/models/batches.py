"""From readings to padded batches, sorted by length, halved when memory runs out."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from biaskit.errors import RunError
from biaskit.hooks.edits import Edit, Rows
from biaskit.models.reading import Reading

T = TypeVar("T")
_LOG = logging.getLogger("biaskit.models")


@dataclass(frozen=True, slots=True)
class Batch:
    """Sequences of one forward pass.

    Attributes:
        ids: Token ids.
        attention: True where a token is not padding.
        rows: Which rows these are, and where each is read.
        words: True on the tokens that a mean or maximum runs over.
        ends: The token of each sequence after which the next one is predicted.
    """

    ids: Int[Tensor, "b t"]
    attention: Bool[Tensor, "b t"]
    rows: Rows
    words: Bool[Tensor, "b t"]
    ends: Int[Tensor, " b"]

    @property
    def positions(self) -> Int[Tensor, "b t"]:
        """Position of each token among those that are not padding; 0 on padding at the front."""
        return (self.attention.long().cumsum(dim=1) - 1).clamp_min(0)

    def rows_on(self, device: torch.device) -> Rows:
        """Return `rows` where a layer of a model that is spread over several devices runs."""
        if self.rows.index.device == device:
            return self.rows
        rows = self.rows
        return Rows(rows.index.to(device), rows.position.to(device), rows.mask.to(device))

    def pooling(self, pool: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        """Let `pool` see n x t x d where a module works on flattened tokens, as opt's MLP does."""
        shape = self.ids.shape
        return lambda activation: pool(activation.view(*shape, -1) if activation.ndim == 2 else activation)

    def editing(self, change: Edit) -> Callable[[Tensor], Tensor]:
        """Return `change` bound to these rows, for the shape and device of whatever module it meets."""
        shape = self.ids.shape

        def changed(activation: Tensor) -> Tensor:
            rows = self.rows_on(activation.device)
            if activation.ndim == 3:
                return change(activation, rows)
            return change(activation.view(*shape, -1), rows).reshape(activation.shape)

        return changed


@dataclass(frozen=True, slots=True)
class Padding:
    """How sequences of different length are put side by side.

    Attributes:
        token: The padding token.
        left: Whether padding stands in front.
        device: Where the batch is put.
    """

    token: int
    left: bool
    device: torch.device


def collate(readings: Sequence[Reading], index: Sequence[int], at: Sequence[int], padding: Padding) -> Batch:
    """Put readings side by side.

    Args:
        readings: The sequences.
        index: Their row numbers in the caller's order.
        at: The token at which each is read, counted without padding.
        padding: Token, side and device.
    """
    width = max(len(reading.ids) for reading in readings)
    shape = (len(readings), width)
    ids = torch.full(shape, padding.token, dtype=torch.long)
    attention, mask, words = (torch.zeros(shape, dtype=torch.bool) for _ in range(3))
    starts = [width - len(reading.ids) if padding.left else 0 for reading in readings]
    for row, (reading, start) in enumerate(zip(readings, starts, strict=True)):
        own = slice(start, start + len(reading.ids))
        ids[row, own] = torch.tensor(reading.ids)
        attention[row, own] = True
        mask[row, own] = ~torch.tensor(reading.special)
        words[row, start + reading.words[0] : start + reading.words[1]] = True
    position = torch.tensor([start + place for start, place in zip(starts, at, strict=True)])
    ends = torch.tensor([start + reading.last for start, reading in zip(starts, readings, strict=True)])
    device = padding.device
    rows = Rows(torch.tensor(index, device=device), position.to(device), mask.to(device))
    return Batch(ids.to(device), attention.to(device), rows, words.to(device) & rows.mask, ends.to(device))


class Batcher:
    """Runs a step over batches of similar length.

    Attributes:
        size: Sequences run at once; halved for good when memory runs out.
        notes: One sentence for each halving.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.notes: list[str] = []

    def run(self, lengths: Sequence[int], step: Callable[[list[int]], T]) -> Iterator[tuple[list[int], T]]:
        """Apply `step` to lists of row numbers, longest rows first; pass on each list with its result.

        Raises:
            RunError: Memory does not suffice for a single row.
        """
        order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
        start = 0
        while start < len(order):
            rows = order[start : start + self.size]
            done = self._attempt(rows, step)
            if done is None:
                self._halve(len(rows))
                continue
            start += len(rows)
            yield rows, done[0]

    @staticmethod
    def _attempt(rows: list[int], step: Callable[[list[int]], T]) -> tuple[T] | None:
        try:
            return (step(rows),)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return None

    def _halve(self, rows: int) -> None:
        if rows == 1:
            raise RunError(
                "Memory does not suffice for a single text or image.",
                fix="Use a smaller dtype, another device, or device='balanced'.",
            )
        self.size = max(1, rows // 2)
        note = f"Memory ran out; batches were halved to {self.size}."
        self.notes.append(note)
        _LOG.warning(note)
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on whatever device."""
    text = str(error).lower()
    return (
        isinstance(error, torch.OutOfMemoryError | MemoryError)
        or "out of memory" in text
        or "can't allocate memory" in text
    )
