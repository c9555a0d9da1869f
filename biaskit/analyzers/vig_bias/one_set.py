"""One image set on its way through the analyzer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from biaskit.analyzers.vig_bias.amplified import Amplified, amplify
from biaskit.analyzers.vig_bias.balance import balance
from biaskit.analyzers.vig_bias.discovery import Discovered, Discovery
from biaskit.analyzers.vig_bias.findings import (
    EVERYTHING,
    TAKEN_FOR,
    Named,
    Part,
    best_view,
    degenerate,
    faithfulness,
    reliance,
    slice_gap,
)
from biaskit.analyzers.vig_bias.groups import (
    Grouped,
    attribute_of,
    columns_of,
    group_findings,
    measured,
    most_telling,
    names_of,
    plot,
    remarks,
    slug,
)
from biaskit.analyzers.vig_bias.looking import VIEWS, Looked, Looker
from biaskit.analyzers.vig_bias.mending import Mending
from biaskit.analyzers.vig_bias.numbers import Sampled
from biaskit.analyzers.vig_bias.parts import Division, divide
from biaskit.analyzers.vig_bias.said import Said
from biaskit.analyzers.vig_bias.sheets import sheet
from biaskit.analyzers.vig_bias.strongest import strongest_rows, strongest_table
from biaskit.analyzers.vig_bias.summary import sentences
from biaskit.analyzers.vig_bias.titles import Titles
from biaskit.analyzers.vig_bias.truth import precision_findings, score, truths, warning
from biaskit.analyzers.vig_bias.worded import keyword_findings, keywords_table, worded
from biaskit.analyzers.vig_bias.written import (
    cells_of,
    images_table,
    maps_table,
    slices_name,
    slices_table,
    table_of,
)
from biaskit.images.image_set import Part as Use
from biaskit.records.site import Site
from biaskit.saliency.choosing import AUTO, Choice, Choosing, choose
from biaskit.saliency.grounding import Masking

if TYPE_CHECKING:
    from biaskit.analyzers.vig_bias.analyzer import VigBias
    from biaskit.images.image_set import ImageSet
    from biaskit.records.table import Cell
    from biaskit.session import VisionSession

NO_ENCODER = (
    "No text-image encoder was given: slices were sought among the audited model's own features, which need "
    "not hold what it overlooks, and they have no names in words."
)


@dataclass(frozen=True, eq=False)
class OneSet:
    """Settings, session and images; `audit` does the rest.

    Attributes:
        settings: The analyzer's settings.
        session: Model, encoder, seed.
        images: The set.
    """

    settings: VigBias
    session: VisionSession
    images: ImageSet

    def audit(self) -> Said:
        """Look, measure, find, test, mend, and write it down."""
        said = Said()
        said.notes += self.division.notes
        said.caveats += [] if self.session.encoder else [NO_ENCODER]
        found = self.looker.look(self.division.found, "discovery")
        held = self.looker.look(self.division.held, "held-out")
        self._maps(said, held)
        grouped, attribute = self._groups(said, held)
        discovered = self._discover(said, found, held)
        said.caveats += balance(self.session, self.images, held, self._training_rows)
        self._known(said, discovered, held)
        named = self._named(discovered, found, held)
        self._slices(said, named, held)
        self._reliance(said, named, held)
        self._keywords(said, found, held)
        Mending(self.settings.remedies, self.looker, grouped, attribute).run(said, named, found, held)
        said.tables.append(table_of(self.looker, held, self._shown(named)))
        said.tables += [slices_table(self.looker, held, named)] if named else []
        said.summary += sentences(self.images.name, said, named)
        return said

    @cached_property
    def division(self) -> Division:
        """Which images are used for what."""
        return divide(self.images, self.settings.most_images, self._rng("parts"))

    @cached_property
    def _training_rows(self) -> Int[ndarray, " n"] | None:
        """Rows of all training images; None where no image is marked so."""
        rows = np.flatnonzero([part is Use.TRAIN for part in self.images.parts])
        return rows if len(rows) else None

    @cached_property
    def looker(self) -> Looker:
        """How images are looked at, chosen on some of those that slices are found on."""
        masking = Masking(keep=self.settings.keep, fill=self.settings.fill)
        return Looker(self.session, self.images, self._choice(), masking, VIEWS)

    def _choice(self) -> Choice:
        rows, rng = self._calibrating
        model = self.session.model
        pixels = model.prepare([self.images.pictures.read(row) for row in rows.tolist()])
        site = self.settings.site
        asked = Choosing(
            method=self.settings.method,
            site=AUTO if site == AUTO else Site.parse(site),
            images=len(rows),
            clusters=tuple(self._clusters(rows)),
        )
        return choose(model, pixels, model.logits(pixels).argmax(dim=1), asked, rng=rng)

    @cached_property
    def _calibrating(self) -> tuple[Int[ndarray, " c"], np.random.Generator]:
        """Rows of the images that choose and judge how maps are computed; the source of further draws."""
        rng = self._rng("choice")
        most = min(self.settings.calibration, len(self.division.found))
        return rng.choice(self.division.found, most, replace=False), rng

    def _maps(self, said: Said, held: Looked) -> None:
        choice = self.looker.choice
        said.findings += faithfulness(self.images.name, choice)
        said.tables.append(maps_table(self.images, self._calibrating[0], choice))
        said.findings.append(degenerate(self.images.name, held, self._clusters(held.rows)))
        said.caveats += choice.doubts
        said.notes += [f"Maps: {choice.candidate}, of {len(choice.tried)} that were tried.", *choice.remarks]

    def _groups(self, said: Said, held: Looked) -> tuple[Grouped, str]:
        names = names_of(held.labels, self.session.model.classes)
        columns = columns_of(names, self.images.attributes, held.rows)
        said.notes += remarks(self.images.name, self.images.attributes, held.rows)
        shown = self.looker.names(held.rows)
        taken_for = names_of(held.predictions, self.session.model.classes)
        grouped = Grouped(self.images.name, columns, self._clusters(held.rows), shown, taken_for)
        turned = np.where(held.degenerate, np.nan, held.flips.erased.astype(float))
        further = {"region_flips": turned}
        frame = grouped.frame(held.labels, held.probabilities, further, self.session.seed)
        said.findings += group_findings(grouped, frame)
        said.tables.append(grouped.table(measured(held.labels, held.probabilities, further)))
        telling = most_telling(frame)
        said.dots.append(plot(telling, f"{slug(self.images.name)}-groups"))
        return grouped, attribute_of(telling)

    def _clusters(self, rows: Int[ndarray, " n"]) -> list[str]:
        return [self.images.clusters[row] for row in rows] if self.images.clusters else []

    def _discover(self, said: Said, found: Looked, held: Looked) -> list[Discovered]:
        discovery = Discovery(
            self.session,
            found,
            held,
            self._amplified(said),
            self._clusters(held.rows),
            self.settings.shuffles,
        )
        methods = (*self.settings.slicers, *self.settings.baselines)
        discovered = list(discovery.run(methods, VIEWS))
        said.caveats += discovery.caveats
        return discovered

    def _amplified(self, said: Said) -> Amplified | None:
        """Fit the head that FACTS asks for on training images, where there are any."""
        if "facts" not in self.settings.slicers:
            return None
        if Use.TRAIN not in self.images.parts or not self.looker.has_head:
            said.notes.append(
                "FACTS was given the model's own probabilities, not amplified ones: there is no training "
                "image, or the model has no linear head."
            )
            return None
        rows, generator = self.division.train, self.session.torch_rng(f"vig-bias/{self.images.name}/amplify")
        features = self.looker.features(rows)
        return amplify(features, self.looker.labels(rows), len(self.session.model.classes), generator)

    def _known(self, said: Said, discovered: Sequence[Discovered], held: Looked) -> None:
        rows: list[tuple[Cell, ...]] = []
        for one in truths(self.images, held.rows, self._training_rows):
            scored = score(discovered, one, held.labels)
            rows += strongest_rows(one, scored, self.looker.names(held.rows))
            said.findings += precision_findings(self.images.name, one, scored)
            warned = warning(one, scored)
            said.caveats += [warned] if warned else []
        said.tables += strongest_table(self.images.name, rows)

    def _named(self, discovered: Sequence[Discovered], found: Looked, held: Looked) -> list[Named]:
        """Return the slices of every method on grounded images, the surest first, with titles."""
        titles = Titles(self.session, self.images, tuple(self.settings.phrases), found, held)
        chosen = [best_view(discovered, method) for method in self.settings.slicers]
        named = [slice_ for one in chosen if one is not None for slice_ in titles.named(one)]
        return sorted(named, key=lambda slice_: -(slice_.found.gaps[slice_.place] or 0.0))

    def _keywords(self, said: Said, found: Looked, held: Looked) -> None:
        if not self.settings.keywords:
            return
        classes = self.session.model.classes
        given = list(worded(self.session, found, held, self._clusters(held.rows)))
        for one in given:
            said.findings += keyword_findings(self.images.name, one, classes)
        shown = self.looker.names(held.rows)
        images = list(zip(shown, self._clusters(held.rows) or shown, strict=True))
        said.tables += keywords_table(self.images.name, given, classes, images)

    def _shown(self, named: Sequence[Named]) -> list[Named]:
        failing = [one for one in named if (one.found.facts[one.place].gap or 0.0) > 0]
        return failing[: self.settings.shown]

    def _slices(self, said: Said, named: Sequence[Named], held: Looked) -> None:
        clusters = self._clusters(held.rows)
        shown = self._shown(named)
        for one in named:
            said.findings.append(
                slice_gap(self.images.name, one, clusters, headline=one.significant and one in shown)
            )
        for place, one in enumerate(shown, 1):
            strongest = np.argsort(-one.found.membership[:, one.place], kind="stable")
            rows = held.rows[strongest[one.inside[strongest]][: self.settings.tiles]]
            name = f"{slug(self.images.name)}-{place}"
            said.sheets.append(
                sheet(self.looker, rows.tolist(), name, f"{one.title} ({one.source})", one.caption)
            )

    def _reliance(self, said: Said, named: Sequence[Named], held: Looked) -> None:
        classes, sampled = (
            self.session.model.classes,
            Sampled(self._clusters(held.rows), self._rng("reliance")),
        )
        name = self.images.name
        table, sliced = images_table(name), slices_name(name)
        whole = Part(EVERYTHING, np.ones(len(held.rows), dtype=bool), table)
        by_class = [
            Part(f"{TAKEN_FOR}{one}", held.predictions == label, table, {"prediction": one})
            for label, one in enumerate(classes)
        ]
        slices = [
            Part(f"slice {one.title} ({one.source})", one.inside, sliced, cells_of(one) | {"inside": True})
            for one in self._shown(named)
        ]
        known = [one for one in (whole, *by_class, *slices) if one.inside.any()]
        said.findings += reliance(self.images.name, held, sampled, known)

    def _rng(self, what: str) -> np.random.Generator:
        return self.session.rng(f"vig-bias/{self.images.name}/{what}")
