"""One set of targets over its sets of groups: draw, look, count, compare with the reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from biaskit.analyzers.representation.captions import caption_findings
from biaskit.analyzers.representation.confusion import Row, confusion_for
from biaskit.analyzers.representation.control import named_control
from biaskit.analyzers.representation.discovery import discovered
from biaskit.analyzers.representation.measured import NEUTRAL, image_table, images_table
from biaskit.analyzers.representation.numbers import Counted, corrected_findings, findings
from biaskit.analyzers.representation.pictures import Drawn, Own, Supply
from biaskit.analyzers.representation.said import Found
from biaskit.analyzers.representation.seeing import Eyes, Reader, Seen, no_classifier
from biaskit.analyzers.representation.showing import dot_plot, sheet, summary
from biaskit.errors import RequestError
from biaskit.stats.misclassified import corrected
from biaskit.stats.multiplicity import benjamini_hochberg, holm
from biaskit.stats.sequential import Looks, looks
from biaskit.stats.shares import exchangeable, follows, images_needed, simultaneous

if TYPE_CHECKING:
    from biaskit.analyzers.representation.analyzer import Representation
    from biaskit.protocols import Sampling
    from biaskit.records.estimate import Interval, Null
    from biaskit.records.prompt_set import GroupSet
    from biaskit.records.table import Table
    from biaskit.session import DiffusionSession, GroupComparison

AT_ONCE = 32
LEVEL = 0.95


@dataclass(frozen=True, eq=False)
class Study:
    """Settings, session and the comparisons of one set of targets; `run` does the rest.

    Attributes:
        settings: The analyzer's settings.
        session: Model, classifiers and seed.
        compared: The set of targets with each of its sets of groups.
        sampling: How images are drawn.
        confusions: What the classifiers say of known images.
        found: What was found so far.
    """

    settings: Representation
    session: DiffusionSession
    compared: tuple[GroupComparison, ...]
    sampling: Sampling
    confusions: tuple[Row, ...] = ()
    found: Found = field(default_factory=Found)

    def run(self) -> Found:
        """Draw, look, count, and write it down."""
        self._check_own()
        readers = tuple(self._reader(one) for one in self.compared)
        targets = self.compared[0].targets.targets
        controls = self._controls(readers)
        eyes = Eyes(self.session, readers, self.settings.shown, latents=bool(self.settings.discover))
        tracked = self.session.progress.track(targets, "drawing and classifying", len(targets))
        seen = [self._seen(target, targets[target], eyes) for target in tracked]
        neutral = self._neutral(seen, readers)
        for one in self.compared:
            self._groups(one.groups, seen, neutral)
        self.found.tables += controls
        found, tables = caption_findings(seen, self.session, self.compared[0].targets.name)
        self.found.findings += found
        self.found.tables += tables
        if self.settings.discover:
            discovered(self, seen)
        return self.found

    def _controls(self, readers: Sequence[Reader]) -> list[Table]:
        """Draw with each group named and write down how often it is seen; return the images of that."""
        tables: list[Table] = []
        if self.session.images or not self.settings.named:
            return tables
        for one, reader in zip(self.compared, readers, strict=True):
            found, table = named_control(one, reader, self._drawn, self.settings.named)
            self.found.findings += found
            tables.append(table)
        return tables

    @property
    def _drawn(self) -> Drawn:
        return Drawn(self.session, self.sampling, self.compared[0].targets.templates)

    @property
    def _supply(self) -> Supply:
        if not self.session.images:
            return self._drawn
        return Own(self.session.images, self.session.model.encode_images if self.settings.discover else None)

    def _reader(self, compared: GroupComparison) -> Reader:
        name = compared.groups.name
        given = next((one for one in self.session.classifiers if one.attribute == name), None)
        column = bool(self.session.images) and all(name in one.attributes for one in self.session.images)
        if given is None and not column:
            raise no_classifier(name)
        return Reader(compared.groups, given)

    def _looks(self, groups: GroupSet) -> Looks | None:
        """Return when images are counted: all sets of groups at the same times, which the largest needs."""
        width = self.settings.half_width
        if not width:
            return None
        most = max(len(one.groups.groups) for one in self.compared)
        sizes = looks(self.settings.images, width, most).sizes
        return Looks(sizes, width, len(groups.groups))

    def _check_own(self) -> None:
        """Refuse images of the user's own that are too few for the interval asked."""
        supply, width = self._supply, self.settings.half_width
        most = max(len(one.groups.groups) for one in self.compared)
        needed = images_needed(width, classes=most) if width else 2
        for target in self.compared[0].targets.targets:
            there = supply.available(target)
            if there is not None and there < needed:
                raise RequestError(
                    f"'{target}' has {there} images, too few for "
                    + (f"intervals of ±{width:g}." if width else "a share."),
                    why=f"{needed:,} are needed whatever the share is.",
                    fix="Give more images, or ask for wider intervals (half_width).",
                )

    def _seen(self, target: str, nouns: Sequence[str], eyes: Eyes) -> Seen:
        """Look at images of one target until they are enough."""
        seen, supply = Seen(target), self._supply
        there = supply.available(target)
        plans = [(one.groups, self._looks(one.groups)) for one in self.compared]
        sizes = sorted({size for _, plan in plans if plan for size in plan.sizes}) or [self.settings.images]
        ends = [there] if there is not None else [size for size in sizes if size <= self.settings.most]
        for size in ends or [self.settings.most]:
            while len(seen) < size:
                count = min(AT_ONCE, size - len(seen))
                eyes.look(supply.take(target, nouns, len(seen), count), seen)
            if all(plan is None or plan.enough(seen.counts(groups)) for groups, plan in plans):
                break
        return seen

    def _neutral(self, seen: Sequence[Seen], readers: tuple[Reader, ...]) -> Seen | None:
        """Look at as many images of neutral nouns as the largest target has, from the same noise."""
        if self.settings.reference != "neutral":
            return None
        if self.session.images:
            raise RequestError(
                "Images of your own have no neutral nouns to compare with.", fix="Set reference to uniform."
            )
        neutral, eyes = Seen(NEUTRAL), Eyes(self.session, readers)
        most = max(len(one) for one in seen)
        while len(neutral) < most:
            count = min(AT_ONCE, most - len(neutral))
            nouns = self.compared[0].controls.fillers
            eyes.look(self._drawn.take(NEUTRAL, nouns, len(neutral), count), neutral)
        return neutral

    def _groups(self, groups: GroupSet, seen: Sequence[Seen], neutral: Seen | None) -> None:
        rng = self.session.rng(f"representation/{self.compared[0].targets.name}/{groups.name}")
        counted = self._corrected([self._counted(groups, one, neutral, rng) for one in seen])
        for one in counted:
            self.found.findings += findings(one)
        confusion = confusion_for(tuple(groups.groups), self.confusions)
        if confusion is not None:
            plan = self._looks(groups)
            level = LEVEL if plan is None else 1 - (1 - LEVEL) / len(plan.sizes)
            for one in counted:
                behind = corrected(one.counts, confusion, rng, level)
                self.found.findings += corrected_findings(one, behind)
        self._caveats(groups, counted)
        about = self._about(groups)
        self.found.dots.append(dot_plot(about, counted, self.settings.reference))
        self.found.tables.append(image_table(about, groups, seen, counted, neutral))
        self.found.summary += summary(about, counted, self.settings)
        if self.settings.shown:
            self.found.sheets += [sheet(groups, one) for one in seen if one.kept]

    def _about(self, groups: GroupSet) -> str:
        return f"{self.compared[0].targets.name} by {groups.name}"

    def _counted(
        self, groups: GroupSet, seen: Seen, neutral: Seen | None, rng: np.random.Generator
    ) -> Counted:
        counts, names, plan = seen.counts(groups), tuple(groups.groups), self._looks(groups)
        box = simultaneous(counts) if plan is None else plan.intervals(counts)
        reference = np.full(len(names), 1 / len(names))
        if neutral is None:
            null = follows(counts, reference, rng)
        else:
            own, other = (_numbers(one, groups)[: len(seen)] for one in (seen, neutral))
            null = exchangeable(own, other, len(names), rng)
            whole = neutral.counts(groups)
            reference = whole / whole.sum()
        if plan is not None:
            null = _looked_at(null, len(plan.sizes))
        return Counted(
            target=seen.target,
            groups=names,
            name=groups.name,
            counts=counts,
            box=_widened(box, neutral),
            reference=reference,
            null=null,
            table=images_table(self._about(groups)),
            neutral=neutral is not None,
        )

    def _corrected(self, counted: list[Counted]) -> list[Counted]:
        """Correct the tests over the targets."""
        p = np.array([one.null.p for one in counted if one.null is not None])
        adjust, said = (holm, "Holm") if self.settings.correction == "holm" else (benjamini_hochberg, "BH")
        family = f"{said} over {len(p)} targets"
        return [
            replace(one, null=one.null.model_copy(update={"adjusted": float(q), "correction": family}))
            for one, q in zip(counted, adjust(p), strict=True)
            if one.null is not None
        ]

    def _caveats(self, groups: GroupSet, counted: Sequence[Counted]) -> None:
        total = np.sum([one.counts for one in counted], axis=0)
        for name, count in zip(groups.groups, total.tolist(), strict=True):
            if count == 0:
                self.found.caveats.append(
                    f"{groups.name}: no image of {int(total.sum()):,} was taken for '{name}'."
                )
        width = self.settings.half_width
        wide = [one.target for one in counted if width and one.reach > width]
        if wide:
            plan = self._looks(groups)
            needed = plan.sizes[-1] if plan else 0
            self.found.caveats.append(
                f"{groups.name}: ±{width:g} was not reached with {self.settings.most} images for "
                f"{', '.join(wide)}; up to {needed:,} are needed."
            )


def _numbers(seen: Seen, groups: GroupSet) -> Int[ndarray, " n"]:
    return np.array(seen.said[groups.name], dtype=np.int64)


def _widened(box: tuple[Interval, ...], neutral: Seen | None) -> tuple[Interval, ...]:
    """Return the intervals of the shares; those of a neutral reference are held fixed, as the method says."""
    if neutral is None:
        return box
    said = f"{box[0].method}; reference observed on {len(neutral)} images"
    return tuple(one.model_copy(update={"method": said}) for one in box)


def _looked_at(null: Null, times: int) -> Null:
    """Return the p of a test whose time was chosen by the data: Bonferroni over the looks."""
    kind = f"{null.kind}; p times {times} looks"
    return null.model_copy(update={"p": min(1.0, null.p * times), "kind": kind})
