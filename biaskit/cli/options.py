"""Options that more than one verb has, each with its environment variable."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from biaskit.records.audit_spec import FailOn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

F = TypeVar("F", bound="Callable[..., Any]")

FOLDER = click.Path(file_okay=False, path_type=Path)
EXISTING = click.Path(exists=True, path_type=Path)


def option(*names: str, **settings: Any) -> Callable[[F], F]:
    """Declare an option that `BIASKIT_<NAME>` sets too."""
    longest = max(names, key=len)
    variable = "BIASKIT_" + longest.lstrip("-").partition("/")[0].replace("-", "_").upper()
    return click.option(*names, **{"envvar": variable, **settings})


def fail_on(function: F) -> F:
    """Add `--fail-on`."""
    return option(
        "--fail-on",
        type=click.Choice([choice.value for choice in FailOn]),
        default=FailOn.FAIL.value,
        show_default=True,
        help="What gives an exit code other than 0.",
    )(function)


def baseline(function: F) -> F:
    """Add `--baseline`."""
    return option("--baseline", type=EXISTING, help="An earlier run, for gates that are against a baseline.")(
        function
    )


def other(function: F) -> F:
    """Add `--other-model` and `--other-spec`."""
    for flag, what in (("--other-spec", "suite"), ("--other-model", "model")):
        said = f"Compare with a run of another {what} as well."
        function = click.option(flag, is_flag=True, help=said)(function)
    return function


def debug(function: F) -> F:
    """Add `--debug`; it is read where errors are told."""
    return click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")(
        function
    )


def probes(function: F) -> F:
    """Add `--probes`; the variable `BIASKIT_PROBES` is read by the catalogue."""
    return click.option("--probes", type=FOLDER, help="Folder with probe sets of your own.")(function)


def pairs(given: Sequence[str], flag: str, read: Callable[[str], Any]) -> Mapping[str, Any]:
    """Split `key=value` options and read the values.

    Raises:
        click.BadParameter: One has no `=`.
    """
    split = [text.partition("=") for text in given]
    for key, sign, _ in split:
        if not sign:
            raise click.BadParameter(f"'{key}' must be key=value.", param_hint=flag)
    return {key.strip(): read(value.strip()) for key, _, value in split}
