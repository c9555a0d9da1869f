"""biaskit audits language, diffusion and vision models for bias from the inside.

The public names are loaded on first use, so that `import biaskit` costs nothing and the light half
(records, catalogue, gates, reporting) works where torch is not installed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

    from biaskit.errors import (
        ActivationError,
        BiaskitError,
        CatalogueError,
        ImageError,
        InstrumentError,
        LayoutError,
        MissingExtraError,
        ModelLoadError,
        NothingAuditedError,
        RequestError,
        RunError,
        SparseAutoencoderMismatchError,
        TextTooLongError,
        UnknownNameError,
    )
    from biaskit.hooks.capture import capture
    from biaskit.hooks.edit import edit
    from biaskit.images.in_memory import image_set
    from biaskit.models import load, load_classifier, load_encoder
    from biaskit.records.audit_spec import AuditSpec, Gate
    from biaskit.records.estimate import Estimate, Interval
    from biaskit.records.finding import Analysis, Finding
    from biaskit.records.probe_set import ControlSet, ProbeSet, ReferencePair, TargetSet
    from biaskit.records.report import Report
    from biaskit.records.site import Site, SiteKind
    from biaskit.runner.audit import audit
    from biaskit.runner.by_group import ByGroup
    from biaskit.runner.comparing import ComparedRuns, compare
    from biaskit.runner.run import Run, load_report
    from biaskit.session import Session, VisionSession
    from biaskit.triangulation import triangulate

__version__ = "0.1.0"

_HOMES = {
    "biaskit.errors": (
        "ActivationError",
        "BiaskitError",
        "CatalogueError",
        "ImageError",
        "InstrumentError",
        "LayoutError",
        "MissingExtraError",
        "ModelLoadError",
        "NothingAuditedError",
        "RequestError",
        "RunError",
        "SparseAutoencoderMismatchError",
        "TextTooLongError",
        "UnknownNameError",
    ),
    "biaskit.hooks.capture": ("capture",),
    "biaskit.hooks.edit": ("edit",),
    "biaskit.images.in_memory": ("image_set",),
    "biaskit.models": ("load", "load_classifier", "load_encoder"),
    "biaskit.records.audit_spec": ("AuditSpec", "Gate"),
    "biaskit.records.estimate": ("Estimate", "Interval"),
    "biaskit.records.finding": ("Analysis", "Finding"),
    "biaskit.records.probe_set": ("ControlSet", "ProbeSet", "ReferencePair", "TargetSet"),
    "biaskit.records.report": ("Report",),
    "biaskit.records.site": ("Site", "SiteKind"),
    "biaskit.runner.audit": ("audit",),
    "biaskit.runner.by_group": ("ByGroup",),
    "biaskit.runner.comparing": ("ComparedRuns", "compare"),
    "biaskit.runner.run": ("Run", "load_report"),
    "biaskit.session": ("Session", "VisionSession"),
    "biaskit.triangulation": ("triangulate",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "ActivationError",
    "Analysis",
    "AuditSpec",
    "BiaskitError",
    "ByGroup",
    "CatalogueError",
    "ComparedRuns",
    "ControlSet",
    "Estimate",
    "Finding",
    "Gate",
    "ImageError",
    "InstrumentError",
    "Interval",
    "LayoutError",
    "MissingExtraError",
    "ModelLoadError",
    "NothingAuditedError",
    "ProbeSet",
    "ReferencePair",
    "Report",
    "RequestError",
    "Run",
    "RunError",
    "Session",
    "Site",
    "SiteKind",
    "SparseAutoencoderMismatchError",
    "TargetSet",
    "TextTooLongError",
    "UnknownNameError",
    "VisionSession",
    "audit",
    "capture",
    "compare",
    "edit",
    "image_set",
    "load",
    "load_classifier",
    "load_encoder",
    "load_report",
    "triangulate",
]


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'biaskit' has no attribute '{name}'")
    value: object = getattr(_home(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def _home(module: str) -> ModuleType:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in {"", "biaskit"}:
            raise
        extra = "vision" if package == "PIL" else "text"
        raise import_module("biaskit.errors").MissingExtraError(package, extra) from error


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
