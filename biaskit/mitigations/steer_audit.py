"""A steered generator measured on fresh seeds, beside the same seeds unsteered and beside baselines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from biaskit.errors import RequestError
from biaskit.mitigations.steer_controls import beside_random, rise
from biaskit.mitigations.steer_guided import guidance_for
from biaskit.mitigations.steer_likeness import Likeness
from biaskit.mitigations.steer_numbers import Compared, Seen, after, kept_share, relative, share
from biaskit.mitigations.steer_pictures import before_after, dose_figure
from biaskit.mitigations.steer_rows import (
    BEFORE,
    DIRECTION,
    GUIDED,
    READ,
    REWRITTEN,
    STEERED,
    WAYS,
    SteerRows,
)
from biaskit.records.finding import Analysis, Finding
from biaskit.steering.doses import dose_response, respond
from biaskit.steering.making import of_size
from biaskit.steering.quality import PromptReader
from biaskit.steering.search import Ledger, Search
from biaskit.steering.trajectories import Asked

if TYPE_CHECKING:
    from biaskit.concepts.site_edit import SiteEdit
    from biaskit.mitigations.steer_generator import SteerGenerator
    from biaskit.mitigations.steer_scene import Scene
    from biaskit.mitigations.steered import SteeredTarget, SteerRemedy
    from biaskit.protocols import AttributeClassifier, Drawing
    from biaskit.records.dot_plot import DotRow
    from biaskit.records.figure import Figure
    from biaskit.steering.trajectories import Stage

DOSES, COARSE, FINE, RANDOM = 128, 128, 192, 64


@dataclass(frozen=True, eq=False)
class SteerAudit:
    """Settings, scene and remedy; `run` measures.

    Attributes:
        settings: The mitigation's settings.
        scene: Targets, groups, seeds.
        stage: Who draws and who reads.
        remedy: What was found.
        rows: What the numbers follow from.
    """

    settings: SteerGenerator
    scene: Scene
    stage: Stage
    remedy: SteerRemedy
    rows: SteerRows = field(default_factory=SteerRows)

    def run(self) -> Analysis:
        """Draw every target's images anew and compare."""
        findings: list[Finding] = []
        figures: list[Figure] = []
        rows: list[DotRow] = []
        summary, notes = [], []
        for place, one in enumerate(self.remedy.record.targets):
            asked = self.scene.audited(one.name, place, self.settings.audited)
            edit = self.remedy.edits.get(one.name)
            drawn = self._drawn(one, edit, asked)
            if edit is not None:
                notes.append(self._guide(one, place, asked, drawn))
            shown = {name: self._shows(each, one.group) for name, each in drawn.items()}
            self.rows.show(one.name, asked.seeds, shown)
            found, said = self._compared(one, drawn, shown, asked)
            findings += found
            rows.append(before_after(one.name, shown))
            summary.append(_said(one, shown))
            notes += [f"{one.name}: {one.about}", *said]
            if edit is not None:
                more, figure = self._controls(one, edit, shown, asked)
                findings += more
                figures.append(figure)
        return Analysis(
            analyzer=self.settings.name,
            settings={**asdict(self.settings), "window": list(self.settings.window)},
            findings=tuple(findings),
            summary=tuple(summary),
            caveats=tuple(f"{one.name}: {one.about}" for one in self.remedy.record.targets if one.costly),
            notes=tuple(dict.fromkeys(notes)),
            limitations=self.settings.limitations,
            tables=self.rows.tables(),
            figures=tuple(figures),
            dots=after(rows, WAYS, self.remedy.record),
        )

    def _drawn(self, one: SteeredTarget, edit: SiteEdit | None, asked: Asked) -> dict[str, Drawing]:
        drawn = {BEFORE: self.stage.drawn(asked)}
        if edit is None:
            return drawn
        drawn[STEERED] = self.stage.drawn(asked, edit)
        drawn[REWRITTEN] = self.stage.drawn(self.scene.rewritten(one.name, asked, self._shares(one)))
        direction = self._direction(one, edit)
        if direction is not None:
            drawn[DIRECTION] = self.stage.drawn(asked, direction)
        return drawn

    def _guide(self, one: SteeredTarget, place: int, asked: Asked, drawn: dict[str, Drawing]) -> str:
        """Draw the same seeds under guidance after InvDiff, where one can be learnt; say what it cost."""
        guidance, said = guidance_for(self.scene, self.stage, one, place, self.settings.guided)
        if guidance is not None:
            drawn[GUIDED] = self.stage.drawn(asked, guidance)
        return said

    def _shares(self, one: SteeredTarget) -> tuple[float, ...]:
        """Shares that prompts are rewritten in: the wanted one, the others in equal parts."""
        groups = tuple(self.scene.compared.groups.groups)
        rest = (1 - one.wanted) / (len(groups) - 1)
        return tuple(one.wanted if group == one.group else rest for group in groups)

    def _direction(self, one: SteeredTarget, edit: SiteEdit) -> SiteEdit | None:
        """The mean difference of the group's activations, at the strength that a search of its own finds."""
        base = self.remedy.directions.get(one.name)
        if base is None:
            return None
        number = self.scene.classifier.classes.index(one.group)
        place = [each.name for each in self.remedy.record.targets].index(one.name)
        asked = self.scene.searched(one.name, place, self.settings.fine)
        plain = of_size(base, max(edit.stronger(1.0).size, 1e-9))
        search = Search(one.wanted, coarse=COARSE // 2, fine=min(self.settings.fine, FINE), rounds=2)
        try:
            return plain.stronger(search.run(self.stage, number, plain, asked, Ledger(None)).strength)
        except RequestError:
            return None

    def _shows(self, drawn: Drawing, group: str) -> Bool[ndarray, " n"]:
        return np.asarray(self.scene.labels(drawn.pixels) == self.scene.classifier.classes.index(group))

    def _compared(
        self,
        one: SteeredTarget,
        drawn: Mapping[str, Drawing],
        shown: Mapping[str, Bool[ndarray, " n"]],
        asked: Asked,
    ) -> tuple[list[Finding], tuple[str, ...]]:
        """Return every number of a target, each way beside the images before, and what distances are to."""
        first = Compared(one.name, one.group, BEFORE)
        found = [share(first, shown[BEFORE], one.wanted, headline=True)]
        if len(drawn) == 1:
            return found, ()
        likeness = self._likeness(one, drawn[BEFORE], asked)
        found += [likeness.before(first)] if likeness else []
        shares = self.scene.shares(one.group, one.wanted)
        reference, what = self.scene.reference(self.stage, one.name, shares)
        seen = {way: Seen(each, self.scene.labels(each.pixels)) for way, each in drawn.items()}
        reads = self._reader(one)
        for way in [way for way in drawn if way != BEFORE]:
            about, each = Compared(one.name, one.group, way), drawn[way]
            found.append(share(about, shown[way], one.wanted, headline=way == STEERED))
            for other in self.scene.watched:
                found += self._side(about, other, (drawn[BEFORE], each), asked)
            found += relative(about, reference, (seen[BEFORE], seen[way]), shares)
            pair = (reads.reads(drawn[BEFORE].latents, 0), reads.reads(each.latents, 0))
            found.append(kept_share(about, "mitigation.fidelity", *pair))
            if way == STEERED:
                self.rows.keep((one.name, READ), asked.seeds, *pair)
            found += likeness.after(about, each) if likeness else []
        return found, (f"{one.name}: distances are to {what}.",)

    def _side(
        self, about: Compared, classifier: AttributeClassifier, pair: tuple[Drawing, Drawing], asked: Asked
    ) -> list[Finding]:
        """Change of every other attribute's shares; of two classes the first alone."""
        columns = range(1 if len(classifier.classes) == 2 else len(classifier.classes))
        said = [classifier.probabilities(one.pixels).argmax(dim=1).numpy() for one in pair]
        found = []
        for number in columns:
            group = f"{classifier.attribute}: {classifier.classes[number]}"
            before, drawn = (one == number for one in said)
            other = Compared(about.target, group, about.way)
            found.append(kept_share(other, "mitigation.side_effect", before, drawn))
            if about.way == STEERED:
                self.rows.keep((about.target, group), asked.seeds, before, drawn)
        return found

    def _reader(self, one: SteeredTarget) -> PromptReader:
        """Learn on unedited images to tell the target's from those of neutral nouns and other targets."""
        own = self.scene.searched(one.name, 900, DOSES)
        others = [
            prompt for prompt in self.scene.prompts() if prompt not in set(self.scene.of_target(one.name))
        ]
        away = Asked.of(others, DOSES, own.seeds[-1] + 1)
        both = Asked((*own.prompts, *away.prompts), (*own.seeds, *away.seeds))
        owners = np.repeat([0, 1], [len(own), len(away)])
        return PromptReader.of(self.stage.drawn(both).latents, owners)

    def _likeness(self, one: SteeredTarget, before: Drawing, asked: Asked) -> Likeness | None:
        """Return who tells likeness to images before and to prompts, where an encoder was named."""
        encoder = self.scene.session.encoder
        if encoder is None:
            return None
        rng = self.scene.session.rng(f"steer-generator/likeness/{one.name}")
        return Likeness.of(encoder, before, asked.prompts, rng)

    def _controls(
        self, one: SteeredTarget, edit: SiteEdit, shown: Mapping[str, Bool[ndarray, " n"]], asked: Asked
    ) -> tuple[list[Finding], Figure]:
        """Return dose and response, and what random latents of equal number and size of edit do."""
        number, about = self.scene.classifier.classes.index(one.group), Compared(one.name, one.group, STEERED)
        strengths = [edit.record.strength * factor for factor in (0, 0.5, 1.0, 1.5, 2.0)]
        found = dose_response(self.stage, number, edit, strengths, asked.first(DOSES))
        few, controls = asked.first(RANDOM), self.remedy.controls.get(one.name, ())
        tracked = self.scene.session.progress.track(list(controls), "turning random latents", len(controls))
        moved = [respond(self.stage, number, [other], few)[:, 0] for other in tracked]
        before = shown[BEFORE]
        random = np.array([hits.mean() - before[: len(few)].mean() for hits in moved])
        self.rows.dose(one.name, asked.first(DOSES).seeds, found)
        self.rows.chance(one.name, random)
        findings = [rise(about, found), *beside_random(about, (before, shown[STEERED]), random)]
        return findings, dose_figure(one, edit.record.strength, found)


def _said(one: SteeredTarget, shown: Mapping[str, Bool[ndarray, " n"]]) -> str:
    before = shown[BEFORE].mean()
    if STEERED not in shown:
        return f"'{one.name}': {one.group} is drawn in {before:.0%} of fresh images; nothing was edited."
    count = len(shown[BEFORE])
    return (
        f"'{one.name}': the share of {one.group} went from {before:.0%} to {shown[STEERED].mean():.0%} on "
        f"{count} fresh seeds ({one.wanted:.0%} was wanted)."
    )
