"""Fields of a spec, set by their path, and the spec that comes of it."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from biaskit.errors import RequestError
from biaskit.records.audit_spec import AuditSpec

NO_MODEL = RequestError("No model was named.", fix="Give one, such as --model demo or --model gpt2.")


def validated(content: dict[str, Any]) -> AuditSpec:
    """Return the spec that a content is.

    Raises:
        RequestError: It is none; the first field at fault is named.
    """
    try:
        return AuditSpec.model_validate(content)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in problem["loc"])
        if place == "subject.model":
            raise NO_MODEL from error
        raise RequestError(f"'{place}' cannot be that.", why=problem["msg"]) from error


def change(content: Any, path: str, value: Any) -> None:
    """Set one field of the spec's content; a number in the path is an index."""
    *way, last = path.split(".")
    place = content
    try:
        for step in way:
            place = place[int(step)] if isinstance(place, list) else place[step]
        place[int(last) if isinstance(place, list) else last] = value
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise RequestError(
            f"There is no field '{path}' in the spec.", fix="See `biaskit schema spec`; lists count from 0."
        ) from error
