"""Model organisms: small trained models whose bias is known because it was planted.

`folder` finds a shipped or built organism, `names` lists the shipped ones, and `build` trains one.
An organism is an ordinary model folder; nothing that loads or audits it knows that it is one.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biaskit.errors import UnknownNameError

if TYPE_CHECKING:
    from biaskit.organisms.building import build as build

SHIPPED = Path(__file__).parent / "weights"
LANGUAGES = ("occupations", "reviews")
DEMO = "reviews"


def __getattr__(name: str) -> Any:
    """Load `build`, and torch with it, on first use."""
    if name == "build":
        return import_module("biaskit.organisms.building").build
    raise AttributeError(name)


def names() -> tuple[str, ...]:
    """Return the names of the shipped organisms."""
    return LANGUAGES


def folder(name: str) -> Path:
    """Return the model folder of a shipped organism; `demo` stands for the reviews.

    Raises:
        UnknownNameError: No organism of that name is shipped.
    """
    known = DEMO if name == "demo" else name
    path = SHIPPED / known
    if known not in LANGUAGES or not (path / "config.json").is_file():
        raise UnknownNameError("organism", name, (*LANGUAGES, "demo"))
    return path
