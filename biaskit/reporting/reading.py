"""A saved report, read again; loads nothing that renders one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from biaskit.errors import RequestError
from biaskit.records.report import Report

if TYPE_CHECKING:
    from pathlib import Path

R = TypeVar("R", bound=Report)

REPORT = "report.json"
READS = 1
"""The schema version that is read."""


def read(path: Path, kind: type[R]) -> R:
    """Read a report from a run folder or from its `report.json`.

    Raises:
        RequestError: There is no report, or it cannot be understood.
    """
    file = path / REPORT if path.is_dir() else path
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "It is not UTF-8 text."
        raise RequestError(
            f"There is no report at '{path}'.",
            why=f"'{file}': {said}",
            fix="Give a run folder or its report.json.",
        ) from error
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        if (version := _other_version(text)) is not None:
            raise RequestError(
                f"'{file}' is a report of schema version {version}, and this version of biaskit reads "
                f"{READS}.",
                fix="Read it with the version of biaskit that wrote it.",
            ) from error
        raise RequestError(
            f"'{file}' is not a report that this version reads.",
            why=first_problem(error),
            fix="It was cut short, changed by hand, or written by another version of biaskit; take the whole "
            "run folder as `biaskit audit` wrote it.",
        ) from error


def _other_version(text: str) -> object:
    """Return the schema version that a report names, where it is another one."""
    try:
        content = json.loads(text)
    except ValueError:
        return None
    version = content.get("schema_version", READS) if isinstance(content, dict) else READS
    return None if version == READS else version


def first_problem(error: ValidationError) -> str:
    """Say the first thing pydantic found, with the place it stands at."""
    problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in problem["loc"])
    return f"{place}: {problem['msg']}" if place else problem["msg"]
