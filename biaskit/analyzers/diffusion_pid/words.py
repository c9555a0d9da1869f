"""Prompts taken apart word by word: what each says, what two share, and what changes without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch.nn.functional import interpolate

from biaskit.analyzers.diffusion_pid.group_plots import colour_bar_of
from biaskit.analyzers.diffusion_pid.interventions import Change, swapped_null
from biaskit.analyzers.diffusion_pid.numbers import IMAGES, About, dominance, mean
from biaskit.analyzers.diffusion_pid.questions import Questions
from biaskit.analyzers.diffusion_pid.said import Said
from biaskit.analyzers.diffusion_pid.taking_apart import Pair, intervened, left_out, pairs
from biaskit.analyzers.diffusion_pid.word_rows import Row, WordRows
from biaskit.decomposition.redundancy import Atoms, decompose, dominated
from biaskit.decomposition.redundancy import Informations as Words
from biaskit.errors import RunError
from biaskit.images.tiles import heated, png
from biaskit.records.contact_sheet import ContactSheet, Tile
from biaskit.records.estimate import Estimate, Unit
from biaskit.records.finding import Direction, Finding
from biaskit.records.table import slug
from biaskit.stats.paired import sign_flip

if TYPE_CHECKING:
    from biaskit.analyzers.diffusion_pid.analyzer import DiffusionPid
    from biaskit.analyzers.diffusion_pid.asking import Asker
    from biaskit.analyzers.diffusion_pid.scenes import Painter, Scene
    from biaskit.decomposition.measured import Measured
    from biaskit.records.prompt_set import PromptCase, PromptSet
    from biaskit.session import DiffusionSession

PARTS = ("redundancy", "uniqueness", "uniqueness", "synergy")


@dataclass(frozen=True, slots=True, eq=False)
class _Numbers:
    """Where the contrasts of a case stand: each word given the rest, and three for each pair."""

    words: dict[str, int]
    pairs: dict[Pair, tuple[int, int, int]]


@dataclass(frozen=True, eq=False)
class WordStudy:
    """Settings, session and one set of prompts; `run` does the rest.

    Attributes:
        settings: The analyzer's settings.
        session: Model and seed.
        prompts: The prompts.
        painter: Who draws images.
        asker: Who measures.
        said: What was found so far.
        measured: What means are means of, one row an image.
    """

    settings: DiffusionPid
    session: DiffusionSession
    prompts: PromptSet
    painter: Painter
    asker: Asker
    said: Said = field(default_factory=Said)
    measured: list[Row] = field(default_factory=list)

    @property
    def kept(self) -> WordRows:
        """The table of what was measured."""
        return WordRows(self.prompts.name, self.measured)

    def run(self) -> Said:
        """Draw each prompt's images, take it apart, and drop its words."""
        cases = self.prompts.cases
        changes: list[Change] = []
        for case in self.session.progress.track(cases, "taking prompts apart", len(cases)):
            scene = self.painter.draw(case.text, self.settings.images, whose=case.text)
            design, numbers = _design(case)
            found = self.asker.measured(scene, design.prompts, design.contrasts, maps=True)
            self._words(case, scene.names, found, numbers)
            self._pairs(case, scene.names, found, numbers)
            if self.settings.intervene:
                changes += [self._change(case, word, scene, found, numbers) for word in case.words]
            if self.settings.shown:
                self.said.sheets.append(self._sheet(case, scene, found, numbers))
        self._interventions(changes)
        self.said.tables.append(self.kept.table)
        return self.said

    def _words(self, case: PromptCase, names: Sequence[str], found: Measured, numbers: _Numbers) -> None:
        metric = "diffusion_pid.cmi"
        for word, number in numbers.words.items():
            values = found.standard.mean[:, number]
            kept = self.kept.keep(metric, case, (word, word), zip(names, values.tolist(), strict=True))
            self.said.findings.append(
                Finding(
                    metric=metric,
                    concepts=(word, case.text),
                    rows=kept,
                    direction=Direction.NONE,
                    headline=True,
                    estimate=self._estimate(values, "i(x; word | rest of the prompt), standard"),
                )
            )

    def _estimate(self, values: Float[ndarray, " n"], method: str) -> Estimate:
        rows = np.arange(len(values))
        null = None
        if len(values) > 1:
            null = sign_flip(values, rows, self.session.rng(f"diffusion-pid/{method}"))
        return mean(values, rows, About(method=method, named=IMAGES, null=null))

    def _pairs(self, case: PromptCase, names: Sequence[str], found: Measured, numbers: _Numbers) -> None:
        prior, shares = self.settings.words_prior(), list[float]()
        metric = "diffusion_pid.prior_dominance"
        for pair, columns in numbers.pairs.items():
            words = _informations(found.standard.mean, columns, prior.surprisals(pair.words))
            self._atoms(case, pair, names, decompose(words, self.settings.redundancy))
            flags, both = dominated(words).astype(float), " and ".join(pair.words)
            self.kept.keep(metric, case, (both, both), zip(names, flags.tolist(), strict=True))
            shares.append(float(flags.mean()))
            self.said.notes += _dominated(pair, shares[-1])
        if shares:
            rows = self.kept.over_pairs(metric, case)
            self.said.findings.append(dominance(float(np.mean(shares)), len(shares), rows, case.text))

    def _atoms(self, case: PromptCase, pair: Pair, names: Sequence[str], atoms: Atoms) -> None:
        values = (atoms.redundancy, atoms.first, atoms.second, atoms.synergy)
        of = (pair.words, (pair.words[0],), (pair.words[1],), pair.words)
        both = " and ".join(pair.words)
        for part, concepts, each in zip(PARTS, of, values, strict=True):
            metric, about = f"diffusion_pid.{part}", (" and ".join(concepts), both)
            kept = self.kept.keep(metric, case, about, zip(names, each.tolist(), strict=True))
            self.said.findings.append(
                Finding(
                    metric=metric,
                    concepts=(*concepts, case.text),
                    group=both,
                    rows=kept,
                    direction=Direction.NONE,
                    headline=part in {"redundancy", "synergy"},
                    estimate=self._estimate(each, f"{part} ({self.settings.redundancy}) given the rest"),
                )
            )

    def _change(
        self, case: PromptCase, word: str, scene: Scene, found: Measured, numbers: _Numbers
    ) -> Change:
        """Draw the images again from the same noise, without the word."""
        instead, number = intervened(case, word), numbers.words[word]
        redrawn = self.painter.draw(instead, len(scene), whose=case.text)
        moved = (redrawn.latents - scene.latents).double().square().sum(dim=1)
        return Change(
            case=case,
            word=word,
            instead=instead,
            names=scene.names,
            informations=found.orthogonal.mean[:, number],
            maps=_maps(found)[:, number],
            changes=moved.numpy(),
            redrawn=redrawn,
        )

    def _interventions(self, changes: Sequence[Change]) -> None:
        if not changes:
            return
        metric, each = "diffusion_pid.intervention", self._correlations(changes)
        owners = np.concatenate([np.full(len(one.names), place) for place, one in enumerate(changes)])
        usable = np.isfinite(each)
        if not usable.any():
            self.said.caveats.append(
                f"{self.prompts.name}: no image changed without its words, so maps could not be checked."
            )
            return
        null = swapped_null(list(changes), self.session.rng(f"diffusion-pid/{self.prompts.name}/swapped"))
        self.said.findings.append(
            Finding(
                metric=metric,
                concepts=(self.prompts.name,),
                rows=self.kept.over_words(metric),
                direction=Direction.NONE,
                headline=True,
                estimate=mean(
                    each[usable],
                    owners[usable],
                    About(
                        method="correlation over pixels of a word's map and the image's change without it",
                        unit=Unit.ONE,
                        named="words of prompts",
                        null=null,
                        reason=None if null else "Fewer than three images changed.",
                    ),
                ),
            )
        )
        self.said.summary.append(
            f"{self.prompts.name}: maps agree with what changes when the word is dropped at a correlation of "
            f"{each[usable].mean():.2f}, over {int(usable.sum())} images."
        )

    def _correlations(self, changes: Sequence[Change]) -> Float[ndarray, " n"]:
        """Return the correlation of map and change of every image, and keep those there are."""
        found = [one.correlations() for one in changes]
        for one, each in zip(changes, found, strict=True):
            values = [value if np.isfinite(value) else None for value in each.tolist()]
            images = zip(one.names, values, strict=True)
            self.kept.keep("diffusion_pid.intervention", one.case, (one.word, one.word), images)
        return np.concatenate(found)

    def _sheet(self, case: PromptCase, scene: Scene, found: Measured, numbers: _Numbers) -> ContactSheet:
        """Show the first images under the map of each word."""
        size = tuple(scene.pixels.shape[2:])
        maps = interpolate(torch.from_numpy(_maps(found)).float(), size=size, mode="nearest")
        columns = list(numbers.words.values())
        largest = float(maps[:, columns].max())
        tiles = (
            Tile(
                name=scene.names[row],
                image=png(scene.pixels[row]),
                heat=png(heated(scene.pixels[row], maps[row, number], largest)),
                label=word,
                prediction="",
                remark=f"{found.orthogonal.mean[row, number]:.2f} nats",
            )
            for row in range(min(len(scene), self.settings.shown))
            for word, number in numbers.words.items()
        )
        return ContactSheet(
            name=slug(f"maps {case.text}"),
            title=f"Where each word of '{case.text}' adds to the image",
            caption="Heat map: orthogonal information of the word given the rest of the prompt, pixel by "
            "pixel of what is denoised; one scale for the sheet.",
            bar=colour_bar_of(largest),
            tiles=tuple(tiles),
        )


def _maps(found: Measured) -> Float[ndarray, "n c h w"]:
    """Orthogonal maps; every scene here is measured with them."""
    if found.maps is None:
        raise RunError("Maps were not asked for.")
    return found.maps.orthogonal


def _design(case: PromptCase) -> tuple[Questions, _Numbers]:
    design = Questions()
    words = {word: design.ask(case.text, given=rest) for word, rest in left_out(case).items()}
    apart = {
        pair: (
            design.ask(pair.first, given=pair.neither),
            design.ask(pair.second, given=pair.neither),
            design.ask(pair.both, given=pair.neither),
        )
        for pair in pairs(case)
    }
    return design, _Numbers(words, apart)


def _informations(
    values: Float[ndarray, "n c"], columns: tuple[int, int, int], surprisals: tuple[float, ...]
) -> Words:
    first, second, both = (values[:, column] for column in columns)
    return Words(first, second, both, (surprisals[0], surprisals[1]))


def _dominated(pair: Pair, share: float) -> list[str]:
    if share < 0.5:
        return []
    return [
        f"'{pair.words[0]}' and '{pair.words[1]}': at {share:.0%} of the images the published redundancy "
        "(finn-lizier) is one word's information."
    ]
