"""Batches of fits shared out over processes, each of which computes on one thread.

Threads share Python's lock, and these fits are many short operations: on two cores two threads took as long
as one. A large amount of work is worth other processes; they import no torch, and stay for the next calls.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from loky import get_reusable_executor  # type: ignore[import-untyped] # it has no types
from threadpoolctl import (  # type: ignore[import-untyped] # it has no types
    ThreadpoolController,
    threadpool_limits,
)

Item = TypeVar("Item")
Result = TypeVar("Result")

WORTH_IT = 3e8
"""Effort, in numbers read, above which processes are started: about a second of one core."""
_CHUNK = 2.5e7
# A number that is sent costs about as much as so many that are read.
_SENDING = 20
# Bytes of a process without work, and what all may take together where the activations take less.
_PROCESS, _ALLOWANCE = 40 * 2**20, 512 * 2**20
_IDLE_SECONDS = 60


@dataclass(frozen=True, slots=True, eq=False)
class Part(Generic[Item]):
    """What is fitted in one go.

    Attributes:
        item: What the work is given.
        effort: Roughly how many numbers its fits read.
        matrix: Identity of the activations it reads.
        size: Their bytes.
    """

    item: Item
    effort: float
    matrix: int
    size: int


Work: TypeAlias = Callable[[Sequence[Item]], list[Result]]


def shared_out(work: Work[Item, Result], parts: Sequence[Part[Item]]) -> list[Result]:
    """Return one result for each part, in order.

    Each call of `work`, which must be picklable, gets neighbouring parts. Where the parts are worth it, other
    processes take calls from the front, while this one takes them from the back. What a process that broke
    down had in hand is done here. The results do not depend on where they were computed.
    """
    controller = ThreadpoolController()
    others = _started(_others(parts, _threads(controller)))
    with controller.limit(limits=1):
        if others is None:
            return work([part.item for part in parts])
        return _with_others(others, work, list(_chunks(parts)))


def _started(count: int) -> _Processes | None:
    """Return so many processes; None for none, and where this machine allows none."""
    try:
        return _Processes(count) if count else None
    except OSError:
        return None


def _threads(controller: ThreadpoolController) -> int:
    return max((library["num_threads"] for library in controller.info()), default=1)


def _others(parts: Sequence[Part[Item]], threads: int) -> int:
    """Return how many other processes help: as many as there are threads to use and bytes to spend."""
    if sum(part.effort for part in parts) < WORTH_IT or multiprocessing.current_process().daemon:
        return 0
    sizes = {part.matrix: part.size for part in parts}
    # The activations of a call are held twice while they are received.
    most = max(_ALLOWANCE, sum(sizes.values())) // (_PROCESS + 2 * max(sizes.values()))
    return int(min(threads - 1, most))


def _chunks(parts: Sequence[Part[Item]]) -> Iterator[list[Item]]:
    """Yield neighbouring parts on the same activations, at least as large as is worth sending them."""
    chunk: list[Item] = []
    effort, matrix = 0.0, None
    for part in parts:
        if chunk and (part.matrix != matrix or effort >= max(_CHUNK, _SENDING * part.size / 4)):
            yield chunk
            chunk, effort = [], 0.0
        chunk.append(part.item)
        effort, matrix = effort + part.effort, part.matrix
    yield chunk


def _with_others(processes: _Processes, work: Work[Item, Result], chunks: list[list[Item]]) -> list[Result]:
    left, results = list(range(len(chunks))), dict[int, list[Result]]()
    try:
        while left or processes.busy:
            while left and processes.free:
                processes.send(left[0], work, chunks[left.pop(0)])
            if left:
                place = left.pop()
                results[place] = work(chunks[place])
            for place, found in processes.finished(block=not left):
                if found is None:
                    left.append(place)
                else:
                    results[place] = found
    finally:
        processes.dismiss()
    return [result for place in range(len(chunks)) for result in results[place]]


class _Processes:
    """Other processes, and what they have in hand."""

    def __init__(self, count: int) -> None:
        self._room = 2 * count
        self._sent: dict[Future[list[Any]], int] = {}
        self._executor = get_reusable_executor(max_workers=count, timeout=_IDLE_SECONDS)

    @property
    def busy(self) -> bool:
        return bool(self._sent)

    @property
    def free(self) -> bool:
        """Whether another call can be sent: each has one in hand and one to come."""
        return len(self._sent) < self._room

    def send(self, place: int, work: Work[Item, Result], chunk: list[Item]) -> None:
        try:
            answer = self._executor.submit(_alone, work, chunk)
        except (BrokenExecutor, OSError):
            answer = Future()
            answer.set_exception(BrokenExecutor())
        self._sent[answer] = place

    def finished(self, *, block: bool) -> Iterator[tuple[int, list[Any] | None]]:
        """Yield what has come back; None where the process broke down, after which no more is sent."""
        for answer in wait(self._sent, None if block else 0, FIRST_COMPLETED).done:
            place = self._sent.pop(answer)
            try:
                found = answer.result()
            except BrokenExecutor:
                self._room, found = 0, None
            yield place, found

    def dismiss(self) -> None:
        for answer in self._sent:
            answer.cancel()


def _alone(work: Work[Item, Result], chunk: list[Item]) -> list[Result]:
    with threadpool_limits(1):
        return work(chunk)
