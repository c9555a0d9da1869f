"""Word sets of an association test, from a file of one's own."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, model_validator

from biaskit.errors import RequestError
from biaskit.records.base import Record, first_problem
from biaskit.records.probe_set import SLOT, Words

_TARGETS, _CELLS = 2, 4
_SENT_BIAS = ("targ1", "targ2", "attr1", "attr2")
_RESPONSIBLY = ("first_target", "second_target", "first_attribute", "second_attribute")


def _with_slot(template: str) -> str:
    if template.count(SLOT) != 1:
        raise ValueError(f"the template '{template}' must hold the slot {SLOT} exactly once")
    return template


class WordTest(Record):
    """Sets of target words and two sets of attribute words.

    With two sets of targets this is a WEAT; with four it crosses two attributes of people: both, the first
    alone, the second alone, neither.
    """

    name: str = Field(min_length=1)
    """Name of the test."""
    targets: dict[str, Words]
    """Two sets of target words by name, or four where two attributes are crossed."""
    attributes: dict[str, Words]
    """Two sets of attribute words by name; a positive number leans to the first."""
    templates: tuple[Annotated[str, AfterValidator(_with_slot)], ...] = ()
    """Sentences with the slot `{x}` in which the words are read; empty for the usual bleached ones."""

    @model_validator(mode="after")
    def _sizes(self) -> Self:
        if len(self.targets) not in {_TARGETS, _CELLS} or len(self.attributes) != _TARGETS:
            raise ValueError(
                "a test has two sets of targets (four where two attributes cross) and two of attributes"
            )
        for kind, sets in (("targets", self.targets), ("attributes", self.attributes)):
            seen: dict[str, str] = {}
            for name, words in sets.items():
                for word in words:
                    if word in seen:
                        raise ValueError(f"'{word}' stands in the {kind} {seen[word]} and {name}")
                    seen[word] = name
                if len(words) < 2:
                    raise ValueError(
                        f"the set '{name}' has one word, and one word cannot be told from chance"
                    )
        return self


def read_word_tests(path: Path | str) -> tuple[WordTest, ...]:
    """Read the tests of a file: TOML with the fields of `WordTest`, or JSON as others publish it.

    JSON may be one test with `targ1`, `targ2`, `attr1`, `attr2` (sent-bias), a list of tests with
    `first_target`, `second_target`, `first_attribute`, `second_attribute` (responsibly), or the fields of
    `WordTest`.

    Raises:
        RequestError: The file cannot be read, is none of these, or a test is no test.
    """
    file = Path(path)
    content = _parsed(file)
    tests = content if isinstance(content, list) else [content]
    fields = [_fields(one, file) for one in tests]
    usable = [one for one in fields if one is not None]
    if not usable:
        raise RequestError(
            f"'{file}' holds no association test.",
            why="A test has the keys name, targets and attributes, or those of sent-bias or responsibly.",
        )
    try:
        return TypeAdapter(tuple[WordTest, ...]).validate_python(tuple(usable))
    except ValidationError as error:
        why = first_problem(error, skip=1)
        raise RequestError(f"'{file}' holds a test that cannot be run.", why=why) from error


def _parsed(file: Path) -> Any:
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise RequestError(
            f"The association tests '{file}' cannot be read: there is no such file."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"The association tests '{file}' cannot be read.", why=str(error)) from error
    try:
        return tomllib.loads(text) if file.suffix == ".toml" else json.loads(text)
    except (tomllib.TOMLDecodeError, json.JSONDecodeError) as error:
        raise RequestError(f"'{file}' is not well-formed.", why=str(error)) from error


def _fields(test: Any, file: Path) -> dict[str, Any] | None:
    """Bring one test to the fields of `WordTest`; None for a test that publishes no words."""
    if not isinstance(test, dict):
        raise RequestError(f"'{file}' holds something other than a test.", why=f"{test!r:.60}")
    if all(key in test for key in _SENT_BIAS):
        sets = [(test[key]["category"], test[key]["examples"]) for key in _SENT_BIAS]
        return _refuse_sentences(_named(test.get("name", file.stem), sets), file)
    if all(key in test for key in _RESPONSIBLY):
        sets = [(test[key]["name"], test[key]["words"]) for key in _RESPONSIBLY]
        name = " / ".join(f"{sets[a][0]}-{sets[b][0]}" for a, b in ((0, 1), (2, 3)))
        return _named(test.get("name", name), sets)
    return {"name": file.stem, **test} if "targets" in test else None


def _named(name: str, sets: list[tuple[str, list[str]]]) -> dict[str, Any]:
    return {"name": name, "targets": dict(sets[:2]), "attributes": dict(sets[2:])}


def _refuse_sentences(fields: dict[str, Any], file: Path) -> dict[str, Any]:
    for words in fields["targets"].values():
        if words and all(word.endswith(".") and " " in word for word in words):
            raise RequestError(
                f"'{file}' holds sentences in place of words.",
                why="Sentences that share a word are not independent, so the words must be known.",
                fix="Give the file of words; they are put into templates here.",
            )
    return fields
