"""Two runs side by side: what became of each finding."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from biaskit.records.base import Record
from biaskit.records.estimate import Estimate
from biaskit.records.finding import Direction
from biaskit.records.report import Change
from biaskit.records.site import Site


class ComparedRun(Record):
    """One of the two runs."""

    id: str
    """Id of the run."""
    model: str
    """What the user asked for."""
    fingerprint: str
    """SHA-256 over weights, tokenizer and config, in hex."""
    spec_digest: str
    """SHA-256 of the resolved spec, in hex."""
    tool_version: str
    """Version of biaskit that ran it."""


class Difference(Record):
    """What became of one finding."""

    metric: str
    """The metric."""
    concepts: tuple[str, ...]
    """The target concept, then whatever else the number is about."""
    references: tuple[str, str] | None = None
    """The reference poles, positive first."""
    site: Site | None = None
    """Where in the model it was read."""
    group: str | None = None
    """Which reading, view or subgroup."""
    direction: Direction
    """Which way is fairer."""
    before: Estimate | None = None
    """The number in the earlier run."""
    after: Estimate | None = None
    """The number in the later run."""
    change_in_value: Estimate | None = None
    """The later number less the earlier one."""
    worsening: Estimate | None = None
    """How much further the number is from where it should be; None where neither way is fairer."""
    paired: bool = False
    """Whether the interval is that of paired measurements."""
    change: Change | None = None
    """What that amounts to; None where nothing can be said."""
    p: float | None = Field(default=None, ge=0, le=1)
    """q-value of the change, corrected over the findings that were compared."""
    reason: str | None = None
    """Why nothing can be said, or why the comparison is not paired."""


class RunComparison(Record):
    """Two runs side by side."""

    schema_version: Literal[1] = 1
    """Version of this schema."""
    before: ComparedRun
    """The earlier run."""
    after: ComparedRun
    """The later run."""
    level: float
    """Confidence level of the intervals."""
    differences: tuple[Difference, ...]
    """Every finding of either run."""
    notes: tuple[str, ...] = ()
    """What else differs between the runs, one sentence each."""
