"""An analyzer that draws its numbers, and a bench that plants any dose in it: nothing is opened."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import torch
from scipy import stats

from biaskit.errors import NothingAuditedError
from biaskit.records.calibration import Planting
from biaskit.records.estimate import Estimate, Interval, Null, Unit
from biaskit.records.finding import Analysis, Finding, FromRows
from biaskit.records.probe_set import Modality
from biaskit.records.table import Table
from biaskit.runner.specimens import Specimen
from biaskit.stats.power import minimum_detectable_effect

TESTS = 25
ERROR = 0.1
COLUMNS = {"number": "Which draw.", "value": "What was drawn."}


@dataclass(frozen=True)
class Gauge:
    """Draw a normal number around the dose.

    Attributes:
        error: Standard error that it states.
        shift: What it adds to each number.
        gain: What it makes of a dose.
    """

    name: ClassVar[str] = "gauge"
    modality: ClassVar[Modality] = Modality.ANY
    unit: ClassVar[str] = "nat"
    nulls: ClassVar[tuple[str, ...]] = ("normal",)
    limitations: ClassVar[tuple[str, ...]] = ("It is a fake.",)
    planting: ClassVar[Planting] = Planting(metric="gauge.score", plant="labels", lean={"note": "short"})
    error: float = ERROR
    shift: float = 0.0
    gain: float = 1.0
    note: str = "long"

    def analyze(self, session):
        if not session.doses:
            raise NothingAuditedError("No doses.")
        read = self.read(session.model.module)
        drawn = session.rng.normal(0.0, ERROR, len(session.doses))
        pairs = zip(session.doses, drawn, strict=True)
        findings = tuple(
            self._finding(i, self.gain * d + self.shift + e + 0 * read) for i, (d, e) in enumerate(pairs)
        )
        draws = Table.of("draws", "draws", COLUMNS, [(f.concepts[0], f.estimate.value) for f in findings])
        settings = {"error": self.error, "shift": self.shift, "gain": self.gain, "note": self.note}
        return Analysis(
            analyzer=self.name,
            settings=settings,
            findings=findings,
            limitations=self.limitations,
            tables=(draws,),
        )

    def read(self, module):
        with torch.inference_mode():
            return float(module(torch.ones(2)).sum())

    def _finding(self, number, value):
        half = stats.norm.ppf(0.975) * self.error
        estimate = Estimate(
            value=value,
            unit=Unit.NAT,
            n=1,
            resampling_unit="draws",
            method="a draw",
            interval=Interval(low=value - half, high=value + half, level=0.95, method="normal"),
            null=Null(p=float(2 * stats.norm.sf(abs(value) / self.error)), kind="normal"),
            minimum_detectable_effect=minimum_detectable_effect(self.error),
        )
        rows = FromRows(table="draws", column="value", where={"number": str(number)})
        return Finding(metric="gauge.score", concepts=(str(number),), estimate=estimate, rows=rows)


class Shelf:
    """Doses of either sign, each number one."""

    unit, signed, tunable = "nat", True, True
    subjects: ClassVar[dict[str, str]] = {"nothing": "0" * 64}

    def __init__(self, folder=None):
        self.nulls = {"zeros": lambda seed: self._made("zeros", seed, np.zeros(TESTS))}

    def planted(self, seed, doses):
        signs = np.random.default_rng([seed, 1]).choice([-1.0, 1.0], TESTS)
        return self._made("plants", seed + 10_000, signs * np.resize(doses, TESTS))

    def empty(self):
        return SimpleNamespace(doses=(), model=self._model())

    def _model(self):
        torch_state = torch.random.get_rng_state()
        module = torch.nn.Sequential(*(torch.nn.Linear(2, 2) for _ in range(4))).eval()
        torch.random.set_rng_state(torch_state)
        return SimpleNamespace(module=module)

    def _made(self, kind, seed, doses):
        session = SimpleNamespace(doses=doses.tolist(), rng=np.random.default_rng(seed), model=self._model())
        return Specimen(kind, session, lambda finding: session.doses[int(finding.concepts[0])])
