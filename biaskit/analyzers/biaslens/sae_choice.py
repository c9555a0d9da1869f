"""Which sparse autoencoder reads a site, and whether it fits the audited text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from biaskit.analyzers.biaslens.axes import pole_activations
from biaskit.concepts.sae_source import View, find_autoencoder
from biaskit.concepts.sae_training import SaeTraining, TrainedOn, train
from biaskit.errors import BiaskitError
from biaskit.hooks.pooling import Pooling
from biaskit.records.probe_set import expand
from biaskit.records.prompt import Prompt

if TYPE_CHECKING:
    from biaskit.concepts.sparse_autoencoder import SparseAutoencoder
    from biaskit.records.site import Site
    from biaskit.session import Comparison, Session

LATENTS_PER_DIMENSION = 4
FIRING = 16
STEPS = 600


@dataclass(frozen=True, slots=True, eq=False)
class Audited:
    """The activations an autoencoder is asked to read.

    Attributes:
        site: Where they were read.
        rows: The activations.
        groups: What was sampled, one for each row.
    """

    site: Site
    rows: Float[Tensor, "n d"]
    groups: list[str]

    def halves(self, rng: np.random.Generator) -> tuple[Audited, Audited]:
        """Split by group, at random: no group is on both sides."""
        names = sorted(set(self.groups))
        chosen = set(rng.permutation(names)[: len(names) // 2])
        first = [group in chosen for group in self.groups]
        return self._where(first), self._where([not inside for inside in first])

    def _where(self, kept: list[bool]) -> Audited:
        groups = [group for group, inside in zip(self.groups, kept, strict=True) if inside]
        return Audited(self.site, self.rows[torch.tensor(kept)], groups)


def open_view(session: Session, comparison: Comparison, choice: str, audited: Audited) -> View:
    """Find the autoencoder for a site and check it on the audited text.

    Args:
        session: The model; its local folder may hold autoencoders in `saes/<site>`.
        comparison: What it is trained on where `choice` is `train`.
        choice: `auto`, `none`, `train`, a folder, or `release:id` of sae-lens's catalogue.
        audited: What it must read.

    Raises:
        SparseAutoencoderMismatchError: An autoencoder that was asked for by name does not fit.
        BiaskitError: An autoencoder that was asked for by name cannot be loaded.
    """
    model = session.model
    try:
        if choice == "train":
            return _trained(session, comparison, audited)
        found, note = find_autoencoder(choice, audited.site, model.subject.name, model.folder)
        if found is None:
            return View(None, None, note)
        found = found.scaled_on(audited.rows)
        return _checked(found, audited, note)
    except BiaskitError as error:
        if choice != "auto":
            raise
        return View(None, None, f"No sparse autoencoder was used at {audited.site}: {error.what}")


def _trained(session: Session, comparison: Comparison, audited: Audited) -> View:
    """Train on the probe sets' sentences and on half of the audited nouns; check on the other half."""
    half, held_out = audited.halves(session.rng(f"biaslens/autoencoder/{comparison.targets.name}"))
    rows = torch.cat([half.rows, _sentences(session, comparison, audited.site)])
    width = LATENTS_PER_DIMENSION * rows.shape[1]
    settings = SaeTraining(d_sae=width, k=FIRING, steps=STEPS, seed=session.seed)
    source = TrainedOn(audited.site, session.model.subject.name, prepend_bos=True)
    trained = train(rows, settings, source)
    note = (
        f"The sparse autoencoder was trained on the spot: {width} latents, {FIRING} of which fire, on "
        f"{len(rows)} activations at {audited.site}; its fit is measured on nouns it was not trained on."
    )
    return _checked(trained, held_out, note)


def _checked(autoencoder: SparseAutoencoder, audited: Audited, note: str) -> View:
    fvu = autoencoder.check(audited.rows, audited.site, audited.groups)
    return View(autoencoder, fvu, note, autoencoder.squares(audited.rows, audited.groups))


def _sentences(session: Session, comparison: Comparison, site: Site) -> Float[Tensor, "n d"]:
    targets = comparison.targets
    nouns = (*(word for words in targets.targets.values() for word in words), *comparison.controls.fillers)
    prompts = [Prompt(example.text, example.span) for example in expand(targets.templates, nouns)]
    named = session.activations(prompts, [site], Pooling.SPAN)[site]
    ended = session.activations(prompts, [site], Pooling.LAST)[site]
    return torch.cat([named, ended, *pole_activations(session, comparison, site)])
