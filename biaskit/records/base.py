"""The base of every record: frozen, strict about its keys, plain data."""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler, ValidationError
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema


class Record(BaseModel):
    """Plain frozen data that refuses unknown keys and values that are not finite numbers.

    What checks a record is built when the first one is made, and the sentence under each field is read when a
    schema is asked for: most commands need few records and no schema.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return the JSON Schema with the sentence under each field as its description."""
        schema = handler(core)
        fields = handler.resolve_ref_schema(schema).get("properties", {})
        for name, said in _sentences(cls).items():
            if name in fields:
                fields[name].setdefault("description", said)
        return schema


def _sentences(kind: type[Record]) -> dict[str, str]:
    """Return the sentence under each field of a record, those it inherits among them."""
    found: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        if not issubclass(one, Record) or one is Record:
            continue
        (body,) = ast.parse(textwrap.dedent(inspect.getsource(one))).body
        if not isinstance(body, ast.ClassDef):
            continue
        for field, below in zip(body.body, body.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                said = below.value if isinstance(below, ast.Expr) else None
                if isinstance(said, ast.Constant) and isinstance(said.value, str):
                    found[field.target.id] = inspect.cleandoc(said.value)
    return found


def first_problem(error: ValidationError, *, skip: int = 0) -> str:
    """Return the first thing that a validation found, in words: the field, then what is wrong with it.

    Args:
        error: What was raised.
        skip: How many outer parts of the field's name are left out.
    """
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"][skip:])
    said = str(first["msg"]).removeprefix("Value error, ")
    if first["type"] in {"string_too_short", "missing"}:
        return f"{where or 'it'} is {'empty' if first['input'] == '' else 'missing'}"
    return f"{where}: {said}" if where else said
