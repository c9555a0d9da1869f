"""The activation store: each prompt is read once at each site, and a killed run goes on where it was.

Everything an activation depends on is digested into its place: the model's fingerprint, its number
format and reading settings, the pooling, the site and the prompt. Prompts are captured a shard at a
time; a shard is kept as soon as it is captured.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

import torch
from jaxtyping import Float
from platformdirs import user_cache_path
from torch import Tensor

from biaskit.errors import RunError
from biaskit.hooks.finite import require_finite
from biaskit.hooks.pooling import Pooling
from biaskit.hooks.shelf import DIGEST_BYTES, DiskShelf, MemoryShelf, Shard, Shelf, StoreSize, digest_tensor
from biaskit.records.prompt import Prompt
from biaskit.records.site import Site

T = TypeVar("T")
_FORMAT = 1


class Subject(Protocol):
    """What identifies a model's weights."""

    @property
    def fingerprint(self) -> str:
        """Digest of weights, tokenizer and config."""

    @property
    def dtype(self) -> str:
        """Number format the weights run in."""


class Readable(Protocol):
    """A model as the store needs it.

    A model may also have an attribute `reading`: one string of all the settings that change an
    activation beside weights and dtype (attention, BOS, padding, chat template). It enters the key.
    """

    @property
    def subject(self) -> Subject:
        """What identifies the weights."""

    def activations(
        self, prompts: Sequence[Prompt], sites: Sequence[Site], pooling: Pooling
    ) -> Mapping[Site, Tensor]:
        """Read pooled activations, one row a prompt."""


class Progress(Protocol):
    """Something that tells a waiting person how far the work is."""

    def track(self, items: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
        """Pass `items` through, reporting each one that is done."""


@dataclass(eq=False)
class ActivationStore:
    """Captured activations, each captured once.

    Attributes:
        folder: Where they are kept between runs; None keeps them in memory.
        shard_rows: Prompts captured between two writes. Memory holds one shard of every site asked for
            (shard_rows x sites x width x 4 bytes).
    """

    folder: Path | None = None
    shard_rows: int = 1024
    _shelf: Shelf = field(init=False, repr=False)
    _index: _Index = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Open the shelf."""
        self._shelf = MemoryShelf() if self.folder is None else DiskShelf(Path(self.folder))
        self._index = _Index(self._shelf)

    def activations(
        self,
        model: Readable,
        prompts: Sequence[Prompt],
        sites: Sequence[Site],
        pooling: Pooling = Pooling.LAST,
        progress: Progress | None = None,
    ) -> Mapping[Site, Float[Tensor, "n d"]]:
        """Return pooled activations at `sites`, float32, one row a prompt, in the order of `prompts`.

        Only what the store does not hold is captured, and a prompt that stands twice is captured once.
        A site is read from the store each time it is looked up in the mapping; for a corpus that does
        not fit into memory see `stream`.

        Raises:
            ActivationError: An activation is NaN or infinite.
            RunError: The store cannot be written, as on a full disk; what was captured before is kept.
        """
        request = self._opened(model, sites, pooling)
        digests = self._captured(request, prompts, progress)
        return _Stored(self._index, request.contexts, digests)

    def stream(
        self,
        model: Readable,
        prompts: Sequence[Prompt],
        sites: Sequence[Site],
        pooling: Pooling = Pooling.LAST,
        progress: Progress | None = None,
    ) -> Iterator[tuple[slice, dict[Site, Float[Tensor, "n d"]]]]:
        """Yield the same activations a shard at a time, each with the rows it holds, in order.

        Memory holds one shard, however long the corpus is.

        Raises:
            ActivationError: An activation is NaN or infinite.
            RunError: The store cannot be written, as on a full disk; what was captured before is kept.
        """
        request = self._opened(model, sites, pooling)
        for rows in _tracked(progress, self._slices(len(prompts))):
            digests = self._captured(request, prompts[rows], None)
            yield (
                rows,
                {site: self._index.rows(context, digests) for site, context in request.contexts.items()},
            )

    def size(self) -> StoreSize:
        """Return how many shards and bytes the store holds."""
        return self._shelf.size()

    def prune(self, keep_bytes: int = 0) -> int:
        """Remove what was used longest ago until at most `keep_bytes` are held; return the bytes freed."""
        freed = self._shelf.prune(keep_bytes)
        self._index = _Index(self._shelf)
        return freed

    def _slices(self, total: int) -> list[slice]:
        return [
            slice(start, min(start + self.shard_rows, total)) for start in range(0, total, self.shard_rows)
        ]

    def _opened(self, model: Readable, sites: Sequence[Site], pooling: Pooling) -> _Request:
        request = _Request(model, tuple(sites), pooling)
        for context in request.contexts.values():
            self._index.refresh(context)
        return request

    def _captured(
        self, request: _Request, prompts: Sequence[Prompt], progress: Progress | None
    ) -> list[bytes]:
        """Capture what is missing of `prompts`; return their digests."""
        digests = [bytes.fromhex(prompt.digest)[:DIGEST_BYTES] for prompt in prompts]
        wanted = dict(zip(digests, prompts, strict=True))
        for shard in _tracked(progress, self._missing(request, list(wanted))):
            batch = [wanted[digest] for digest in shard.digests]
            captured = request.model.activations(batch, shard.sites, request.pooling)
            for site in shard.sites:
                self._index.add(request.contexts[site], shard.name, _checked(request, shard, captured, site))
        return digests

    def _missing(self, request: _Request, digests: list[bytes]) -> list[_Gap]:
        """Return what must be captured; sites that miss the same prompts are captured together."""
        gaps: dict[str, _Gap] = {}
        for site, context in request.contexts.items():
            missing = self._index.missing(context, digests)
            for rows in self._slices(len(missing)):
                gap = _Gap(missing[rows], [])
                gaps.setdefault(gap.name, gap).sites.append(site)
        return list(gaps.values())


def default_folder() -> Path:
    """Return the folder in the user's cache where activations are kept unless another one is given."""
    return user_cache_path("biaskit") / "activations"


@dataclass(frozen=True, slots=True)
class _Request:
    model: Readable
    sites: tuple[Site, ...]
    pooling: Pooling
    contexts: dict[Site, str] = field(init=False)

    def __post_init__(self) -> None:
        contexts = {site: hashlib.sha256(self.origin(site).encode()).hexdigest() for site in self.sites}
        object.__setattr__(self, "contexts", contexts)

    def origin(self, site: Site) -> str:
        """Return all that an activation at `site` depends on besides the prompt."""
        subject = self.model.subject
        reading = str(getattr(self.model, "reading", ""))
        return json.dumps(
            [_FORMAT, subject.fingerprint, subject.dtype, reading, str(self.pooling), str(site)]
        )


@dataclass(frozen=True, slots=True)
class _Gap:
    digests: list[bytes]
    sites: list[Site]

    @property
    def name(self) -> str:
        return hashlib.sha256(b"".join(self.digests)).hexdigest()


@dataclass(eq=False)
class _Index:
    """Which shard and row holds a prompt.

    The prompts of a shard are indexed once for all sites, because a shard's name is the digest of its
    prompts; for each site only the names of its shards are kept.
    """

    shelf: Shelf
    learnt: set[str] = field(default_factory=set)
    places: dict[bytes, tuple[tuple[str, int], ...]] = field(default_factory=dict)
    sound: dict[str, set[str]] = field(default_factory=dict)

    def missing(self, context: str, digests: Iterable[bytes]) -> list[bytes]:
        """Return those of `digests` that no sound shard of `context` holds."""
        sound = self.sound[context]
        return [digest for digest in digests if self._place(sound, digest) is None]

    def add(self, context: str, name: str, shard: Shard) -> None:
        """Keep a shard and remember what it holds."""
        self.shelf.write(context, name, shard)
        self._learn(name, shard.digests)
        self.sound.setdefault(context, set()).add(name)

    def rows(self, context: str, digests: Sequence[bytes]) -> Float[Tensor, "n d"]:
        """Return the activations of `digests`, mapped from the one file that holds them, or gathered."""
        wanted = self._by_shard(context, digests)
        out: Tensor | None = None
        for name, (targets, sources) in wanted.items():
            held = self._read(context, name)
            if sources == list(range(len(held))) and targets == list(range(len(digests))):
                return held
            out = held.new_empty(len(digests), held.shape[1]) if out is None else out
            out[_run(targets)] = held[_run(sources)]
        return torch.empty(0, 0) if out is None else out

    def _by_shard(self, context: str, digests: Sequence[bytes]) -> dict[str, tuple[list[int], list[int]]]:
        wanted: dict[str, tuple[list[int], list[int]]] = {}
        for target, digest in enumerate(digests):
            place = self._place(self.sound.get(context, set()), digest)
            if place is None:
                raise _gone()
            targets, sources = wanted.setdefault(place[0], ([], []))
            targets.append(target)
            sources.append(place[1])
        return wanted

    def _read(self, context: str, name: str) -> Tensor:
        try:
            return self.shelf.read(context, name).activations
        except (KeyError, OSError) as error:
            raise _gone() from error

    def _place(self, sound: set[str], digest: bytes) -> tuple[str, int] | None:
        for shard, row in self.places.get(digest, ()):
            if shard in sound:
                return shard, row
        return None

    def refresh(self, context: str) -> None:
        """Take in shards that were written since, and drop those that are gone; each new one is checked."""
        known, present = self.sound.setdefault(context, set()), self.shelf.names(context)
        known &= present
        for name in sorted(present - known):
            if not self.shelf.is_sound(context, name):
                self.shelf.discard(context, name)
                continue
            self._learn(name, self.shelf.read(context, name).digests)
            known.add(name)

    def _learn(self, name: str, digests: Tensor) -> None:
        if name in self.learnt:
            return
        self.learnt.add(name)
        content = digests.numpy().tobytes()
        for row in range(len(digests)):
            digest = content[row * DIGEST_BYTES : (row + 1) * DIGEST_BYTES]
            self.places[digest] = (*self.places.get(digest, ()), (name, row))


@dataclass(frozen=True, slots=True, eq=False)
class _Stored(Mapping[Site, Tensor]):
    """Activations that are read from the store when a site is looked up."""

    index: _Index
    contexts: Mapping[Site, str]
    digests: Sequence[bytes]

    def __getitem__(self, site: Site) -> Float[Tensor, "n d"]:
        return self.index.rows(self.contexts[site], self.digests)

    def __iter__(self) -> Iterator[Site]:
        return iter(self.contexts)

    def __len__(self) -> int:
        return len(self.contexts)


def _checked(request: _Request, gap: _Gap, captured: Mapping[Site, Tensor], site: Site) -> Shard:
    activation = captured[site].detach().to("cpu", torch.float32).contiguous()
    if len(activation) != len(gap.digests):
        raise RunError(
            f"The model gave {len(activation)} rows at {site} for {len(gap.digests)} prompts.",
            fix="Report this to whoever wrote the model adapter.",
        )
    require_finite(activation, site)
    return Shard(digest_tensor(gap.digests), activation, request.origin(site))


def _run(numbers: list[int]) -> slice | list[int]:
    """Return consecutive numbers as a slice, which copies several times faster than an index list."""
    start, stop = numbers[0], numbers[-1] + 1
    return slice(start, stop) if numbers == list(range(start, stop)) else numbers


def _gone() -> RunError:
    return RunError(
        "Stored activations disappeared while they were in use.",
        why="Another process pruned the store or removed its folder.",
        fix="Run again: what is missing is captured anew.",
    )


def _tracked(progress: Progress | None, items: list[T]) -> Iterator[T]:
    if progress is None or not items:
        return iter(items)
    return progress.track(items, "reading activations", len(items))
