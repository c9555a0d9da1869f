"""The one call behind the command line and the notebook."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Unpack

from biaskit import models
from biaskit.errors import MissingExtraError
from biaskit.runner.modalities import modality, opens
from biaskit.runner.offline import guard
from biaskit.runner.request import Options, Request, request

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from biaskit.protocols import Analyzer
    from biaskit.records.audit_spec import AuditSpec
    from biaskit.runner.run import Run

_WRITTEN = (str, int, float, tuple, list, dict)


def audit(
    model: object = None,
    concepts: str | Sequence[str] = (),
    references: str | Sequence[str] = (),
    spec: AuditSpec | str | Path | None = None,
    **options: Unpack[Options],
) -> Run:
    """Audit a model.

    Args:
        model: Hub id, local folder, `organism:NAME`, `demo`, or a model that is already loaded.
        concepts: Target sets or single targets (`winobias-occupations/nurse`), as a list or one text with
            commas.
        references: Reference pairs; by default those that each target set names.
        spec: An audit by name, path or record; what the call names wins over it.
        **options: See `biaskit.runner.request.Options`; `data` and `images` among them, which may
            stand in for concepts.

    Returns:
        The run. Where an analyzer failed or Ctrl-C was pressed it holds what was found until then, and
        its `run.status` says so.

    Raises:
        RequestError: The request cannot be carried out as it stands; nothing ran.
    """
    asked = {"concepts": concepts, "references": references, "spec": spec, **options}
    options.setdefault("command", _call(model, asked))
    return perform(request(model, concepts, references, spec, options))


def _call(model: object, asked: Mapping[str, object]) -> str:
    """Return the call as Python code, as far as its arguments can be written down."""
    named = model if model is None or isinstance(model, str) else type(model).__name__
    shown = [
        f"{key}={value!r}" for key, value in asked.items() if isinstance(value, _WRITTEN) and _plain(value)
    ]
    return f"biaskit.audit({', '.join([repr(named), *shown])})"


def _plain(value: object) -> bool:
    """Whether an argument says something, and all of it can be written down."""
    listed = value if isinstance(value, list | tuple) else [value]
    return bool(value) and all(isinstance(one, _WRITTEN) for one in listed)


def perform(resolved: Request, instead: Sequence[Analyzer] | None = None) -> Run:
    """Carry out a request in which every name has been found; torch is loaded here.

    Args:
        resolved: The request.
        instead: What is run in the place of the request's analyzers.

    Raises:
        RequestError: The analyzers do not read what was given; said before torch is loaded.
        MissingExtraError: A package is not installed that the run needs.
        ModelLoadError: The model cannot be found or reached; said before torch is loaded.
    """
    modality(opens(resolved, instead), resolved)
    if isinstance(resolved.model, str) and resolved.spec.subject is not None:
        with guard(active=resolved.offline):
            models.on_disk(resolved.model, resolved.spec.subject, offline=resolved.offline)
    try:
        execute = import_module("biaskit.runner.execute").execute
    except ModuleNotFoundError as error:
        extra = "diffusion" if resolved.drawn else "vision" if resolved.images else "text"
        raise MissingExtraError(error.name or "torch", extra) from error
    run: Run = execute(resolved, instead)
    return run
