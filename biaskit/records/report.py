"""A run, whole: what was asked, what was run, what was found, what was decided."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import Field

from biaskit.records.audit_spec import AuditSpec
from biaskit.records.base import Record
from biaskit.records.calibration import Calibration
from biaskit.records.finding import Analysis, Finding
from biaskit.records.site import Site


class Status(StrEnum):
    """How a run ended."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    ERROR = "error"
    INTERRUPTED = "interrupted"


class Outcome(StrEnum):
    """What a gate says."""

    PASS = "pass"
    FAIL = "fail"
    UNDECIDED = "undecided"
    ERROR = "error"
    WAIVED = "waived"


class Change(StrEnum):
    """What became of a finding since an earlier run."""

    NEW = "new"
    UNCHANGED = "unchanged"
    BETTER = "better"
    WORSE = "worse"
    CHANGED = "changed"
    ABSENT = "absent"


class Verdict(Record):
    """What one gate says about one finding."""

    gate: str
    """Id of the gate."""
    concept: str
    """The target concept."""
    references: tuple[str, str] | None = None
    """The reference poles, positive first."""
    group: str | None = None
    """The finding's group."""
    metric: str = ""
    """The metric that was judged."""
    site: Site | None = None
    """Where in the model the finding was read."""
    low: float | None = None
    """Smallest value that the gate allows, in the metric's unit; None where nothing is too small."""
    high: float | None = None
    """Largest value that the gate allows, in the metric's unit; None where nothing is too large."""
    outcome: Outcome
    """The decision."""
    reason: str
    """The decision in one plain sentence, with value, interval and limit."""
    p: float | None = Field(default=None, ge=0, le=1)
    """p-value of a violation of the limit, corrected for the gate's family; None where nothing was tested."""
    severity: Literal["low", "medium", "high"] = "medium"
    """How grave a failure is, as the gate says."""
    change: Change | None = None
    """What became of the finding since the baseline, for a gate against one."""
    advisory: bool = False
    """Whether the verdict leaves the exit code alone."""


class SubjectRecord(Record):
    """The model as it was found."""

    name: str
    """What the user asked for."""
    source: str
    """What was opened: hub id with commit, organism with seed, or a local folder's name."""
    revision: str | None = None
    """Commit of the weights, where there is one."""
    architecture: str
    """Model type, such as `gpt2`."""
    layout: str
    """How sites were found: `known` or a sentence that says what was inferred."""
    layers: int
    """Number of blocks."""
    width: int
    """Width of the residual stream."""
    parameters: int
    """Number of weights."""
    dtype: str
    """Number format the weights ran in."""
    device: str
    """Where the weights ran."""
    fingerprint: str
    """SHA-256 over weights, tokenizer and config, in hex."""


class ProbeSetRecord(Record):
    """A probe set, or labelled texts of the user's own, as they were used."""

    name: str
    """Name of the set."""
    kind: str
    """`target`, `pair`, `controls` or `data`."""
    digest: str
    """SHA-256 of its content, in hex."""
    source: str
    """Where the words come from; of data, the file's name."""
    licence: str
    """Licence of the words; of data, `not stated`."""


class RunRecord(Record):
    """When, how long, how much."""

    id: str
    """Digest of spec, subject and probe sets: the same request on the same weights has the same id."""
    started_at: datetime
    """When it began, UTC."""
    duration_s: float
    """Wall time, seconds."""
    cpu_s: float
    """Processor time, seconds."""
    peak_memory_mib: float
    """Largest resident memory, MiB."""
    status: Status
    """How it ended."""
    command: str = ""
    """The command line, or the call, that repeats the run."""


class Report(Record):
    """Everything about one run. JSON is the canonical form; all else is rendered from it."""

    schema_version: Literal[1] = 1
    """Version of this schema."""
    tool_version: str
    """Version of biaskit."""
    run: RunRecord
    """When, how long, how much."""
    subject: SubjectRecord
    """The model as it was found."""
    spec: AuditSpec
    """What was asked, with every default written out."""
    spec_digest: str
    """SHA-256 of the resolved spec, in hex."""
    probe_sets: tuple[ProbeSetRecord, ...]
    """The probe sets and data that were used."""
    analyses: tuple[Analysis, ...]
    """What each analyzer found."""
    verdicts: tuple[Verdict, ...] = ()
    """What each gate said."""
    baseline: str | None = None
    """Id of the earlier run that gates against a baseline were judged by."""
    calibrations: tuple[Calibration, ...] = ()
    """The calibrations of its analyzers, where the spec names or requires them."""
    not_measured: tuple[str, ...] = ()
    """What was asked or expected and not measured, one sentence each, with the reason."""
    environment: dict[str, str] = Field(default_factory=dict)
    """Versions of Python, the system and the packages that matter."""

    def findings(self, metric: str | None = None, *, concept: str | None = None) -> tuple[Finding, ...]:
        """Return the findings of every analyzer, narrowed to a metric or a target concept."""
        return tuple(
            finding
            for analysis in self.analyses
            for finding in analysis.findings
            if metric in (None, finding.metric) and (concept is None or finding.concepts[:1] == (concept,))
        )

    @property
    def conflicts(self) -> tuple[str, ...]:
        """Return every sentence about inside, behaviour and cause disagreeing."""
        return tuple(sentence for analysis in self.analyses for sentence in analysis.conflicts)
