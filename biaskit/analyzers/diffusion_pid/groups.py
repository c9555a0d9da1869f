"""One set of targets over its groups, from images to findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from biaskit.analyzers.diffusion_pid.bias_study import Doses, TargetStudy, doses, own_share, study
from biaskit.analyzers.diffusion_pid.gaps import COLUMNS, Grouped, Quantity, Row, behind, gaps, source
from biaskit.analyzers.diffusion_pid.group_losses import (
    loss_figures,
    loss_findings,
    loss_table,
    losses,
    named_images,
)
from biaskit.analyzers.diffusion_pid.group_plots import dot_plot, error_curves, map_sheet, table
from biaskit.analyzers.diffusion_pid.neutral import beyond_neutral, neutral_gaps, neutral_nouns
from biaskit.analyzers.diffusion_pid.numbers import IMAGES, TEMPLATES, About, dominance, mean
from biaskit.analyzers.diffusion_pid.said import Said
from biaskit.decomposition.redundancy import Informations as Words
from biaskit.decomposition.redundancy import decompose, dominated
from biaskit.records.estimate import Unit
from biaskit.records.finding import Direction, Finding, FromRows, Statistic
from biaskit.records.table import Column, Table, slug
from biaskit.stats.correlation import spearman
from biaskit.stats.single_case import FEWEST

if TYPE_CHECKING:
    from biaskit.analyzers.diffusion_pid.analyzer import DiffusionPid
    from biaskit.analyzers.diffusion_pid.asking import Asker
    from biaskit.analyzers.diffusion_pid.scenes import Painter
    from biaskit.session import DiffusionSession, GroupComparison

FEWEST_TARGETS = 4
FEWEST_IMAGES = 2
DISAGREE = 0.5


@dataclass(frozen=True, eq=False)
class GroupStudy:
    """Settings, session and one comparison; `run` does the rest.

    Attributes:
        settings: The analyzer's settings.
        session: Model and seed.
        compared: Targets and groups.
        painter: Who draws images.
        asker: Who measures.
        said: What was found so far.
        measured: What means are means of, one row an image.
    """

    settings: DiffusionPid
    session: DiffusionSession
    compared: GroupComparison
    painter: Painter
    asker: Asker
    said: Said = field(default_factory=Said)
    measured: list[Row] = field(default_factory=list)

    def run(self) -> Said:
        """Draw, measure, compare, and write it down."""
        targets = tuple(self.compared.targets.targets)
        each = self.settings.images
        tracked = self.session.progress.track(targets, "taking prompts apart", len(targets))
        studied = [study(self.compared, one, self.painter, self.asker, each) for one in tracked]
        self._gaps(studied, self._neutral_gaps())
        self._shares(studied)
        if self.settings.log_odds and not self.session.images:
            self._log_odds(self._doses(self.compared), self._doses(self._nouns))
        self._sizes(studied)
        self.said.tables.append(self._measured_table())
        self._shown(studied)
        return self.said

    @property
    def _about(self) -> str:
        return slug(f"{self.compared.targets.name} {self.compared.groups.name}")

    @property
    def _table(self) -> str:
        return f"{self._about}-measured"

    def _measured_table(self) -> Table:
        return Table(
            name=self._table,
            title="What every mean is a mean of, image by image",
            columns=tuple(Column(name=name, description=said) for name, said in COLUMNS.items()),
            rows=tuple(self.measured),
        )

    def _tested(
        self, grouped: Sequence[Grouped], quantity: Quantity, rng: np.random.Generator
    ) -> list[Finding]:
        """Return the gaps of a quantity, and keep what they are means of."""
        self.measured.extend(behind(grouped, self.groups, quantity))
        return gaps(grouped, self.groups, quantity, rng)

    def _beyond(
        self, grouped: Sequence[Grouped], neutral: Sequence[Grouped], quantity: Quantity
    ) -> list[Finding]:
        """Set a quantity against neutral nouns, where they were measured, and keep what they have."""
        found = beyond_neutral(grouped, neutral, self.groups, quantity)
        if found:
            self.measured.extend(behind(neutral, self.groups, quantity, neutral=True))
        return found

    @property
    def _nouns(self) -> GroupComparison:
        """Neutral nouns in the place of targets."""
        return neutral_nouns(self.compared, self.settings.neutral)

    def _neutral_gaps(self) -> list[Grouped]:
        """Measure neutral nouns as targets are measured, or say why not."""
        count = len(self._nouns.targets.targets)
        if self.session.images or count < FEWEST:
            why = "your images show none" if self.session.images else f"{FEWEST} are needed"
            self.said.caveats.append(
                f"{self.compared.targets.name}: gaps were not set against neutral nouns ({why}), so a lean "
                "that the model has with every noun counts as each target's own."
            )
            return []
        names, each = tuple(self._nouns.targets.targets), self.settings.images
        tracked = self.session.progress.track(names, "measuring neutral nouns", count)
        return [neutral_gaps(self._nouns, one, self.painter, self.asker, each) for one in tracked]

    def _doses(self, compared: GroupComparison) -> list[Doses]:
        """Draw with groups named, and read how likely each group is."""
        names = tuple(compared.targets.targets)
        tracked = self.session.progress.track(names, "drawing with groups named", len(names))
        return [doses(compared, one, self.painter, self.asker, self.settings.images) for one in tracked]

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the groups."""
        return tuple(self.compared.groups.groups)

    @property
    def _named(self) -> str:
        """What was sampled."""
        return IMAGES if self.session.images else TEMPLATES

    def _grouped(self, one: TargetStudy, values: Float[ndarray, "n g"]) -> Grouped:
        templates = tuple(one.worded[number].template for number in one.templates.tolist())
        units = np.arange(len(values)) if self.session.images else one.templates
        return Grouped(one.target, values, units, one.names, templates)

    def _gaps(self, studied: Sequence[TargetStudy], neutral: Sequence[Grouped]) -> None:
        rng = self.session.rng(f"diffusion-pid/{self.compared.targets.name}/{self.compared.groups.name}")
        plain = Quantity(
            "diffusion_pid.gap",
            "log p(x | group, target) of images of the target",
            named=self._named,
            headline=True,
            table=self._table,
        )
        grouped = [self._grouped(one, one.given.standard) for one in studied]
        found = self._tested(grouped, plain, rng)
        beyond = self._beyond(grouped, neutral, plain)
        shared = Quantity(
            "diffusion_pid.redundancy_gap",
            f"redundancy ({self.settings.redundancy}) of target and group",
            named=self._named,
            table=self._table,
        )
        redundant = [self._grouped(one, self.redundancies(one)) for one in studied]
        self.said.findings += [*found, *beyond, *self._tested(redundant, shared, rng)]
        self.said.dots.append(dot_plot(found, self.compared, "gap"))
        self.said.dots += [dot_plot(beyond, self.compared, "gap beyond neutral nouns")] if beyond else []
        self._summary(beyond or found)

    def redundancies(self, one: TargetStudy) -> Float[ndarray, "n g"]:
        """Return the redundancy of the target's word with each group's, image by image."""
        return np.stack(
            [decompose(words, self.settings.redundancy).redundancy for words in self._words(one)], axis=1
        )

    def _words(self, one: TargetStudy) -> list[Words]:
        prior = self.settings.words_prior()
        first, *others = prior.surprisals([one.target, *self.groups])
        return [
            Words(
                one.alone.standard[:, 0],
                one.group.standard[:, number],
                one.joint.standard[:, number],
                (first, surprisal),
            )
            for number, surprisal in enumerate(others)
        ]

    def _shares(self, studied: Sequence[TargetStudy]) -> None:
        """How many of a target's images the model itself would put in each group."""
        about = About(
            method="softmax over groups of log p(x | group, target)",
            unit=Unit.PROPORTION,
            named=self._named,
            reason="A share is not tested by itself; the gap between groups is.",
        )
        for one in studied:
            shares = own_share(one.given.standard)
            for column, group in enumerate(self.groups):
                self._mean("share_drawn", one, group, shares[:, column], about)

    def _mean(
        self, name: str, one: TargetStudy, group: str, values: Float[ndarray, " n"], about: About
    ) -> None:
        """Write down a mean over a target's images, and keep what it is a mean of."""
        quantity = Quantity(f"diffusion_pid.{name}", about.method, named=self._named, table=self._table)
        units = np.arange(len(values)) if self.session.images else one.templates
        templates = [one.worded[number].template for number in one.templates.tolist()]
        for template, image, value in zip(templates, one.names, values.tolist(), strict=True):
            self.measured.append((quantity.metric, one.target, group, template, image, value, False, ""))
        self.said.findings.append(
            Finding(
                metric=quantity.metric,
                concepts=(one.target,),
                group=group or None,
                direction=Direction.NONE,
                estimate=mean(values, units, about),
                rows=source(self._table, quantity, one.target, group),
            )
        )

    def _log_odds(self, found: Sequence[Doses], neutral: Sequence[Doses]) -> None:
        rng = self.session.rng(f"diffusion-pid/{self.compared.targets.name}/log-odds")
        quantity = Quantity(
            "diffusion_pid.log_odds",
            "log-share of a group given the target, read on images drawn with the group named",
            headline=True,
            table=self._table,
        )
        rows, nouns = ([self._log_shares(one) for one in each] for each in (found, neutral))
        shown = self._tested(rows, quantity, rng)
        beyond = self._beyond(rows, nouns, quantity)
        self.said.findings += [*shown, *beyond]
        self.said.dots.append(dot_plot(shown, self.compared, "log-odds"))
        self._agreement(shown)

    def _log_shares(self, one: Doses) -> Grouped:
        templates = self.compared.targets.templates
        own = tuple(templates[number] for number in one.templates.tolist())
        return Grouped(one.target, -one.surprisals, one.templates, one.names, own)

    def _agreement(self, odds: Sequence[Finding]) -> None:
        """Compare what the model holds likely with what it draws, over targets."""
        drawn = {
            one.concepts[0]: one.estimate.value
            for one in self.said.findings
            if one.metric == "diffusion_pid.share_drawn" and one.group == self.groups[0]
        }
        inside = {
            one.concepts[0]: one.estimate.value
            for one in odds
            if one.references or one.group == self.groups[0]
        }
        both = [(inside[target], drawn[target]) for target in inside if target in drawn]
        if len(both) < FEWEST_TARGETS:
            return
        one, other = (np.array(column, dtype=float) for column in zip(*both, strict=True))
        rho = spearman(one, other, rng=self.session.rng("diffusion-pid/agreement"))
        if rho.rho is not None and rho.rho < DISAGREE:
            self.said.conflicts.append(
                f"{self.compared.targets.name}: the order of the targets by log-odds and by shares drawn "
                f"agrees at Spearman {rho.rho:.2f} only."
            )

    def _sizes(self, studied: Sequence[TargetStudy]) -> None:
        """What the target's word says, and whether the published redundancy would mean anything."""
        about = About(method="i(x; target), standard", named=self._named)
        for one in studied:
            self._mean("mi", one, "", one.alone.standard[:, 0], about)
        flags = [np.stack([dominated(each) for each in self._words(one)], axis=1) for one in studied]
        images = table(studied, self.compared, flags)
        rows = FromRows(
            table=images.name, column="dominated", beside="target", statistic=Statistic.MEAN_OF_MEANS
        )
        share = float(np.mean([each.mean() for each in flags]))
        self.said.findings.append(dominance(share, sum(each.shape[1] for each in flags), rows))
        self.said.tables.append(images)

    def _shown(self, studied: Sequence[TargetStudy]) -> None:
        gap = {
            one.concepts[0]: abs(one.estimate.value or 0.0)
            for one in self.said.findings
            if one.metric == "diffusion_pid.gap"
        }
        widest = sorted(studied, key=lambda one: -gap.get(one.target, 0.0))[: self.settings.shown]
        for one in widest:
            measured = map_sheet(one, self.asker)
            self.said.sheets.append(measured)
        if widest:
            self.said.figures.append(error_curves(widest[0], self.asker))
            self._losses(widest[0])

    def _losses(self, one: TargetStudy) -> None:
        """How well images of each group are explained, for the target with the widest gap."""
        each = self.settings.images
        if self.session.images or not self.settings.log_odds or each * len(one.worded) < FEWEST_IMAGES:
            return
        scenes = named_images(one.target, self.groups, one.worded, self.painter, each)
        found = losses(scenes, one.worded[0].alone, self.asker)
        kept = loss_table(f"{self._about}-errors", one.target, scenes, found)
        self.said.tables.append(kept)
        self.said.findings += loss_findings(one.target, found, kept.name)
        self.said.figures += loss_figures(one.target, found)

    def _summary(self, found: Sequence[Finding]) -> None:
        sure = [
            one
            for one in found
            if one.estimate.null is not None
            and one.estimate.null.adjusted is not None
            and one.estimate.null.adjusted <= 0.05
        ]
        kinds = f"{self.compared.targets.name} by {self.compared.groups.name}"
        if not sure:
            self.said.summary.append(f"{kinds}: no gap of {len(found)} is beyond chance (q 0.05).")
            return
        widest = max(sure, key=lambda one: abs(one.estimate.value or 0.0))
        value = widest.estimate.value or 0.0
        pole = (widest.references or (widest.group or "", ""))[0 if value > 0 else 1]
        self.said.summary.append(
            f"{kinds}: {len(sure)} of {len(found)} gaps are beyond chance (q 0.05); the widest is "
            f"'{widest.concepts[0]}', whose images the model takes for {pole or 'the other groups'} "
            f"({value:+.2f} nats)."
        )
