"""Calibrations that a run requires or names: read and held against the spec before anything heavy loads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

import biaskit
from biaskit import catalogue
from biaskit.errors import InstrumentError
from biaskit.records.calibration import Calibration, CalibrationFile

if TYPE_CHECKING:
    from biaskit.records.audit_spec import AuditSpec, CalibrationSpec

DEFAULT_FILE = "biaskit-calibration.json"
_MOST_BYTES = 20_000_000


def read(path: Path) -> tuple[Calibration, ...]:
    """Read a calibration file.

    Raises:
        InstrumentError: It cannot be read, or is none.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InstrumentError(f"'{path}' is too large to be a calibration file.")
        return CalibrationFile.model_validate_json(path.read_bytes()).calibrations
    except OSError as error:
        raise InstrumentError(
            f"The calibration file '{path}' cannot be read.",
            why=error.strerror or str(error),
            fix=f"Make one with: biaskit selfcheck --out {path}",
        ) from error
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = ".".join(map(str, problem["loc"])) or "the file"
        raise InstrumentError(
            f"'{path}' is no calibration file.",
            why=f"{place}: {problem['msg']}",
            fix=f"Make one with: biaskit selfcheck --out {path}",
        ) from error


def required(
    spec: AuditSpec,
    folder: Path | None = None,
    *,
    cited: Sequence[Calibration] = (),
    now: datetime | None = None,
) -> tuple[Calibration, ...]:
    """Return the calibrations of the analyzers that a spec's gates judge, each held against the spec.

    Args:
        spec: The spec; one that neither requires nor names a calibration has none.
        folder: Folder of the audit file, which its path must not leave; None: the working folder.
        cited: Calibrations that a saved run cites; they count where there is no file.
        now: When ages are counted from; None for the present.

    Raises:
        InstrumentError: One is missing, too old, of another version, or failed, and one is required.
        CatalogueError: The path leaves the folder.
    """
    asked = spec.calibration
    if not asked.require and asked.path is None:
        return ()
    needed = _needed(spec)
    path = _path(asked, folder)
    known = read(path) if path.exists() or not cited else tuple(cited)
    newest = {one.analyzer: one for one in sorted(known, key=lambda one: one.created_at)}
    today = now or datetime.now(UTC)
    problems = [problem for name in needed for problem in _problems(name, newest.get(name), asked, today)]
    if problems and asked.require:
        raise InstrumentError(
            "The run requires calibrated analyzers, and they are not.",
            why=" ".join(problems),
            fix=f"Calibrate with: biaskit selfcheck --analyzers {','.join(needed)} --profile standard "
            f"--out {path}",
        )
    return tuple(newest[name] for name in needed if name in newest)


def check_settings(
    spec: AuditSpec, calibrations: Sequence[Calibration], ran: Mapping[str, Mapping[str, Any]]
) -> None:
    """Refuse a run whose settings differ from those that were calibrated, where the spec requires them.

    Args:
        spec: The spec.
        calibrations: The calibrations of its analyzers.
        ran: By analyzer, every setting of the run.

    Raises:
        InstrumentError: A setting that bears on the calibrated metric is another one.
    """
    if not (spec.calibration.require and spec.calibration.same_settings):
        return
    for one in calibrations:
        own = ran.get(one.analyzer)
        for key, value in one.settings.items() if own is not None else ():
            found = _plain(own.get(key)) if own is not None else None
            if found != value:
                raise InstrumentError(
                    f"{one.analyzer} was calibrated with {key}={value} and runs with {key}={found}.",
                    why="What was shown of one design says nothing of another.",
                    fix="Calibrate with these settings (biaskit selfcheck -A, or --profile standard), or set "
                    "calibration.same_settings = false.",
                )


def _needed(spec: AuditSpec) -> list[str]:
    """Names of the analyzers whose metrics a gate judges; without gates, all."""
    judged = {gate.metric.partition(".")[0] for gate in spec.gates}
    names = [one.name for one in spec.analyzers]
    return [name for name in names if name.replace("-", "_") in judged] if judged else names


def _path(asked: CalibrationSpec, folder: Path | None) -> Path:
    name = asked.path or DEFAULT_FILE
    return Path(name) if folder is None else catalogue.inside(folder, name)


def _problems(name: str, found: Calibration | None, asked: CalibrationSpec, today: datetime) -> Iterator[str]:
    if found is None:
        yield f"{name} has no calibration."
        return
    if not found.valid:
        yield f"{name} failed its own check: {' '.join(found.trouble)}"
    if asked.same_version and found.tool_version != biaskit.__version__:
        yield f"{name} was calibrated with biaskit {found.tool_version}, and this is {biaskit.__version__}."
    age = (today - found.created_at).days
    if asked.max_age_days is not None and age > asked.max_age_days:
        yield f"The calibration of {name} is {age} days old, and {asked.max_age_days} are allowed."
    rate = found.false_alarms.value or 0.0
    if asked.max_false_alarm is not None and rate > asked.max_false_alarm:
        allowed = f"{asked.max_false_alarm:.1%} are allowed"
        yield f"{name} raised false alarms in {rate:.1%} of tests, and {allowed}."


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
