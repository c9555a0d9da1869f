"""Getting a model's files from a hub or its cache, and saying what to do where that fails."""

from __future__ import annotations

import json
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from huggingface_hub import HfApi, constants, snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import (
    GatedRepoError,
    IncompleteSnapshotError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from biaskit.errors import ModelLoadError, UnknownNameError
from biaskit.models.sources import PIPELINE, Source
from biaskit.records.audit_spec import Subject

if TYPE_CHECKING:
    from collections.abc import Iterable

_FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")
# What a pipeline of diffusers keeps in its sub-folders.
_PARTS = ("*.json", "*/*.json", "*/*.safetensors", "*/*.txt", "*/*.model")
_NOT_PARTS = ("*.fp16.*", "*non_ema*", "safety_checker/*", "feature_extractor/*")
_PICKLES = ("pytorch_model*.bin",)
# Sub-folders hold other formats; `consolidated` repeats the weights in their authors' own layout.
_NOT = ("*/*", "consolidated*")
ASKED_S = 5.0
"""How long the hub is waited for where its answer is of use and not needed, in seconds."""
_INDEX = "model.safetensors.index.json"
_ELSEWHERE = (
    "Run 'hf download NAME' where there is a connection, or download the model there and pass its folder; "
    "the environment variable HF_HOME names a cache that lies elsewhere."
)


def fetched(source: Source, subject: Subject, *, offline: bool) -> Source:
    """Return a source on the hub with the folder and commit of its files, downloading what the cache lacks.

    Raises:
        ModelLoadError: Unknown or closed repository, unknown revision, or no connection and nothing cached.
    """
    folder = fetch(source.name, subject.revision, offline=offline, allow_pickle=subject.allow_pickle)
    return replace(source, label=f"{source.name}@{folder.name}", folder=folder, revision=folder.name)


def fetch(name: str, revision: str | None, *, offline: bool, allow_pickle: bool) -> Path:
    """Return the folder of a hub model's files, downloading what the cache lacks.

    Args:
        name: Hub id.
        revision: Commit, tag or branch; None for the default branch.
        offline: Whether only the cache is read.
        allow_pickle: Whether weights stored as pickles may be fetched where there are no others.

    Raises:
        ModelLoadError: Unknown or closed repository, unknown revision, or no connection and nothing cached.
    """
    folder = _snapshot(name, revision, _FILES, offline=offline)
    if (folder / PIPELINE).is_file():
        return _snapshot(name, revision, _PARTS, offline=offline, leaving=_NOT_PARTS)
    if allow_pickle and not any(folder.glob("*.safetensors")):
        folder = _snapshot(name, revision, (*_FILES, *_PICKLES), offline=offline)
    return folder


def cached_names() -> tuple[str, ...]:
    """Return the hub ids of the models in the cache."""
    cache = Path(constants.HF_HUB_CACHE)
    folders = cache.glob("models--*") if cache.is_dir() else ()
    return tuple(sorted(folder.name.removeprefix("models--").replace("--", "/") for folder in folders))


def missing_bytes(name: str, revision: str | None) -> int:
    """Return how many bytes `fetch` would download; files in the cache count nothing.

    The hub is asked once, and waited for no longer than `ASKED_S` seconds.

    Raises:
        ModelLoadError: The hub cannot be asked, does not know the model, or does not tell its sizes.
    """
    try:
        told = HfApi().model_info(name, revision=revision, files_metadata=True, timeout=ASKED_S)
    except Exception as error:
        raise _explained(error, name, revision, offline=False) from error
    sizes = {one.rfilename: one.size for one in told.siblings or ()}
    files, leaving = (_PARTS, _NOT_PARTS) if PIPELINE in sizes else (_FILES, _NOT)
    wanted = [one for one in sizes if _fits(one, files) and not _fits(one, leaving)]
    missing = [
        sizes[one]
        for one in wanted
        if not isinstance(try_to_load_from_cache(name, one, revision=told.sha), str)
    ]
    known = [size for size in missing if size is not None]
    if len(known) < len(missing):
        raise ModelLoadError(f"The hub does not tell how large the files of '{name}' are.")
    return sum(known)


def _fits(file: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(file, pattern) for pattern in patterns)


def _snapshot(
    name: str,
    revision: str | None,
    files: tuple[str, ...],
    *,
    offline: bool,
    leaving: tuple[str, ...] = _NOT,
) -> Path:
    try:
        path = snapshot_download(
            name,
            revision=revision,
            allow_patterns=list(files),
            ignore_patterns=list(leaving),
            local_files_only=offline,
        )
    except IncompleteSnapshotError as error:
        # A cache filled by other programs lacks files that a model does not need.
        if _usable(Path(error.snapshot_path)):
            return Path(error.snapshot_path)
        raise _unreachable(name, "The cache holds only a part of it.", offline=offline) from error
    except Exception as error:
        raise _explained(error, name, revision, offline=offline) from error
    return Path(path)


def _usable(folder: Path) -> bool:
    if (folder / PIPELINE).is_file():
        return True
    if not (folder / "config.json").is_file():
        return False
    if (folder / _INDEX).is_file():
        index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
        return all((folder / shard).is_file() for shard in index["weight_map"].values())
    return any(folder.glob("*.safetensors"))


def _explained(error: Exception, name: str, revision: str | None, *, offline: bool) -> ModelLoadError:
    if isinstance(error, GatedRepoError):
        return ModelLoadError(
            f"'{name}' is open only to those who were granted access.",
            fix=f"Ask for access on {constants.ENDPOINT}/{name} and log in with 'hf auth login'.",
        )
    if isinstance(error, RepositoryNotFoundError):
        return ModelLoadError(
            f"The hub knows no model '{name}' (or it is private).",
            why=_near(name),
            fix=f"Look it up at {constants.ENDPOINT}/models, or pass a local folder.",
        )
    if isinstance(error, RevisionNotFoundError):
        fix = "Name a commit, a tag or a branch."
        return ModelLoadError(f"'{name}' has no revision '{revision}'.", fix=fix)
    if isinstance(error, LocalEntryNotFoundError):
        return _unreachable(name, _near(name), offline=offline)
    first = next(iter(str(error).splitlines()), "")
    return ModelLoadError(
        f"'{name}' could not be fetched.", why=f"{type(error).__name__}: {first}", fix=_ELSEWHERE
    )


def _unreachable(name: str, why: str, *, offline: bool) -> ModelLoadError:
    switched_off = offline or constants.HF_HUB_OFFLINE
    reason = "the network is switched off" if switched_off else f"{constants.ENDPOINT} cannot be reached"
    return ModelLoadError(f"'{name}' is not in the cache, and {reason}.", why=why, fix=_ELSEWHERE)


def _near(name: str) -> str:
    near = UnknownNameError("model", name, (*cached_names(), "demo")).near
    return f"Did you mean {' or '.join(near)}?" if near else ""
