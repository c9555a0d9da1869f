"""Where shards of activations lie: in memory, or as safetensors files in a folder.

A shard holds the activations of a few hundred prompts at one site, in float32, with the digests of
the prompts. Its place is named by the site's context (all that an activation depends on besides the
prompt) and by the digest of its list of prompts.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import secrets
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import torch
from jaxtyping import Float, UInt8
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from biaskit.errors import RunError

if TYPE_CHECKING:
    from pathlib import Path

DIGEST_BYTES = 16
_SUFFIX = ".safetensors"
_ABANDONED_S = 3600.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Shard:
    """Activations of some prompts at one site.

    Attributes:
        digests: Digest of each prompt.
        activations: One row a prompt.
        origin: What was captured, in words, for whoever opens the file.
    """

    digests: UInt8[Tensor, "n 16"]
    activations: Float[Tensor, "n d"]
    origin: str = ""

    @property
    def checksum(self) -> int:
        """CRC-32 of digests and activations."""
        return zlib.crc32(self.activations.numpy().data, zlib.crc32(self.digests.numpy().data))


@dataclass(frozen=True, slots=True)
class StoreSize:
    """How much a store holds.

    Attributes:
        shards: Number of shards.
        bytes: Size in bytes.
    """

    shards: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Held:
    """What a store holds of one model at one site.

    Attributes:
        origin: What was captured, in words.
        shards: Number of shards.
        bytes: Size in bytes.
        used_at: When one of them was last used, UTC.
    """

    origin: str
    shards: int
    bytes: int
    used_at: datetime


class Shelf(Protocol):
    """A place for shards."""

    def names(self, context: str) -> set[str]:
        """Return the names of the shards that a context holds now."""

    def read(self, context: str, name: str) -> Shard:
        """Return a shard.

        Raises:
            OSError: It is gone.
            SafetensorError: It is damaged.
        """

    def write(self, context: str, name: str, shard: Shard) -> None:
        """Keep a shard, whole or not at all."""

    def discard(self, context: str, name: str) -> None:
        """Forget a shard."""

    def is_sound(self, context: str, name: str) -> bool:
        """Tell whether a shard can be read and its checksum holds."""

    def size(self) -> StoreSize:
        """Return how much is held."""

    def prune(self, keep_bytes: int) -> int:
        """Remove what was used longest ago until at most `keep_bytes` are held; return the bytes freed."""


@dataclass(eq=False)
class MemoryShelf:
    """Shards that live as long as the process."""

    shards: dict[tuple[str, str], Shard] = field(default_factory=dict)

    def names(self, context: str) -> set[str]:
        """Return the names of the shards that a context holds now."""
        return {name for owner, name in self.shards if owner == context}

    def read(self, context: str, name: str) -> Shard:
        """Return a shard; its tensors are copies."""
        shard = self.shards[context, name]
        return Shard(shard.digests, shard.activations.clone(), shard.origin)

    def write(self, context: str, name: str, shard: Shard) -> None:
        """Keep a shard."""
        self.shards[context, name] = shard

    def discard(self, context: str, name: str) -> None:
        """Forget a shard."""
        self.shards.pop((context, name), None)

    def is_sound(self, context: str, name: str) -> bool:
        """Tell whether the shard is there."""
        return (context, name) in self.shards

    def size(self) -> StoreSize:
        """Return how much is held."""
        return StoreSize(len(self.shards), sum(shard.activations.nbytes for shard in self.shards.values()))

    def prune(self, keep_bytes: int) -> int:
        """Remove the oldest shards until at most `keep_bytes` are held; return the bytes freed."""
        freed, held = 0, self.size().bytes
        for key in list(self.shards):
            if held - freed <= keep_bytes:
                break
            freed += self.shards.pop(key).activations.nbytes
        return freed


@dataclass(frozen=True, slots=True)
class DiskShelf:
    """Shards as files `folder/context/name.safetensors`; any number of processes may share the folder.

    A file is written under a temporary name, synced and renamed, so that a final name always stands for
    a whole file. Two processes that capture the same shard write the same bytes.
    """

    folder: Path

    def names(self, context: str) -> set[str]:
        """Return the names of the shards that a context holds now."""
        return {path.stem for path in (self.folder / context).glob(f"[0-9a-f]*{_SUFFIX}")}

    def read(self, context: str, name: str) -> Shard:
        """Return a shard whose tensors are mapped from the file; writing to them does not reach it."""
        with safe_open(self._path(context, name), framework="pt") as file:
            return Shard(
                digests=file.get_tensor("digests"),
                activations=file.get_tensor("activations"),
                origin=file.metadata()["biaskit"],
            )

    def write(self, context: str, name: str, shard: Shard) -> None:
        """Keep a shard, whole or not at all.

        Raises:
            RunError: The file cannot be written, as on a full disk.
        """
        # One metadata key only: several would be written in an order of their own at each call.
        label = json.dumps({"origin": shard.origin, "crc32": shard.checksum}, sort_keys=True)
        tensors = {"activations": shard.activations, "digests": shard.digests}
        path = self._path(context, name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, save(tensors, metadata={"biaskit": label}))
        except OSError as error:
            raise self._unwritable(error) from error

    def discard(self, context: str, name: str) -> None:
        """Remove a shard's file."""
        self._path(context, name).unlink(missing_ok=True)

    def is_sound(self, context: str, name: str) -> bool:
        """Tell whether a shard can be read and its checksum holds; a file that is damaged is logged."""
        try:
            shard = self.read(context, name)
            sound = json.loads(shard.origin)["crc32"] == shard.checksum
        except FileNotFoundError:
            return False
        except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
            _log.warning("Damaged activations in %s are captured again: %s", self._path(context, name), error)
            return False
        if not sound:
            _log.warning("Damaged activations in %s are captured again.", self._path(context, name))
            return False
        with suppress(OSError):
            os.utime(self._path(context, name))
        return True

    def size(self) -> StoreSize:
        """Return how much is held."""
        sizes = [status.st_size for _, status in self._files(_SUFFIX)]
        return StoreSize(len(sizes), sum(sizes))

    def prune(self, keep_bytes: int) -> int:
        """Remove what was used longest ago until at most `keep_bytes` are held; return the bytes freed."""
        for path, status in self._files(".tmp"):
            if time.time() - status.st_mtime > _ABANDONED_S:
                path.unlink(missing_ok=True)
        files = sorted(self._files(_SUFFIX), key=lambda entry: entry[1].st_mtime_ns)
        held, freed = sum(status.st_size for _, status in files), 0
        for path, status in files:
            if held - freed <= keep_bytes:
                break
            path.unlink(missing_ok=True)
            freed += status.st_size
        return freed

    def contents(self) -> Iterator[Held]:
        """Yield what is held, context by context, the one used last first."""
        contexts: dict[str, list[tuple[Path, os.stat_result]]] = {}
        for path, status in self._files(_SUFFIX):
            contexts.setdefault(path.parent.name, []).append((path, status))
        used = {name: max(status.st_mtime for _, status in files) for name, files in contexts.items()}
        for name in sorted(contexts, key=lambda name: -used[name]):
            files = contexts[name]
            size = sum(status.st_size for _, status in files)
            origin = _origin(files[0][0]) or name
            yield Held(origin, len(files), size, datetime.fromtimestamp(used[name], UTC))

    def _path(self, context: str, name: str) -> Path:
        return self.folder / context / f"{name}{_SUFFIX}"

    def _files(self, suffix: str) -> Iterator[tuple[Path, os.stat_result]]:
        for path in self.folder.glob(f"*/*{suffix}"):
            with suppress(FileNotFoundError):
                yield path, path.stat()

    def _unwritable(self, error: OSError) -> RunError:
        held = self.size()
        kept = f"{held.shards} shards ({held.bytes / 1e6:.0f} MB) captured before are kept in {self.folder}"
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return RunError(
                f"No space is left for activations; {kept}.",
                fix="Free some space, prune the activation store or give it another folder, and run again: "
                "the run goes on where it stopped.",
            )
        return RunError(
            f"Activations cannot be written; {kept}.",
            why=str(error),
            fix="Make the folder writable or use another one, and run again: it goes on where it stopped.",
        )


def _origin(path: Path) -> str:
    """Write what a shard says it holds, as `resid_post.2, last, float32, model 956a6a3f0993`."""
    try:
        with safe_open(path, framework="pt") as file:
            origin = json.loads(file.metadata()["biaskit"])["origin"]
        _, fingerprint, dtype, _, pooling, site = json.loads(origin)
        return f"{site}, {pooling}, {dtype}, model {fingerprint[:12]}"
    except (SafetensorError, OSError, KeyError, TypeError, ValueError):
        return ""


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that its name stands for the whole content or for what was there before."""
    temporary = path.with_name(f".{path.stem}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def digest_tensor(digests: list[bytes]) -> UInt8[Tensor, "n 16"]:
    """Return digests as a tensor, one a row."""
    return torch.frombuffer(bytearray(b"".join(digests)), dtype=torch.uint8).reshape(-1, DIGEST_BYTES)
