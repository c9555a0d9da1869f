"""From what the user typed to where the model is, without importing torch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from biaskit import organisms
from biaskit.errors import ModelLoadError, UnknownNameError

DEMO = "organism:reviews"
PIPELINE = "model_index.json"
SAFE = (".safetensors",)
PICKLED = (".bin", ".pt", ".pth", ".th")
_BARE = "For bare weights of a vision model name who builds the network: --factory package.module:function."
_ORGANISM = "organism:"
_HUB_ID = re.compile(r"^[\w-][\w.-]{0,95}(/[\w-][\w.-]{0,95})?$", re.ASCII)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a model is opened from.

    Attributes:
        name: What the user asked for.
        label: What is opened, for the report: hub id with commit, organism, or the folder's own name.
        folder: The folder with weights, tokenizer and config, or a file of bare weights; None for a model
            that must be fetched first.
        revision: Commit of the files, where there is one.
    """

    name: str
    label: str
    folder: Path | None = None
    revision: str | None = None


def find_source(name: str, *, bare: bool = False) -> Source:
    """Tell organisms, local folders, files of weights and hub ids apart.

    Args:
        name: What the user asked for.
        bare: Whether weights without a config.json will do, because the user names who builds the network.

    Raises:
        UnknownNameError: There is no organism of that name; near ones are given.
        ModelLoadError: The name is no folder that holds a model, and cannot be a hub id either.
    """
    organism = DEMO if name == "demo" else name
    if organism.startswith(_ORGANISM):
        folder = organisms.folder(organism.removeprefix(_ORGANISM))
        return Source(name, organism, folder)
    path = Path(name).expanduser()
    if path.is_dir():
        return Source(name, path.resolve().name, path if bare else _checked(path))
    if bare and path.suffix in (*SAFE, *PICKLED) and path.is_file():
        return Source(name, path.name, path)
    if path.exists():
        raise ModelLoadError(
            f"'{name}' is a file; a model is a folder with config.json, weights and tokenizer.",
            fix=f"Pass the folder that holds it. {_BARE}",
        )
    if not _HUB_ID.match(name) or name.startswith((".", "~")):
        raise _no_folder(name, path)
    return Source(name, name)


def require_weights(place: Path, label: str, *, allow_pickle: bool) -> None:
    """Refuse a folder, or a file of bare weights, without weights that may be read.

    Raises:
        ModelLoadError: There are none, or pickles only and these are not allowed.
    """
    deep = "*/*" if (place / PIPELINE).is_file() else "*"
    files = [place] if place.is_file() else list(place.glob(deep))
    suffixes = {path.suffix for path in files}
    if suffixes & set(SAFE):
        return
    if not allow_pickle:
        raise ModelLoadError(
            f"'{label}' holds no safetensors weights.",
            why="Weights stored as pickles are not read: a pickle can run code when it is opened.",
            fix="Convert them to safetensors, or pass --allow-pickle (read with weights_only=True).",
        )
    if not suffixes & set(PICKLED):
        raise ModelLoadError(f"'{label}' holds no weights.", fix="It must hold a model.safetensors.")


def _checked(folder: Path) -> Path:
    if not any((folder / name).is_file() for name in ("config.json", PIPELINE)):
        raise ModelLoadError(
            f"The folder '{folder}' holds no model.",
            why=f"It has no config.json (and no {PIPELINE} of a pipeline).",
            fix="Pass a folder written by `save_pretrained`; for bare weights of a vision model name the "
            "function that builds its network (--factory package.module:function).",
        )
    return folder


def _no_folder(name: str, path: Path) -> ModelLoadError:
    siblings = (
        [entry.name for entry in path.parent.iterdir() if entry.is_dir()] if path.parent.is_dir() else []
    )
    near = UnknownNameError("folder", path.name, siblings).near
    return ModelLoadError(
        f"There is no model folder '{name}', and it is not the form of a hub id either.",
        why=f"Beside it there is {' and '.join(near)}." if near else "",
        fix="Write a folder, a hub id such as 'gpt2' or 'owner/name', 'demo', or 'organism:NAME'.",
    )
