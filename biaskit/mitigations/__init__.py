"""Remedies: found on data, applied to a model, saved and loaded again."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from biaskit.errors import RequestError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from biaskit.mitigations.protocol import Mitigation

BUILT_IN = {
    "steer-generator": "biaskit.mitigations.steer_generator:SteerGenerator",
    "erase": "biaskit.mitigations.erase_text:EraseText",
    "retrain-head": "biaskit.mitigations.retrain_images:RetrainImages",
}
READS_AS = {"steer-generator": "bias-features", "erase": "biaslens", "retrain-head": "vig-bias"}
"""The analyzer that is given what each mitigation is given."""
DEFAULT = "steer-generator"


def build(name: str, settings: Mapping[str, Any]) -> Mitigation:
    """Make a mitigation with settings; what is not named keeps its default.

    Raises:
        UnknownNameError: The mitigation or a setting does not exist; near names are given.
        RequestError: A setting has a value that it cannot take.
    """
    if name not in BUILT_IN:
        raise UnknownNameError("mitigation", name, BUILT_IN)
    module, _, attribute = BUILT_IN[name].partition(":")
    kind: Any = getattr(import_module(module), attribute)
    for setting in settings:
        if setting not in kind.__dataclass_fields__:
            raise UnknownNameError(f"setting of {name}", setting, kind.__dataclass_fields__)
    try:
        built: Mitigation = TypeAdapter(kind).validate_python(dict(settings))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        raise RequestError(
            f"The setting '{problem['loc'][0]}' of {name} cannot be {problem['input']!r}.", why=problem["msg"]
        ) from error
    return built
