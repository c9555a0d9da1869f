"""Loads the files of this package that import heavy libraries; says what to install if one is missing."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from biaskit.errors import MissingExtraError, RequestError


def part(name: str, extra: str = "text") -> Any:
    """Load a file of this package that imports heavy libraries, once it is clear that it is needed.

    Raises:
        MissingExtraError: A package is missing; `extra` installs it.
        RequestError: torchvision stands in the way.
    """
    try:
        return import_module(f"biaskit.models.{name}")
    except (ImportError, RuntimeError, AttributeError) as error:
        if broken_torchvision(error):
            raise RequestError(
                "torchvision is installed but does not work with this build of torch.",
                why="While it is there, neither timm nor transformers' vision models can be imported.",
                fix="Remove it (pip uninstall torchvision; biaskit does without), or install the build that "
                "belongs to this torch.",
            ) from error
        if (
            not isinstance(error, ModuleNotFoundError)
            or error.name is None
            or error.name.startswith("biaskit")
        ):
            raise
        raise MissingExtraError(error.name, extra) from error


def broken_torchvision(error: BaseException | None) -> bool:
    """Whether an error comes from a torchvision whose operators are missing."""
    while error is not None:
        if "torchvision::" in str(error) or "operator torchvision" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False
