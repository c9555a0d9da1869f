"""A run made once a test session, also where several processes share the session."""

from __future__ import annotations

import hashlib
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biaskit.errors import RunError
from biaskit.records.report import Report
from biaskit.reporting import folder

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


def run(spec: Path, config: pytest.Config) -> Report:
    """Carry out an audit, or take the run that another process of this session made of it."""
    return _once(config, str(spec), {"model": config.getoption("--biaskit-model"), "spec": spec})


def auditor(config: pytest.Config) -> Callable[..., Report]:
    """Return a function like `biaskit.audit` that makes each run once."""
    made: dict[str, Report] = {}

    def audit(model: object = None, concepts: object = (), **options: Any) -> Report:
        asked = {"model": model, "concepts": concepts, **options}
        key = repr(sorted(asked.items()))
        if key not in made:
            made[key] = _once(config, key, asked) if isinstance(model, str) else _audit(config, asked)
        return made[key]

    return audit


def _once(config: pytest.Config, key: str, asked: dict[str, Any]) -> Report:
    place = _shared(config)
    if place is None:
        return _audit(config, asked)
    target = place / hashlib.sha256(key.encode()).hexdigest()[:16]
    with import_module("filelock").FileLock(f"{target}.lock"):
        if not (target / folder.REPORT).exists():
            folder.write(_audit(config, asked), target)
    return folder.read(target, Report)


def _shared(config: pytest.Config) -> Path | None:
    """Return a folder that the processes of this session share; None where there is one process."""
    own = config.getoption("basetemp")
    if not hasattr(config, "workerinput") or not own:
        return None
    place = Path(own).parent / "biaskit"
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    return place


def _audit(config: pytest.Config, asked: dict[str, Any]) -> Report:
    """Run an audit; what stops it is the test's failure."""
    offline = {"offline": True} if config.getoption("--biaskit-offline") else {}
    made = import_module("biaskit.runner.audit").audit(**{**offline, **asked})
    if made.failure is not None:
        raise RunError("The audit stopped before its end.", why=str(made.failure)) from made.failure
    found: Report = made
    return found
