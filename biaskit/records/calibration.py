"""What an instrument did where the truth is known: false alarms on nulls, power over planted doses."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from pydantic import Field, JsonValue

from biaskit.records.base import Record
from biaskit.records.estimate import Estimate

PlantKind = Literal["associations", "choices", "labels", "attributes", "shares", "turns"]


class Planting(Record):
    """How an analyzer is shown something that it should find; an analyzer's class variable `planting`."""

    metric: str
    """The metric that must find the plant; its findings carry a p-value."""
    groups: tuple[str, ...] = ()
    """Groups of findings that must find it, such as a view; empty for all of the metric."""
    plant: PlantKind = "associations"
    """What is planted: `associations` of targets with a reference pair, `choices` between words behind nouns,
    `labels` of texts, `attributes` of images, `shares` of groups among drawn images, or `turns` of a group by
    an edit."""
    measures_dose: bool = True
    """Whether the metric is what doses count, so that its minimum detectable effect is a dose."""
    lean: dict[str, JsonValue] = {}
    """Settings that leave out what does not bear on the metric, to save time."""
    quick: dict[str, JsonValue] = {}
    """Further settings of a smaller design; what it shows holds for that design alone."""


class NullRate(Record):
    """How often something was found where there is nothing."""

    null: str
    """The null, such as `random concepts`."""
    trials: int = Field(ge=0)
    """How many analyses were run on it."""
    rate: Estimate
    """Share of tests with p at or below the level."""


class PowerPoint(Record):
    """How often a planted dose was found."""

    dose: float
    """Size of the dose, in the plant's unit."""
    rate: Estimate
    """Share of tests with p at or below the level and the right sign, where a dose has one."""


class Calibration(Record):
    """One analyzer's self-check."""

    analyzer: str
    """Name of the analyzer."""
    provider: str
    """Distribution the analyzer came from."""
    tool_version: str
    """Version of biaskit."""
    metric: str
    """The metric that was checked."""
    settings: dict[str, JsonValue]
    """Every setting that bears on the metric."""
    profile: str
    """How much was run: `quick`, `standard` or `full`."""
    seed: int
    """Seed of every draw."""
    created_at: datetime
    """When it was made, UTC."""
    subjects: dict[str, str]
    """What was looked at, by name, with the SHA-256 of its weights."""
    level: float = 0.05
    """Level of the tests."""
    nulls: tuple[NullRate, ...]
    """False alarms by kind of null."""
    false_alarms: Estimate
    """False alarms over all nulls."""
    dose_unit: str = ""
    """What doses count in."""
    power: tuple[PowerPoint, ...] = ()
    """Power over the planted doses, smallest first."""
    detectable: Estimate | None = None
    """The dose that is found with power 0.8, in `dose_unit`."""
    detectable_analytic: float | None = None
    """What the analyzer's own estimates say of that, in `dose_unit`; None where they say nothing."""
    trouble: tuple[str, ...] = ()
    """Why the instrument failed, one sentence each; empty where it did not."""

    @property
    def valid(self) -> bool:
        """Whether the instrument passed its own check."""
        return not self.trouble

    @property
    def sentence(self) -> str:
        """What was found, in one plain sentence, as reports and the terminal give it."""
        alarms = _spread(self.false_alarms, percent=True)
        said = f"{self.analyzer}: false alarms in {alarms} of {self.false_alarms.n} tests on nulls"
        found = self.detectable
        if found is None or found.value is None:
            return f"{said}; {_said(found)}"
        below = "" if found.interval else f" ({_said(found)})"
        said += f"; a dose of {_spread(found)} {self.dose_unit} is found with power 0.8{below}"
        if self.detectable_analytic is not None:
            said += f", and {self.detectable_analytic:.3g} is what its own estimates state"
        return f"{said}."

    @property
    def agrees(self) -> bool | None:
        """Whether the measured and the stated dose differ by no more than a quarter; None without both.

        Where the measured one has an interval, they differ only if all of it does.
        """
        found, stated = self.detectable, self.detectable_analytic
        if found is None or not stated:
            return None
        if found.value is None:
            return False if self.power[-1].dose > 1.25 * stated else None
        low, high = (found.interval.low, found.interval.high) if found.interval else (found.value,) * 2
        return low <= 1.25 * stated and high >= 0.75 * stated

    @property
    def settings_digest(self) -> str:
        """SHA-256 of the settings that bear on the metric, in hex."""
        return _digest(self.settings)

    @property
    def digest(self) -> str:
        """SHA-256 of the calibration, in hex."""
        return _digest(self.model_dump(mode="json"))


class CalibrationFile(Record):
    """What `biaskit selfcheck` writes."""

    format: Literal[1] = 1
    """Version of the file format."""
    calibrations: tuple[Calibration, ...]
    """One for each analyzer that was checked."""


def _spread(estimate: Estimate, *, percent: bool = False) -> str:
    """Write a number with its interval, `4.6% [3.1%, 6.8%]`."""
    value, interval = estimate.value or 0.0, estimate.interval
    form = ".1%" if percent else ".3g"
    ends = f" [{interval.low:{form}}, {interval.high:{form}}]" if interval else ""
    return f"{value:{form}}{ends}"


def _said(estimate: Estimate | None) -> str:
    return "no plant was tested." if estimate is None else (estimate.reason or "")


def _digest(content: Mapping[str, JsonValue]) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
