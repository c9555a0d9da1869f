"""One set of targets over its groups: how it leans, what carries the groups, and what turning it does."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from biaskit.analyzers.bias_features.leans import Leans, leans_of, require_enough
from biaskit.analyzers.bias_features.measured import (
    half_table,
    image_table,
    random_table,
    step_table,
    turn_table,
)
from biaskit.analyzers.bias_features.numbers import (
    effect_findings,
    instrument_findings,
    overlap_finding,
    sentences,
    shuffled_finding,
)
from biaskit.analyzers.bias_features.pictures import (
    dose_curves,
    instrument_curves,
    latent_sheets,
    latent_table,
    share_dots,
)
from biaskit.analyzers.bias_features.turning import turned
from biaskit.steering.ranking import Codes, Ranking, Top, rank, shuffled_scores, split_half
from biaskit.steering.trajectories import Asked, Stage, Trajectories, follow

if TYPE_CHECKING:
    from biaskit.analyzers.bias_features.analyzer import BiasFeatures
    from biaskit.concepts.site_autoencoder import SiteAutoencoder
    from biaskit.protocols import AttributeClassifier
    from biaskit.records.contact_sheet import ContactSheet
    from biaskit.records.dot_plot import DotPlot
    from biaskit.records.figure import Figure
    from biaskit.records.finding import Finding
    from biaskit.records.table import Table
    from biaskit.session import DiffusionSession, GroupComparison

SEED_STRIDE = 1_000_003
FRESH_FROM = 500_000
"""Offset of the seeds that edits are tested on, apart from those that latents were found on."""


@dataclass(eq=False)
class Part:
    """What one study gives to the analysis; see there."""

    findings: list[Finding] = field(default_factory=list)
    summary: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    dots: list[DotPlot] = field(default_factory=list)
    sheets: list[ContactSheet] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class GroupStudy:
    """Settings, session and one comparison; `run` does the rest.

    Attributes:
        settings: The analyzer's settings.
        session: Model and seed.
        compared: Targets and groups.
        classifier: Who tells the groups.
        autoencoder: Latents of the site.
        drawn: Images that were followed so far; sets of groups of the same targets share them.
    """

    settings: BiasFeatures
    session: DiffusionSession
    compared: GroupComparison
    classifier: AttributeClassifier
    autoencoder: SiteAutoencoder
    drawn: dict[Asked, Trajectories] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What is compared, as `occupations by gender`."""
        return f"{self.compared.targets.name} by {self.compared.groups.name}"

    @property
    def stage(self) -> Stage:
        """Who draws, where it is read, and who tells the groups."""
        return Stage(self.session.model, self.settings.place, self.classifier)

    @property
    def first_seed(self) -> int:
        """First seed of the images of this run."""
        return self.session.seed * SEED_STRIDE

    def run(self, note: str) -> Part:
        """Draw, classify, rank, test, and write it down.

        Raises:
            RequestError: There are too few images for the interval, or a class is never seen.
        """
        part = Part(notes=[note])
        targets = tuple(self.compared.targets.targets)
        each = self.settings.traced // len(targets)
        require_enough(each, self.settings.half_width)
        seen, owners, images = self._followed(targets, each)
        leans = leans_of(
            targets, self.classifier.classes, owners, seen.labels.numpy(), self.settings.tolerated
        )
        part.findings += leans.findings(self.title)
        part.dots.append(share_dots(leans, self.title))
        labels, classes = seen.labels.numpy(), self.classifier.classes
        part.tables.append(image_table(self.title, owners, images, classes, labels))
        codes = Codes.of(self.autoencoder, seen, self.classifier.classes, [owners, *self._others(seen)])
        ranking = rank(codes, self.autoencoder)
        steps = self._steps(ranking)
        part.findings += instrument_findings(self, steps)
        part.tables += [steps] if steps.rows else []
        part.figures += instrument_curves(self, ranking)
        widest = leans.widest()
        if widest is None:
            part.summary.append(
                f"{self.title}: no target's share is beyond {leans.tolerated:.0%} of equal (Holm 0.05), "
                "so no latent is called a bias feature."
            )
            return part
        self._turn(part, leans, codes, ranking, seen)
        return part

    def _steps(self, ranking: Ranking) -> Table:
        explained = {float(step): one for step, one in self.autoencoder.record.explained.items()}
        aucs = {one.timestep: one.auc for one in ranking.probes if one.auc is not None}
        return step_table(self.title, explained, aucs)

    def _followed(
        self, targets: tuple[str, ...], each: int
    ) -> tuple[Trajectories, list[str], tuple[str, ...]]:
        """Follow as many images of every target, template by template; each image has noise of its own.

        Returns them with their targets and names.
        """
        said = {target: [one.text for one in self.compared.targets.positives(target)] for target in targets}
        pairs = [
            (target, said[target][number % len(said[target])]) for target in targets for number in range(each)
        ]
        seeds = tuple(range(self.first_seed, self.first_seed + len(pairs)))
        asked = Asked(tuple(prompt for _, prompt in pairs), seeds)
        before = self.drawn.get(asked)
        if before is None:
            seen = self.drawn[asked] = follow(self.stage, asked, self.settings.every)
        else:
            seen = replace(before, probabilities=self.classifier.probabilities(before.pixels))
        return seen, [target for target, _ in pairs], asked.names

    def _others(self, seen: Trajectories) -> list[Int[ndarray, " n"]]:
        """What the other classifiers see; it is held equal, so that a latent's dose is that of the group."""
        others = [one for one in self.session.classifiers if one.attribute != self.classifier.attribute]
        return [one.probabilities(seen.pixels).argmax(dim=1).numpy() for one in others]

    def _turn(self, part: Part, leans: Leans, codes: Codes, ranking: Ranking, seen: Trajectories) -> None:
        """Test the latents that lead to the rarest group of the target that leans most."""
        row, number = leans.widest() or (0, 0)
        target, group = leans.targets[row], self.classifier.classes[number]
        prompts = [one.text for one in self.compared.targets.positives(target)]
        asked = Asked.of(prompts, self.settings.fresh, self.first_seed + FRESH_FROM)
        found = turned(self, codes, ranking, number, asked)
        part.findings += effect_findings(self, found, target, group)
        self._controls(part, codes, ranking, number, target)
        part.figures.append(dose_curves(found, target, group))
        part.tables += [
            latent_table(found, ranking, number, self.title),
            turn_table(self.title, found, asked.names),
            random_table(self.title, found),
        ]
        part.sheets += latent_sheets(self, found, codes, seen)
        part.summary += sentences(found, leans, row, self.title, group)

    def _controls(self, part: Part, codes: Codes, ranking: Ranking, number: int, target: str) -> None:
        asked, draws = Top(number, self.settings.features), self.settings.shuffles
        halves = self.session.rng(f"bias-features/{self.title}/halves")
        overlap = split_half(codes, self.autoencoder, asked, halves, draws)
        rng = self.session.rng(f"bias-features/{self.title}/shuffled")
        shuffled = shuffled_scores(codes, self.autoencoder, rng, draws)[:, number]
        best = float(ranking.scores[number].max())
        group = self.classifier.classes[number]
        part.findings += [
            overlap_finding(self, overlap, target, group),
            shuffled_finding(self, best, np.asarray(shuffled), (target, group)),
        ]
        part.tables += [half_table(self.title, overlap)] if any(overlap.tops) else []
