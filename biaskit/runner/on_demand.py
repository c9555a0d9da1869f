"""Parts of a run that need a package which the light half does not have."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from biaskit.errors import MissingExtraError

if TYPE_CHECKING:
    from types import ModuleType


def on_demand(module: str, extra: str) -> ModuleType:
    """Import one of biaskit's own modules whose packages may be missing.

    Raises:
        MissingExtraError: A package that it needs is not installed; `extra` brings it.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in {"", "biaskit"}:
            raise
        raise MissingExtraError(package, extra) from error
