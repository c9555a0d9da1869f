"""BiasLens: does the model tie a target concept to one reference pole, and where does it carry that?

After "Evaluate Bias without Manual Test Sets: A Concept Representation Perspective for LLMs"
(arXiv 2505.15524v1), whose recipe is the preset `paper`. The default differs where the recipe fails on
models with a planted bias: the axis is oriented by the behaviour it speaks of, the score is signed and
centred on neutral controls, and behaviour and cause stand beside it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from biaskit.analyzers.biaslens.alternatives import alternative_findings
from biaskit.analyzers.biaslens.cause import Patching, Readout, erase, patch
from biaskit.analyzers.biaslens.estimates import target_estimates
from biaskit.analyzers.biaslens.findings import Scribe
from biaskit.analyzers.biaslens.given_reference import measure as measure_given_reference
from biaskit.analyzers.biaslens.given_target import How
from biaskit.analyzers.biaslens.given_target import measure as measure_given_target
from biaskit.analyzers.biaslens.long_table import cell_rows, long_table, parts_table
from biaskit.analyzers.biaslens.neutral import neutral_prompts
from biaskit.analyzers.biaslens.preset import paper_findings
from biaskit.analyzers.biaslens.read_point import chosen_sites
from biaskit.analyzers.biaslens.triangulation import conflicts, marked
from biaskit.analyzers.biaslens.without_words import SAID, lying
from biaskit.concepts.pole_tokens import pole_tokens
from biaskit.errors import NothingAuditedError, RequestError, UnknownNameError
from biaskit.hooks.pooling import Pooling
from biaskit.records.calibration import Planting
from biaskit.records.finding import Analysis, Finding
from biaskit.records.probe_set import Modality
from biaskit.records.reading import Reading
from biaskit.records.site import Site

if TYPE_CHECKING:
    from biaskit.analyzers.biaslens.measured import Measured
    from biaskit.concepts.pole_tokens import PoleTokens
    from biaskit.records.table import Cell
    from biaskit.session import Comparison, Session

AXES = ("stated", "cav", "readout", "sae")
PATCHED_CONTROLS = 24


@dataclass(frozen=True, slots=True)
class BiasLens:
    """Score, behaviour and cause of an association between targets and a reference pair.

    Attributes:
        preset: `oriented`, or `paper` for the published recipe beside it.
        axes: Further axes to calibrate and report: stated, cav, readout, sae.
        readings: Directions of reading; both by default.
        sites: Where the inside is read, such as `resid_post.6`; after every block if empty.
        positions: Tokens at which the inside may be read; the next is tried where the first does not do.
        axis_controls: Neutral controls on which another token is tried.
        rule: `trapezoid` takes the slope at the controls and at the noun, `tangent` at the controls alone.
        words_per_pole: Words of each pole that stand in the stems of the target given the references.
        random_directions: Random directions beside the erased axis.
        autoencoder: `auto`, `none`, `train` (on the spot), a folder, or `release:id` of sae-lens's catalogue.
        paper_prompt: Neutral steering prompt of the preset `paper`.
        paper_tau: Probability at which its steering stops.
        paper_delta: Length of one of its steps.
        paper_norm: What its Norm divides by.
        paper_positions: `position` steers the last token, `all` every token.
    """

    name: ClassVar[str] = "biaslens"
    modality: ClassVar[Modality] = Modality.TEXT
    unit: ClassVar[str] = "nat"
    nulls: ClassVar[tuple[str, ...]] = ("neutral controls (conformal)", "random directions of equal rank")
    limitations: ClassVar[tuple[str, ...]] = (
        "An association is measured with these templates, words and neutral nouns; others may give another.",
        "The score predicts from slopes at both ends; where patching disagrees with it, patching is right.",
        "At the last token of the last layer it is close to the behaviour by construction; the layer profile "
        "says where the association arrives.",
        "A causal model may hold an association in one direction of reading only; each is reported apart.",
        "What a model carries inside is not proof of harm in an application.",
    )
    planting: ClassVar[Planting] = Planting(
        metric="biaslens.score", lean={"axes": [], "autoencoder": "none", "random_directions": 1}
    )

    full: ClassVar[dict[str, int]] = {"random_directions": 100, "axis_controls": 64}

    preset: Literal["oriented", "paper"] = "oriented"
    axes: tuple[str, ...] = AXES
    readings: tuple[str, ...] = (str(Reading.GIVEN_TARGET), str(Reading.GIVEN_REFERENCE))
    sites: tuple[str, ...] = ()
    positions: tuple[str, ...] = ("last", "span")
    axis_controls: int = 16
    rule: Literal["trapezoid", "tangent"] = "trapezoid"
    words_per_pole: int = 6
    random_directions: int = 20
    autoencoder: str = "auto"
    paper_prompt: str = "From the moment I arrived"
    paper_tau: float = 0.999
    paper_delta: float = 1.0
    paper_norm: Literal["l2", "l1", "max"] = "l2"
    paper_positions: Literal["position", "all"] = "position"

    def __post_init__(self) -> None:
        """Refuse settings that name nothing.

        Raises:
            UnknownNameError: An axis, reading, position, preset or site kind is not known.
            RequestError: A count is too small, nothing is to be read, or steering could not end.
        """
        known = {
            "axis": (self.axes, AXES),
            "reading": (self.readings, tuple(map(str, Reading))),
            "position": (self.positions, (str(Pooling.LAST), str(Pooling.SPAN))),
            "preset": ((self.preset,), ("oriented", "paper")),
            "rule": ((self.rule,), ("trapezoid", "tangent")),
            "norm": ((self.paper_norm,), ("l2", "l1", "max")),
            "steered position": ((self.paper_positions,), ("position", "all")),
        }
        for kind, (given, allowed) in known.items():
            for name in given:
                if name not in allowed:
                    raise UnknownNameError(kind, name, allowed)
        if min(self.axis_controls, self.words_per_pole, self.random_directions) < 1:
            raise RequestError("axis_controls, words_per_pole and random_directions must be at least 1.")
        if not self.readings or not self.positions:
            raise RequestError("readings and positions must name at least one each.")
        for name in self.sites:
            Site.parse(name)
        if not 0 < self.paper_tau < 1 or self.paper_delta <= 0:
            raise RequestError("paper_tau must lie between 0 and 1, and paper_delta above 0.")

    def analyze(self, session: Session) -> Analysis:
        """Return the findings of every comparison in every direction of reading.

        Raises:
            RequestError: No concept was named.
            NothingAuditedError: No comparison left a word to read.
            UnknownNameError: The model has no site of that name; near names are given.
        """
        if not session.comparisons:
            raise RequestError(
                "BiasLens compares concepts, and none was named.",
                why="Labelled texts alone have no reference pair and no neutral controls.",
                fix="Name concepts, such as --concepts food, or another analyzer for the data.",
            )
        runs = [_Run(self, session, comparison) for comparison in session.comparisons]
        for run in runs:
            run.measure()
        findings = [finding for run in runs for finding in run.findings]
        if not findings:
            raise NothingAuditedError("BiasLens found nothing to read.", fix="Check concepts and references.")
        return Analysis(
            analyzer=self.name,
            settings={
                key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()
            },
            findings=tuple(findings),
            conflicts=tuple(sentence for run in runs for sentence in run.conflicts),
            caveats=tuple(dict.fromkeys(caveat for run in runs for caveat in run.caveats)),
            notes=tuple(dict.fromkeys(note for run in runs for note in run.notes)),
            limitations=self.limitations,
            tables=(
                long_table(row for run in runs for row in run.rows),
                parts_table(row for run in runs for row in run.parts),
            ),
        )


class _Run:
    """One comparison on its way through the analyzer."""

    def __init__(self, settings: BiasLens, session: Session, comparison: Comparison) -> None:
        self._settings, self._session, self._comparison = settings, session, comparison
        self._sites = chosen_sites(session.model, settings.sites)
        self.findings: list[Finding] = []
        self.conflicts: list[str] = []
        self.caveats: list[str] = []
        self.notes: list[str] = []
        self.rows: list[tuple[Cell, ...]] = []
        self.parts: list[tuple[Cell, ...]] = []

    def measure(self) -> None:
        """Read in each direction, then whatever the preset adds; of an encoder, where its sentences lie."""
        if self._session.model.predicts_words:
            self._both_directions()
        else:
            self._without_words()
        if self._settings.preset == "paper":
            found, notes = paper_findings(self._session, self._comparison, self._settings, self.parts)
            self.findings.extend(found)
            self.notes.extend(notes)

    def _both_directions(self) -> None:
        tokens = pole_tokens(self._session.model, self._comparison)
        if tokens.dropped:
            self.caveats.append(
                f"{self._comparison.pair.name}: not one token for this model and not read: "
                f"{', '.join(tokens.dropped)}."
            )
        if str(Reading.GIVEN_TARGET) in self._settings.readings:
            self._given_target(tokens)
        if str(Reading.GIVEN_REFERENCE) in self._settings.readings:
            self._given_reference()

    def _without_words(self) -> None:
        found = lying(self._session, self._comparison, self._sites, self._settings.autoencoder)
        self.findings.extend(found.findings)
        self.rows.extend(found.rows)
        self.parts.extend(found.parts)
        self.notes.append(found.note)
        self.caveats.append(SAID)

    def _given_target(self, tokens: PoleTokens) -> None:
        poolings = [Pooling(position) for position in self._settings.positions]
        how = How(poolings, self._settings.axis_controls, self._settings.rule, self._sites)
        measured = measure_given_target(self._session, self._comparison, tokens, how)
        scribe = Scribe(self._session, self._comparison, measured, self.parts)
        patching = patch(self._session, measured, tokens, self._patched(measured))
        self.findings.extend(scribe.patching(patching))
        self._common(scribe, Readout(tokens.all, len(tokens.first)), patching)
        found, notes = alternative_findings(scribe, tokens, self._settings.axes, self._settings.autoencoder)
        self.findings.extend(found)
        self.notes.extend(notes)

    def _given_reference(self) -> None:
        poolings = [Pooling(position) for position in self._settings.positions]
        measured = measure_given_reference(
            self._session, self._comparison, poolings, self._settings.words_per_pole, self._sites
        )
        if measured is None:
            self.caveats.append(
                f"{self._comparison.targets.name}: the target given the references was not read, because too "
                "few of the nouns are single tokens for this model."
            )
            return
        known = self._session.model.single_token_words(measured.nouns.words)
        scribe = Scribe(self._session, self._comparison, measured, self.parts)
        self._common(scribe, Readout([known[word] for word in measured.nouns.words]), None)

    def _common(self, scribe: Scribe, readout: Readout, patching: Patching | None) -> None:
        """Write what both directions of reading have: inside, behaviour, cause and their agreement."""
        measured = scribe.measured
        self.notes.append(
            f"{self._comparison.targets.name} on {self._comparison.pair.name}, {measured.reading}: read at "
            f"{measured.point}, which predicts {measured.agreement[measured.point]:.0%} of the neutral "
            "controls' behaviour."
        )
        scores, behaviour = scribe.score(), scribe.behaviour()
        for measure, cells in (("score", measured.score), ("behaviour", measured.behaviour)):
            self.rows.extend(cell_rows(measure, cells, self._comparison, measured))
        cause = {} if patching is None else self._patched_in(scribe, patching)
        found = conflicts(scores, behaviour, cause, measured.agreement[measured.point])
        self.conflicts.extend(found.values())
        prompts, templates = neutral_prompts(self._session, self._comparison)
        erasure = erase(self._session, measured, readout, prompts, self._settings.random_directions)
        self.findings += [*marked(scores, found), *behaviour.values(), *cause.values(), *scribe.profile()]
        self.findings += [*scribe.erasure(erasure), scribe.damage(erasure, templates)]
        self.findings += [scribe.reliability(), scribe.control_spread(), *scribe.agreement()]

    def _patched(self, measured: Measured) -> list[int]:
        """Return the nouns that are patched: every target's, and some controls for the null."""
        rng = self._session.rng("biaslens/patched controls")
        controls = np.asarray(measured.nouns.controls)
        some = rng.choice(controls, size=min(PATCHED_CONTROLS, len(controls)), replace=False)
        return [*(c for columns in measured.nouns.columns.values() for c in columns), *sorted(map(int, some))]

    def _patched_in(self, scribe: Scribe, patching: Patching) -> dict[str, Finding]:
        """Return the real effect of patching each target into neutral prompts."""
        measured = scribe.measured
        narrowed, cells = _only_patched(measured, patching)
        rng = self._session.rng("biaslens/patching null")
        estimates = target_estimates(cells, narrowed, "patched into neutral stems", rng)
        self.rows.extend(cell_rows("patching", cells, self._comparison, measured))
        return {
            target: scribe.finding("patching", target, estimate, rows=scribe.rows("patching", target))
            for target, estimate in estimates.items()
        }


def _only_patched(measured: Measured, patching: Patching) -> tuple[Measured, np.ndarray]:
    """Drop the controls that were not patched from the columns that count as controls."""
    kept = tuple(c for c in measured.nouns.controls if not np.isnan(patching.effect[:, c]).any())
    return replace(measured, nouns=replace(measured.nouns, controls=kept)), patching.effect
