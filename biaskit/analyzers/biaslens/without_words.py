"""BiasLens on a model that predicts no words: where its sentences lie, and nothing of what it does.

What the definition carries over is the concept vector and the cosine: C of a noun is what it adds to a
neutral sentence, C of a pole what sentences that state it add,

    C_t = h(template with t) - mean_c h(template with c),   C_r = mean h(stated r) - mean h(neutral)
    S = cos(C_t, C_first) - cos(C_t, C_second)              less the neutral nouns' mean, in [-4, 4]

signed where the publication takes the size, with neutral nouns as the null. There is no behaviour to orient
an axis, to patch or to erase, so no number here is more than undecided.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from biaskit.analyzers.biaslens.findings import undecided
from biaskit.analyzers.biaslens.long_table import NAME, PARTS, UNITS, averaged, part_of, part_rows
from biaskit.analyzers.biaslens.measured import centred
from biaskit.analyzers.biaslens.sae_choice import Audited, open_view
from biaskit.concepts.against_controls import Wording, estimates_against_controls
from biaskit.concepts.nouns import Nouns
from biaskit.hooks.pooling import Pooling
from biaskit.records.estimate import Unit
from biaskit.records.finding import Direction, Evidence, Finding, FromRows
from biaskit.records.probe_set import expand
from biaskit.records.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from biaskit.records.probe_set import Example
    from biaskit.records.site import Site
    from biaskit.records.table import Cell
    from biaskit.session import Comparison, Session

SENTENCE, WORD = "sentence", "word"
LATENTS = "sentence, latents"
MEASURE, PROFILE = "embedding", "embedding_profile"
EVIDENCE_ROWS = 10
WHY = "the model predicts no words, so nothing shows whether this is a lean of what it does"
SAID = (
    "The model predicts no words: behaviour, oriented score, patching and erasure are not measured. "
    "`biaslens.embedding` says where its sentences lie."
)


@dataclass(frozen=True, slots=True)
class Lying:
    """Where the sentences of one comparison lie.

    Attributes:
        findings: The cosines of every target, at the last site and at every site.
        rows: Rows of the long table.
        parts: What the profile's numbers follow from.
        note: Which autoencoder read the sentences.
    """

    findings: tuple[Finding, ...]
    rows: tuple[tuple[Cell, ...], ...]
    parts: tuple[tuple[Cell, ...], ...]
    note: str


def lying(session: Session, comparison: Comparison, sites: Sequence[Site], choice: str) -> Lying:
    """Return where every target lies between the poles, for the sentence, the word and latents.

    Args:
        session: The encoder.
        comparison: What is compared.
        sites: Where it is read, bottom first; the numbers of the first page are those of the last.
        choice: The sparse autoencoder; see `open_view`.
    """
    reader = _Reader(session, comparison, Nouns.of(comparison, session.model))
    findings: list[Finding] = []
    rows: list[tuple[Cell, ...]] = []
    parts: list[tuple[Cell, ...]] = []
    for group in (SENTENCE, WORD):
        read = reader.read(group, sites)
        for site in sites:
            cells = reader.cells(read[site])
            if site == sites[-1]:
                findings += reader.told(cells, site, group)
                rows += reader.rows(cells, group)
            findings += reader.told(cells, site, group, PROFILE)
            parts += reader.parts(cells, site, group)
    audited = reader.read(SENTENCE, sites[-1:])[sites[-1]]
    owners = list(reader.nouns.words) * len(comparison.targets.templates)
    view = open_view(session, comparison, choice, Audited(sites[-1], audited[0].flatten(0, 1), owners))
    if view.autoencoder is not None:
        cells = reader.cells([_encoded(part, view.autoencoder.encode) for part in audited])
        findings += reader.told(cells, sites[-1], LATENTS)
        rows += reader.rows(cells, LATENTS)
    return Lying(tuple(findings), tuple(rows), tuple(parts), view.note)


def _encoded(rows: Float[Tensor, "*n d"], encode: Callable[[Tensor], Tensor]) -> Float[Tensor, "*n s"]:
    return encode(rows.reshape(-1, rows.shape[-1])).reshape(*rows.shape[:-1], -1)


def concept_cosines(
    nouns: Float[Tensor, "g n d"],
    first: Float[Tensor, "a d"],
    second: Float[Tensor, "b d"],
    controls: Sequence[int],
) -> Float[ndarray, "g n"]:
    """Return S of each noun in each template, less the controls' mean there; a noun that adds nothing has 0.

    Args:
        nouns: Activations, templates x nouns.
        first: Activations of sentences that state the first pole.
        second: Of the second.
        controls: Columns of the neutral nouns.
    """
    neutral = nouns[:, list(controls)].double().mean(1, keepdim=True)
    added = nouns.double() - neutral
    poles = (pole.double().mean(0) - neutral.mean((0, 1)) for pole in (first, second))
    one, other = (torch.nn.functional.cosine_similarity(added, pole, dim=-1) for pole in poles)
    return centred((one - other).numpy(), tuple(controls))


@dataclass(frozen=True, slots=True)
class _Reader:
    session: Session
    comparison: Comparison
    nouns: Nouns

    def read(self, group: str, sites: Sequence[Site]) -> dict[Site, list[Tensor]]:
        """Return the nouns' activations (templates x nouns), then each pole's: means over the tokens."""
        targets, pair = self.comparison.targets, self.comparison.pair
        examples = [expand(targets.templates, self.nouns.words), *map(pair.examples, pair.poles)]
        found = [
            self.session.activations(_prompts(one, whole=group == SENTENCE), sites, Pooling.MEAN)
            for one in examples
        ]
        shape = (len(targets.templates), len(self.nouns.words), -1)
        return {site: [found[0][site].view(shape), found[1][site], found[2][site]] for site in sites}

    def cells(self, read: Sequence[Tensor]) -> Float[ndarray, "g n"]:
        """Return the cosines of what was read."""
        return concept_cosines(read[0], read[1], read[2], self.nouns.controls)

    def told(
        self, cells: Float[ndarray, "g n"], site: Site, group: str, metric: str = MEASURE
    ) -> Iterable[Finding]:
        """Yield one undecided number a target."""
        method = f"cosine to the first pole less that to the second, mean over the {group}'s tokens"
        rng = self.session.rng(f"biaslens/{self.comparison.targets.name}/{self.comparison.pair.name}/{group}")
        wording = Wording(method, Unit.COSINE, "templates")
        shown = metric == MEASURE
        for target, estimate in estimates_against_controls(cells, self.nouns, wording, rng).items():
            finding = Finding(
                metric=f"biaslens.{metric}",
                concepts=(target,),
                references=self.comparison.pair.poles,
                site=site,
                group=group,
                headline=shown,
                direction=Direction.TOWARD_ZERO if shown else Direction.NONE,
                estimate=estimate,
                evidence=self._evidence(cells, target) if shown else (),
                rows=self._where(target, group) if shown else self._part(target, site, group),
            )
            yield finding if estimate.value is None else undecided(finding, WHY)

    def rows(self, cells: Float[ndarray, "g n"], group: str) -> Iterable[tuple[Cell, ...]]:
        """Yield the long table's rows of the numbers on the first page."""
        for target, columns in self.nouns.columns.items():
            for row, template in enumerate(self.comparison.targets.templates):
                for column in columns:
                    about = (MEASURE, target, self.comparison.pair.name, group, template)
                    yield (*about, self.nouns.words[column], float(cells[row, column]))

    def parts(self, cells: Float[ndarray, "g n"], site: Site, group: str) -> Iterable[tuple[Cell, ...]]:
        """Yield the rows of the numbers of the profile: cells averaged over templates, noun by noun."""
        templates = self.comparison.targets.templates
        for target, columns in self.nouns.columns.items():
            about = part_of(PROFILE, target, self.comparison, group, site)
            yield from part_rows(about, *averaged(cells, columns, self.nouns.words, templates))

    def _part(self, target: str, site: Site, group: str) -> FromRows:
        about = part_of(PROFILE, target, self.comparison, group, site)
        return FromRows(table=PARTS, column="value", where=about)

    def _where(self, target: str, group: str) -> FromRows:
        about: dict[str, Cell] = {"measure": MEASURE, "target": target}
        about |= {"pair": self.comparison.pair.name, "reading": group}
        return FromRows(table=NAME, column="value", where=about, units=UNITS)

    def _evidence(self, cells: Float[ndarray, "g n"], target: str) -> tuple[Evidence, ...]:
        templates = self.comparison.targets.templates
        places = [(row, column) for row in range(len(templates)) for column in self.nouns.columns[target]]
        places.sort(key=lambda place: -abs(cells[place]))
        return tuple(
            Evidence(
                text=templates[row].replace("{x}", self.nouns.words[column]),
                value=float(cells[row, column]),
                template=templates[row],
                filler=self.nouns.words[column],
            )
            for row, column in places[:EVIDENCE_ROWS]
        )


def _prompts(examples: Sequence[Example], *, whole: bool) -> list[Prompt]:
    return [Prompt(one.text) if whole else Prompt(one.text, one.span) for one in examples]
