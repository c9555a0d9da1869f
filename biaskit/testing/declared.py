"""Checks of what an analyzer says about itself: nothing is opened for them."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import MISSING, asdict, fields, is_dataclass
from typing import Any

from biaskit import analyzers
from biaskit.records.estimate import Unit
from biaskit.records.probe_set import Modality
from biaskit.runner.request import parse_value
from biaskit.testing.subject import Subject

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def require(held: object, message: str) -> None:
    """Fail a check.

    Raises:
        AssertionError: `held` is false.
    """
    if not held:
        raise AssertionError(message)


def check_class_variables_are_complete(subject: Subject) -> None:
    """`name`, `modality`, `unit`, `nulls` and `limitations` say what it is; `analyze` is there."""
    kind: Any = subject.kind
    for needed in ("name", "modality", "unit", "nulls", "limitations", "analyze"):
        require(hasattr(kind, needed), f"it lacks `{needed}`")
    require(_NAME.fullmatch(str(kind.name)), f"its name '{kind.name}' is not of the form words-with-hyphens")
    require(isinstance(kind.modality, Modality), f"its modality {kind.modality!r} is no Modality")
    require(kind.unit in set(Unit), f"its unit '{kind.unit}' is none of {', '.join(Unit)}")
    for listed in ("nulls", "limitations"):
        said = getattr(kind, listed)
        sentences = isinstance(said, tuple) and said and all(isinstance(one, str) and one for one in said)
        require(sentences, f"`{listed}` must be a tuple of texts, one at least")


def check_is_a_frozen_dataclass(subject: Subject) -> None:
    """Its settings are the fields of a frozen dataclass."""
    require(is_dataclass(subject.kind), "it is no dataclass")
    parameters: Any = getattr(subject.kind, "__dataclass_params__", None)
    require(parameters.frozen, "it is not frozen: write @dataclass(frozen=True)")


def check_every_setting_has_a_default(subject: Subject) -> None:
    """It can be made without naming anything."""
    kind: Any = subject.kind
    bare = [
        one.name
        for one in fields(kind)
        if one.default is MISSING and one.default_factory is MISSING and one.init
    ]
    require(not bare, f"settings without a default: {', '.join(bare)}")


def check_settings_round_trip(subject: Subject) -> None:
    """Settings written as JSON, as TOML or on the command line make the same analyzer again."""
    first = subject.analyzer
    plain: dict[str, Any] = json.loads(json.dumps(asdict(first)))  # type: ignore[call-overload]
    written = {key: json.dumps(value) for key, value in plain.items() if value is not None}
    by_file = tomllib.loads("\n".join(f"{key} = {value}" for key, value in written.items()))
    by_flag = {key: parse_value(value) for key, value in written.items()}
    for where, settings in (("JSON", plain), ("TOML", by_file), ("the command line", by_flag)):
        again = analyzers.make(subject.kind, settings)
        require(again == first, f"settings read from {where} make {again!r}, not {first!r}")


def check_says_how_it_is_planted(subject: Subject) -> None:
    """`planting` names the metric that must find a plant, and settings that exist."""
    planting = subject.planting
    require(planting is not None, "it has no class variable `planting` of the type Planting")
    if planting is not None:
        kind: Any = subject.kind
        known = {one.name for one in fields(kind)}
        for setting in (*planting.lean, *planting.quick):
            require(setting in known, f"`planting` names the setting '{setting}', which there is not")


DECLARED = (
    check_class_variables_are_complete,
    check_is_a_frozen_dataclass,
    check_every_setting_has_a_default,
    check_settings_round_trip,
    check_says_how_it_is_planted,
)
