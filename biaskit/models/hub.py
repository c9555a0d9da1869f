"""Getting a model's files from a hub or its cache, and saying what to do where that fails."""

from __future__ import annotations

from pathlib import Path

import httpx
from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from biaskit.errors import ModelLoadError, UnknownNameError

_FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")
_PICKLES = ("pytorch_model*.bin",)
# Sub-folders hold other formats; `consolidated` repeats the weights in their authors' own layout.
_NOT = ("*/*", "consolidated*")
_ELSEWHERE = (
    "Run 'biaskit fetch' where there is a connection, or download the model there and pass its folder; "
    "a cache elsewhere is named by the environment variable HF_HOME."
)


def fetch(name: str, revision: str | None, *, offline: bool, allow_pickle: bool) -> Path:
    """Return the folder of a hub model's files, downloading what the cache lacks.

    Args:
        name: Hub id.
        revision: Commit, tag or branch; None for the default branch.
        offline: Whether only the cache is read.
        allow_pickle: Whether weights stored as pickles may be fetched where there are no others.

    Raises:
        ModelLoadError: Unknown or closed repository, unknown revision, no connection and nothing cached, or
            pickled weights only.
    """
    folder = _snapshot(name, revision, _FILES, offline=offline)
    if not any(folder.glob("*.safetensors")) and allow_pickle:
        folder = _snapshot(name, revision, (*_FILES, *_PICKLES), offline=offline)
    return folder


def _snapshot(name: str, revision: str | None, files: tuple[str, ...], *, offline: bool) -> Path:
    try:
        path = snapshot_download(
            name,
            revision=revision,
            allow_patterns=list(files),
            ignore_patterns=list(_NOT),
            local_files_only=offline,
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, httpx.HTTPError, OSError, ValueError) as error:
        raise _explained(error, name, revision, offline=offline) from error
    return Path(path)


def _explained(error: Exception, name: str, revision: str | None, *, offline: bool) -> ModelLoadError:
    if isinstance(error, GatedRepoError):
        return ModelLoadError(
            f"'{name}' is open only to those who were granted access.",
            fix=f"Ask for access on {constants.ENDPOINT}/{name} and log in with 'hf auth login'.",
        )
    if isinstance(error, RepositoryNotFoundError):
        near = UnknownNameError("model", name, (*cached_names(), "demo")).near
        return ModelLoadError(
            f"The hub knows no model '{name}' (or it is private).",
            why=f"Did you mean {' or '.join(near)}?" if near else "",
            fix=f"Check the name at {constants.ENDPOINT}/models, or pass a local folder.",
        )
    if isinstance(error, RevisionNotFoundError):
        return ModelLoadError(
            f"'{name}' has no revision '{revision}'.", fix="Name a commit, a tag or a branch."
        )
    return _unreachable(error, name, offline=offline)


def _unreachable(error: Exception, name: str, *, offline: bool) -> ModelLoadError:
    cut_off = offline or constants.HF_HUB_OFFLINE or isinstance(error, OfflineModeIsEnabled)
    near = UnknownNameError("model", name, (*cached_names(), "demo")).near
    return ModelLoadError(
        f"'{name}' is not in the cache, and "
        + (
            "the network is switched off."
            if cut_off
            else f"the hub at {constants.ENDPOINT} cannot be reached."
        ),
        why=f"In the cache, or built in: {' and '.join(near)}." if near else "",
        fix=_ELSEWHERE,
    )


def cached_names() -> tuple[str, ...]:
    """Return the hub ids of the models in the cache."""
    cache = Path(constants.HF_HUB_CACHE)
    folders = cache.glob("models--*") if cache.is_dir() else ()
    return tuple(sorted(folder.name.removeprefix("models--").replace("--", "/") for folder in folders))
