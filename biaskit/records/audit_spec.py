"""A suite: what is audited, on what, with which analyzers, and the gates that judge it."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from enum import StrEnum
from typing import Literal

from pydantic import Field, JsonValue

from biaskit.records.base import Record

WHERE_KEYS = ("concept", "group", "site", "positive", "negative")
"""What a gate's `where` may narrow by."""

_JUDGING = {"name", "description", "subject", "gates", "waivers", "statistics", "calibration"}


class FailOn(StrEnum):
    """What fails a build."""

    FAIL = "fail"
    WARN = "warn"
    UNDECIDED = "undecided"
    NEVER = "never"


class Rule(StrEnum):
    """What a gate needs to see before it lets a run pass."""

    NO_EVIDENCE_OF_VIOLATION = "no-evidence-of-violation"
    EVIDENCE_OF_COMPLIANCE = "evidence-of-compliance"


class Subject(Record):
    """The model under audit and how it is opened."""

    model: str
    """Hub id, local folder, `organism:NAME`, or `demo`."""
    revision: str | None = None
    """Commit, tag or branch on the hub; None for the default branch."""
    dtype: Literal["float32", "bfloat16", "float16", "auto"] = "float32"
    """Number format the weights are run in; everything after capture is float32 or float64."""
    device: str = "auto"
    """`cpu`, `cuda`, `cuda:1`, `mps`, `auto` (the best there is) or `balanced` (over all, by accelerate)."""
    attention: Literal["sdpa", "eager"] = "sdpa"
    """Attention implementation."""
    batch_size: int = Field(default=64, ge=1)
    """Sequences run at once; halved by itself when memory runs out."""
    prepend_bos: Literal["auto", "yes", "no"] = "auto"
    """Whether a beginning-of-sequence token stands first; `auto`: yes where the tokenizer has one."""
    padding: Literal["right", "left"] = "right"
    """Which side shorter sequences are padded on."""
    chat_template: Literal["no", "yes"] = "no"
    """Whether a text is wrapped as a user's message in the tokenizer's chat template."""
    factory: str | None = None
    """For bare weights of a vision model: `package.module:function` that builds the network."""
    classes: tuple[str, ...] = ()
    """Names of a vision model's classes in the order of its logits; empty for those of its config."""
    allow_pickle: bool = False
    """Whether weights stored as pickles may be read (with `weights_only=True`)."""


class AnalyzerSpec(Record):
    """One analyzer and its settings."""

    name: str
    """Name in the registry, such as `biaslens`."""
    settings: dict[str, JsonValue] = {}
    """The analyzer's fields; what is not named keeps its default."""


class DataSpec(Record):
    """A CSV file of one's own: texts with a label each."""

    path: str = Field(min_length=1)
    """The file; in an audit file relative to that file's folder, which it must not leave."""
    text: str = "text"
    """Column of the texts."""
    label: str = "label"
    """Column of the labels."""
    positive: str | None = None
    """The label that counts as positive; None where there are exactly two, or for one against the rest."""
    groups: tuple[str, ...] = ()
    """Columns whose equal cells are never split between fitting and testing."""
    attributes: tuple[str, ...] = ()
    """Columns of sensitive attributes."""
    shifted: str | None = None
    """A paired test set from elsewhere, with the same columns."""


class ImageSpec(Record):
    """Images of one's own: a folder with a sub-folder a class, or a CSV file that names them."""

    path: str = Field(min_length=1)
    """The folder or file, or `organism:NAME`; in an audit file relative to that file's folder."""
    image: str = "image"
    """Column of the images' paths, relative to the CSV file."""
    label: str = "label"
    """Column of the true classes."""
    part: str | None = None
    """Column that says `train`, `validation` or `test`; None where nothing is fixed."""
    attributes: tuple[str, ...] = ()
    """Columns of sensitive or contextual attributes."""
    cluster: str | None = None
    """Column whose equal cells were sampled together, such as one person's photographs."""
    caption: str | None = None
    """Column of captions."""


class EncoderSpec(Record):
    """The text-image encoder in whose space slices are found and named."""

    model: str = Field(min_length=1)
    """Hub id, local folder, or `organism:NAME`."""
    revision: str | None = None
    """Commit, tag or branch on the hub; None for the default branch."""


class Statistics(Record):
    """How the gates of a suite decide; docs/gates.md says what each choice means."""

    level: float = Field(default=0.95, gt=0.5, lt=1)
    """Confidence level at which an interval is held against a limit; one minus it is the error rate."""
    interval: Literal["student", "normal"] = "student"
    """How an interval is carried to another level: by Student's t or by the normal."""
    multiplicity: Literal["holm", "none"] = "holm"
    """Correction of failures for how many verdicts a family holds."""
    family: Literal["file", "gate"] = "file"
    """What is corrected together: all verdicts that count in the file, or those of each gate apart."""
    power: float = Field(default=0.8, gt=0.5, lt=1)
    """Probability with which a gate must see its `mde`."""


class ClassifierSpec(Record):
    """Who tells which group an image shows."""

    model: str = Field(min_length=1)
    """A text-image encoder, an image classifier, or an organism that reads its own images; hub id, folder or
    `organism:NAME`."""
    groups: str = ""
    """The set of groups that it tells apart; empty for every set."""
    classes: dict[str, tuple[str, ...]] = {}
    """What stands for each group: texts for an encoder, names of its own classes for an image classifier;
    empty for the words of the groups themselves."""


class Gate(Record):
    """A limit on a metric and what each outcome means."""

    id: str = Field(min_length=1)
    """Name of the gate, stable over runs."""
    metric: str
    """Metric it judges, such as `biaslens.score`."""
    where: dict[str, str] = {}
    """Which findings: `concept`, `group`, `site`, `positive`, `negative`; all that match are judged."""
    at_most: float | None = None
    """Largest allowed absolute value (`toward_zero` metrics) or value, in the metric's unit."""
    at_least: float | None = None
    """Smallest allowed value, in the metric's unit."""
    within: tuple[float, float] | None = None
    """Smallest and largest allowed value, in the metric's unit; takes the place of the two others."""
    against: Literal["baseline"] | None = None
    """`baseline`: the limit is on how much worse than in an earlier run the number may be."""
    rule: Rule = Rule.NO_EVIDENCE_OF_VIOLATION
    """What the gate must see: a violation to fail, or compliance to pass."""
    mde: float | None = Field(default=None, gt=0)
    """Effect that the gate promises to see, in the metric's unit; `plan` refuses a design that cannot."""
    on_undecided: Literal["pass", "warn", "fail"] | None = None
    """What an undecided verdict does to the run; None leaves it to the rule."""
    advisory: bool = False
    """Whether the verdict is shown without counting towards the exit code."""
    severity: Literal["low", "medium", "high"] = "medium"
    """How grave a failure is; shown, and without effect on the verdict."""
    rationale: str = ""
    """Why this limit."""

    def problems(self) -> tuple[str, ...]:
        """Return what keeps the gate from being judged, one clause each; nothing where it can be."""
        ends, found = (self.at_most, self.at_least), []
        if self.within is not None and ends != (None, None):
            found.append("has 'within' beside at_most or at_least; give one or the other")
        elif self.within is not None and self.within[0] > self.within[1]:
            found.append(f"can never hold; 'within' runs from {self.within[0]:g} down to {self.within[1]:g}")
        elif self.within is None and ends == (None, None):
            found.append("has no limit; give at_most or at_least, or within")
        if self.at_most is not None and self.at_least is not None and self.at_least > self.at_most:
            found.append("can never hold; at_least exceeds at_most")
        if self.against is not None and self.at_least is not None:
            found.append("is against a baseline: at_most says how much worse it may be; it takes no at_least")
        return tuple(found)


class Waiver(Record):
    """A known failure that is tolerated until a date."""

    gate: str
    """Id of the gate."""
    until: date
    """Last day on which the waiver holds."""
    reason: str = Field(min_length=1)
    """Why it is tolerated."""
    approved_by: str = Field(min_length=1)
    """Who takes responsibility."""


class CalibrationSpec(Record):
    """What an analyzer must have been shown to do before a gate decides on its numbers."""

    require: bool = False
    """Whether every analyzer of a gate needs a valid calibration; without gates, every analyzer."""
    path: str | None = None
    """The file that `biaskit selfcheck` wrote, relative to the audit's folder, which it must not leave; None
    for `biaskit-calibration.json` where one is required."""
    max_age_days: int | None = Field(default=90, ge=0)
    """Oldest that it may be; None for any age."""
    max_false_alarm: float | None = Field(default=None, gt=0, lt=1)
    """Largest false-alarm rate that may have been measured; None for what the self-check itself allows."""
    same_version: bool = True
    """Whether it must have been made with this version of biaskit."""
    same_settings: bool = True
    """Whether it must have been made with the settings of the run, as far as they bear on the metric."""


class AuditSpec(Record):
    """A suite of analyzers over probe sets, with its gates."""

    format: Literal[1] = 1
    """Version of the file format."""
    name: str
    """Name of the suite."""
    description: str = ""
    """What the suite is for, one sentence."""
    profile: Literal["smoke", "standard", "full"] = "standard"
    """How much is measured: `smoke` a few examples (the run is partial), `full` all that analyzers offer."""
    subject: Subject | None = None
    """The model; None in a suite that is meant for any model."""
    concepts: tuple[str, ...] = ()
    """Target sets, or single targets as `set/target`."""
    references: tuple[str, ...] = ()
    """Reference pairs; empty for those that each target set names."""
    data: tuple[DataSpec, ...] = ()
    """Labelled texts of one's own."""
    images: tuple[ImageSpec, ...] = ()
    """Images of one's own."""
    encoder: EncoderSpec | None = None
    """The text-image encoder; None: the one that comes with the images, where there is one."""
    classifiers: tuple[ClassifierSpec, ...] = ()
    """Who tells groups from images; empty: the encoder, or the model itself where it reads what it draws."""
    analyzers: tuple[AnalyzerSpec, ...] = ()
    """What is run."""
    statistics: Statistics = Statistics()
    """How the gates decide."""
    gates: tuple[Gate, ...] = ()
    """What is judged."""
    waivers: tuple[Waiver, ...] = ()
    """What is tolerated."""
    calibration: CalibrationSpec = CalibrationSpec()
    """What the instrument must have been shown to do."""
    seed: int = Field(default=0, ge=0)
    """Seed of every resampling, permutation and random direction."""

    @property
    def measured(self) -> dict[str, JsonValue]:
        """What was measured and how: all but the model, the gates that judge it, and what it is called."""
        return self.model_dump(mode="json", exclude=_JUDGING)

    @property
    def digest(self) -> str:
        """SHA-256 of the spec's content, in hex."""
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(content.encode()).hexdigest()
