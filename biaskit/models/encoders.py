"""Text-image encoders by name: where one is, and opening it; torch is loaded with the opening only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from biaskit.errors import ModelLoadError
from biaskit.models.parts import part
from biaskit.models.sources import Source, find_source

if TYPE_CHECKING:
    from biaskit.protocols import TextImageEncoder

OPEN_CLIP = "open_clip_config.json"
_ORGANISM = "organism:"


def find_encoder(name: str) -> Source:
    """Tell organisms, local folders and hub ids apart; an organism's encoder lies in its folder `clip`.

    Raises:
        UnknownNameError: There is no organism of that name; near ones are given.
        ModelLoadError: The name is no folder that holds an encoder, and cannot be a hub id either.
    """
    folder = Path(name).expanduser()
    if (folder / OPEN_CLIP).is_file():
        return Source(name, folder.resolve().name, folder)
    source = find_source(name)
    if not name.startswith(_ORGANISM) or source.folder is None:
        return source
    if not (source.folder / "clip").is_dir():
        raise ModelLoadError(
            f"'{name}' has no text-image encoder.", fix="Name an organism of images, such as organism:shapes."
        )
    return replace(source, label=f"{source.label}/clip", folder=source.folder / "clip")


def load_encoder(
    name: str, *, revision: str | None = None, device: str = "auto", offline: bool = False
) -> TextImageEncoder:
    """Open a text-image encoder: CLIP or SigLIP of transformers, or a folder in open_clip's format.

    Args:
        name: Hub id, local folder, or `organism:NAME`.
        revision: Commit, tag or branch on the hub.
        device: As in `Subject.device`.
        offline: Whether the network is left alone, whatever is missing.

    Raises:
        UnknownNameError: There is no such organism.
        ModelLoadError: It cannot be found, reached or opened, or is no text-image encoder.
        MissingExtraError: A package is not installed that it needs.
    """
    source = find_encoder(name)
    if source.folder is None:
        fetch = part("hub", "vision").fetch
        folder: Path = fetch(name, revision, offline=offline, allow_pickle=False)
        source = replace(source, label=f"{name}@{folder.name}", folder=folder, revision=folder.name)
    elif revision is not None:
        raise ModelLoadError(f"'{name}' is a folder, which has no revision '{revision}'.")
    else:
        folder = source.folder
    own_format = (folder / OPEN_CLIP).is_file() and not (folder / "config.json").is_file()
    opener = part("open_clip_encoder", "timm") if own_format else part("text_image", "vision")
    encoder: TextImageEncoder = opener.open_encoder(source, folder, device)
    return encoder
