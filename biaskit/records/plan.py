"""What an audit would do, cost and be able to see, before anything runs."""

from __future__ import annotations

from pydantic import Field

from biaskit.records.base import Record
from biaskit.records.estimate import Unit


class Work(Record):
    """One kind of work."""

    what: str
    """What is done, in words."""
    count: int = Field(ge=0)
    """How many of them."""


class PlannedGate(Record):
    """What one gate could see of one finding."""

    gate: str
    """Id of the gate."""
    about: str
    """Target, pair, site and group of the finding; empty where it is not known which there will be."""
    unit: Unit | None = None
    """Unit of the numbers below."""
    n: int | None = None
    """How many units of resampling the number rests on."""
    minimum_detectable_effect: float | None = None
    """Smallest distance beyond the limit that fails with the suite's power, corrected for its family."""
    promised: float | None = None
    """The gate's `mde`."""
    power: float | None = None
    """Probability of failing a number that lies `promised` beyond the limit."""
    passes: float | None = None
    """Probability of passing a number in the middle of the limit; None where the limit has one side."""
    needed: int | None = None
    """About how many units it would take to see what was promised; None where it is seen or not known."""
    basis: str
    """Where the spread is taken from, or why nothing can be known before a run."""

    @property
    def impossible(self) -> bool:
        """Whether the gate promises more than the design can see."""
        seen, promised = self.minimum_detectable_effect, self.promised
        return seen is not None and promised is not None and seen > promised


class Plan(Record):
    """What an audit would do."""

    model: str
    """What is opened."""
    spec_digest: str
    """SHA-256 of the resolved spec, in hex."""
    work: tuple[Work, ...]
    """What is done."""
    downloads: tuple[str, ...] = ()
    """What is fetched first, one sentence each."""
    download_mib: float | None = None
    """How much is fetched, MiB; 0 where everything is on this machine, None where the hub did not tell."""
    duration_s: float | None = None
    """Expected wall time, seconds; None where nothing is known."""
    memory_mib: float | None = None
    """Expected peak memory, MiB; None where nothing is known."""
    weights_mib: float | None = None
    """Size of the weights on disk, MiB; None where they are not on this machine."""
    cost_basis: str
    """Where time and memory are taken from, or why they are not known."""
    gates: tuple[PlannedGate, ...] = ()
    """What each gate could see."""
    warnings: tuple[str, ...] = ()
    """What will keep the gates from deciding, one sentence each."""
