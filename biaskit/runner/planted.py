"""What an organism was planted with, as far as a run that names no concepts needs it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from biaskit import organisms

ORGANISM = "organism:"
_NAME = re.compile(r"[a-z0-9-]+")


def plant(folder: Path) -> dict[str, Any]:
    """Return what `plant.json` in a folder says; nothing where there is none."""
    try:
        content = json.loads((folder / "plant.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def concepts(model: str) -> tuple[str, ...]:
    """Return the names of the probe sets that an organism, shipped or built, is asked about by default.

    Nothing where the model is no organism, or none of those that bring their own.
    """
    if not model:
        return ()
    name = model.removeprefix(ORGANISM)
    if name != model and name not in organisms.names():
        return ()
    folder = Path(model).expanduser() if name == model else organisms.folder(name)
    listed = plant(folder).get("concepts", ())
    # A folder's own word decides nothing but which of the catalogue's sets are read: never a path.
    return tuple(
        one for one in listed if isinstance(listed, list) and isinstance(one, str) and _NAME.fullmatch(one)
    )
