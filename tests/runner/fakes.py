"""A model that is never asked anything, and analyzers that behave in every way an analyzer can."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Literal

from biaskit.errors import NothingAuditedError, RunError, TextTooLongError, UnknownNameError
from biaskit.records.estimate import Estimate, Interval, Unit
from biaskit.records.finding import Analysis, Evidence, Finding
from biaskit.records.probe_set import Modality
from tests.reporting.sample import subject_record


class Model:
    modality = Modality.TEXT

    def __init__(self):
        self.subject = subject_record()


class _Analyzer:
    modality: ClassVar[Modality] = Modality.TEXT
    unit: ClassVar[str] = "nat"
    nulls: ClassVar[tuple[str, ...]] = ("none",)
    limitations: ClassVar[tuple[str, ...]] = ("It is a fake.",)


@dataclass(frozen=True)
class Steady(_Analyzer):
    """Draw one number a target from the session's seed.

    Attributes:
        shift: Added to each number.
        words: Anything.
    """

    name: ClassVar[str] = "steady"
    shift: float = 0.0
    words: tuple[str, ...] = ("a",)

    def analyze(self, session):
        findings = tuple(
            self._finding(session, comparison, target)
            for comparison in session.comparisons[:1]
            for target in comparison.targets.targets
        )
        settings = {"shift": self.shift, "words": list(self.words)}
        return Analysis(
            analyzer=self.name, settings=settings, findings=findings, limitations=self.limitations
        )

    def _finding(self, session, comparison, target):
        value = self.shift + session.rng(target).normal()
        return Finding(
            metric="steady.score",
            concepts=(target,),
            references=comparison.pair.poles,
            headline=True,
            estimate=Estimate(
                value=value,
                unit=Unit.NAT,
                n=len(comparison.targets.templates),
                resampling_unit="templates",
                method="a draw",
                interval=Interval(low=value - 0.1, high=value + 0.1, level=0.95, method="made up"),
                reason="it has no null",
            ),
            evidence=(Evidence(text=f"The {target}", value=value),),
        )


def _stopping(called, error):
    def analyze(self, session):
        raise error

    body = {"name": called, "analyze": analyze, "__doc__": f"Stop with {error!r}."}
    return dataclass(frozen=True)(type(called.title(), (_Analyzer,), body))


@dataclass(frozen=True)
class Counting(_Analyzer):
    """Count the rows of each set of labelled texts."""

    name: ClassVar[str] = "counting"

    def analyze(self, session):
        findings = tuple(self._finding(one) for one in session.labelled)
        return Analysis(analyzer=self.name, settings={}, findings=findings, limitations=self.limitations)

    def _finding(self, data):
        estimate = Estimate(
            value=float(len(data.texts)),
            unit=Unit.COUNT,
            n=len(data.texts),
            resampling_unit="texts",
            method="a count",
            reason="it is exact",
        )
        return Finding(metric="counting.rows", concepts=(data.name,), headline=True, estimate=estimate)


@dataclass(frozen=True)
class Narrow(_Analyzer):
    """Read nothing longer than ten characters, which it takes for tokens."""

    name: ClassVar[str] = "narrow"

    def analyze(self, session):
        every = [one for data in session.labelled for one in (data, data.shifted) if one is not None]
        lengths = {text: len(text) for one in every for text in one.texts if len(text) > 10}
        if lengths:
            raise TextTooLongError(lengths, 10)
        return Analysis(analyzer=self.name, settings={}, findings=(), limitations=self.limitations)


class Shade(StrEnum):
    LIGHT = "light"
    DARK = "dark"


@dataclass(frozen=True)
class Picky(_Analyzer):
    """Take only some values."""

    name: ClassVar[str] = "picky"
    metrics: ClassVar[tuple[str, ...]] = ("picky.score",)
    shade: Shade = Shade.LIGHT
    tone: Literal["quiet", "loud"] = "quiet"

    def analyze(self, session):
        return Analysis(analyzer=self.name, settings={}, findings=(), limitations=self.limitations)


Crashing = _stopping("crashing", ZeroDivisionError("division by\nzero"))
Failing = _stopping("failing", RunError("The activations are not numbers."))
Interrupted = _stopping("interrupted", KeyboardInterrupt())
Asking = _stopping("asking", UnknownNameError("layer", "99", ["0", "1"]))
Empty = _stopping("empty", NothingAuditedError("Nothing was left."))
NotAnAnalyzer = object
