"""A report handed to an experiment tracker: MLflow or Weights & Biases, loaded when one is used."""

from __future__ import annotations

import re
from collections import Counter
from importlib import import_module
from typing import TYPE_CHECKING, Any

from biaskit.errors import MissingExtraError, UnknownNameError
from biaskit.reporting import view, words
from biaskit.reporting.folder import folder_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from biaskit.records.finding import Finding
    from biaskit.records.report import Report

_FORBIDDEN = re.compile(r"[^A-Za-z0-9_\-. /]+")
_LONGEST = 240


def track(report: Report, folder: Path, tracker: str) -> str:
    """Log a report and its run folder; where to is set as the tracker's own variables say.

    Returns:
        The tracker's id of the run.

    Raises:
        UnknownNameError: There is no such tracker.
        MissingExtraError: The tracker is not installed.
    """
    if tracker not in TRACKERS:
        raise UnknownNameError("tracker", tracker, TRACKERS)
    try:
        library = import_module(tracker)
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or tracker, tracker) from error
    return TRACKERS[tracker](library, report, folder)


def numbers(report: Report) -> dict[str, float]:
    """Return the headline numbers with the ends of their intervals and n, and how the gates decided.

    A name is made of metric, concepts, pair, group, site and what it is, such as `value`; characters that a
    tracker refuses become `_`. No name is the folder of another: a tracker may keep each in a file.
    """
    found: dict[str, float] = {}
    for finding in report.findings():
        if finding.headline and finding.estimate.value is not None:
            found |= {f"{_name(finding)}{end}": value for end, value in _values(finding)}
    seen = Counter(one.outcome for one in report.verdicts)
    return found | {
        f"gates/{outcome.value}": float(seen[outcome]) for outcome in view.ORDER if report.verdicts
    }


def settings(report: Report) -> dict[str, str]:
    """Return what identifies a run: model, digests, suite, seed, status and version."""
    return {
        "model": words.plain(report.subject.source),
        "fingerprint": report.subject.fingerprint,
        "suite": words.plain(report.spec.name),
        "spec_digest": report.spec_digest,
        "seed": str(report.spec.seed),
        "status": report.run.status.value,
        "run": report.run.id,
        "biaskit": report.tool_version,
    }


def _name(finding: Finding) -> str:
    poles = " - ".join(finding.references or ())
    parts = (finding.metric, *finding.concepts, poles, finding.group or "", str(finding.site or ""))
    return _FORBIDDEN.sub("_", "/".join(part for part in parts if part))[:_LONGEST]


def _values(finding: Finding) -> Iterator[tuple[str, float]]:
    estimate = finding.estimate
    if estimate.value is not None:
        yield "/value", estimate.value
    if estimate.interval is not None:
        yield from (("/low", estimate.interval.low), ("/high", estimate.interval.high))
    yield "/n", float(estimate.n)


def _to_mlflow(mlflow: Any, report: Report, folder: Path) -> str:
    with mlflow.start_run(run_name=folder_name(report)) as run:
        mlflow.log_params(settings(report))
        mlflow.log_metrics(numbers(report))
        mlflow.log_artifacts(str(folder))
    return str(run.info.run_id)


def _to_wandb(wandb: Any, report: Report, folder: Path) -> str:
    name = folder_name(report)
    with wandb.init(job_type="audit", name=name, config=settings(report)) as run:
        run.summary.update(numbers(report))
        artifact = wandb.Artifact(name, type="audit", metadata=settings(report))
        artifact.add_dir(str(folder))
        run.log_artifact(artifact)
    return str(run.id)


TRACKERS: dict[str, Callable[[Any, Report, Path], str]] = {"mlflow": _to_mlflow, "wandb": _to_wandb}
