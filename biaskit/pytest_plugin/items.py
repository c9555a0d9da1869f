"""The test items: a file that is an audit, and one item a gate."""

from __future__ import annotations

import re
import warnings
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from biaskit import catalogue, gates
from biaskit.errors import BiaskitError, RequestError
from biaskit.pytest_plugin import once
from biaskit.records.report import Outcome, Report
from biaskit.reporting import folder, words
from biaskit.reporting.decided import decided

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from biaskit.records.audit_spec import AuditSpec, Gate
    from biaskit.reporting.decided import Decided

_REWRITTEN = "The baseline was rewritten; run again without --biaskit-update-baseline."


class UndecidedWarning(UserWarning):
    """A gate could not decide and its spec lets that pass."""


class GateFailure(Exception):  # noqa: N818  it is shown to people as a failure
    """A gate failed; its text is all that is shown."""


class SpecFile(pytest.File):
    """An audit; its run is made, or read, once."""

    _judged: Report | None = None

    def collect(self) -> Iterator[GateItem]:
        """Yield one item a gate, in the order of the file."""
        spec = self.spec()
        if not spec.gates:
            raise self.CollectError(f"'{self.path}' declares no gate: there is nothing to test.")
        for gate in spec.gates:
            yield GateItem.from_parent(self, name=gate.id, gate=gate)

    def spec(self) -> AuditSpec:
        """Read the audit.

        Raises:
            CollectError: It cannot be used; the message says why.
        """
        try:
            spec = catalogue.read_audit_spec(self.path)
            for gate in spec.gates:
                gates.check(gate)
        except BiaskitError as error:
            raise self.CollectError(str(error)) from error
        return spec

    def judged(self) -> Report:
        """Return the run with its verdicts of today."""
        if self._judged is None:
            self._judged = _judged(self.path, self.spec(), self.config)
        return self._judged


class GateItem(pytest.Item):
    """One gate; it fails, is skipped or passes with the verdicts it gave."""

    def __init__(self, *, gate: Gate, **rest: Any) -> None:
        """Keep the gate and mark the item."""
        super().__init__(**rest)
        self.gate = gate
        self.add_marker("biaskit")

    def runtest(self) -> None:
        """Judge, note the numbers among the item's properties, and say what the verdicts come to."""
        if self.config.getoption("--biaskit-update-baseline"):
            self._file().judged()
            raise GateFailure(_REWRITTEN)
        report = of_gate(self._file().judged(), self.gate)
        fail_on = gates.FailOn(self.config.getoption("--biaskit-fail-on"))
        own = decided(report, fail_on)
        self.user_properties += [
            (f"{one.about}: {name}", text) for one in own for name, text in one.numbers()
        ]
        said = "\n".join(_line(one) for one in own)
        if gates.exit_code(report, fail_on):
            raise GateFailure(said)
        open_ones = [one for one in own if one.verdict.outcome is not Outcome.PASS]
        if not open_ones:
            return
        undecided = all(one.verdict.outcome is Outcome.UNDECIDED for one in open_ones)
        if self.gate.on_undecided == "pass" and undecided:
            warnings.warn(UndecidedWarning(said), stacklevel=1)
        else:
            pytest.skip("; ".join(_line(one) for one in open_ones))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show what happened, without a traceback where it is no bug."""
        if isinstance(excinfo.value, GateFailure | BiaskitError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return the file, the gate's line in it, and the gate's name."""
        wanted = re.compile(rf"""\s*id\s*=\s*["']{re.escape(self.gate.id)}["']""")
        lines = self.path.read_text(encoding="utf-8").splitlines()
        return self.path, next((at for at, line in enumerate(lines) if wanted.match(line)), None), self.name

    def _file(self) -> SpecFile:
        if not isinstance(self.parent, SpecFile):
            raise TypeError("a gate belongs to a spec")
        return self.parent


def _judged(path: Path, spec: AuditSpec, config: pytest.Config) -> Report:
    saved = config.getoption("--biaskit-run")
    report = folder.read(_given(config, saved), Report) if saved else once.run(path, config)
    asked = {"gates": spec.gates, "waivers": spec.waivers, "statistics": spec.statistics}
    report = report.model_copy(update={"spec": report.spec.model_copy(update=asked)})
    if config.getoption("--biaskit-update-baseline"):
        _update_baseline(report, config)
        return report
    before = baseline(config)
    if before is not None:
        gates.check_baseline(before, report)
    return gates.judged(report, datetime.now(UTC).date(), before)


def _update_baseline(report: Report, config: pytest.Config) -> None:
    place = config.getoption("--biaskit-baseline")
    if not place:
        raise RequestError("There is no baseline to update.", fix="Name its folder with --biaskit-baseline.")
    folder.write(report, _given(config, place))


def baseline(config: pytest.Config) -> Report | None:
    """Return the earlier run that was named, or None.

    Raises:
        RequestError: The folder holds no run.
    """
    place = config.getoption("--biaskit-baseline")
    return folder.read(_given(config, place), Report) if place else None


def _given(config: pytest.Config, place: str) -> Path:
    return config.invocation_params.dir / place


def auditor(config: pytest.Config) -> Callable[..., Report]:
    """Return a function like `biaskit.audit` that makes each run once."""
    return once.auditor(config)


def of_gate(report: Report, gate: Gate) -> Report:
    """Return the report as if it had this gate alone."""
    own = tuple(one for one in report.verdicts if one.gate == gate.id)
    spec = report.spec.model_copy(update={"gates": (gate,)})
    return report.model_copy(update={"verdicts": own, "spec": spec})


def _line(one: Decided) -> str:
    return f"{one.word}: {one.about}: {words.plain(one.verdict.reason)}"
