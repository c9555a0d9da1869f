"""The rows that probes are fitted on: residual stream, neurons or latents, captured once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from scipy.sparse import csr_array, vstack

from biaskit.concepts.sae_source import OWN_FOLDER, View, find_autoencoder
from biaskit.errors import BiaskitError
from biaskit.hooks.pooling import Pooling
from biaskit.probing.tokens import Tokens
from biaskit.records.site import Site, SiteKind, named_sites

if TYPE_CHECKING:
    from biaskit.analyzers.sparse_probing.questions import Question
    from biaskit.concepts.sparse_autoencoder import SparseAutoencoder
    from biaskit.protocols import LanguageModel, TokenBatch
    from biaskit.records.prompt import Prompt
    from biaskit.session import Session

ENCODED_AT_ONCE = 256


@dataclass(frozen=True, slots=True, eq=False)
class Reader:
    """Reads the prompts of a question at any site; what was captured is kept in the session's store.

    Attributes:
        session: The model and the store.
        pooling: Which tokens of a text are read.
    """

    session: Session
    pooling: Pooling

    def rows(self, question: Question, site: Site) -> Float[ndarray, "n d"]:
        """Return one pooled activation a prompt, float32."""
        return self.session.activations(question.prompts, [site], self.pooling)[site].numpy()

    def capture(self, questions: Sequence[Question], sites: Sequence[Site]) -> None:
        """Read everything once, so that later reads come from the store."""
        prompts = [prompt for question in questions for prompt in question.prompts]
        self.session.activations(prompts, sites, self.pooling)

    def twin(self, model: LanguageModel) -> Reader:
        """Return a reader of another model that keeps its activations in the same store."""
        session = self.session
        return Reader(
            type(session)(
                model=model,
                comparisons=session.comparisons,
                store=session.store,
                seed=session.seed,
                progress=session.progress,
                labelled=session.labelled,
            ),
            self.pooling,
        )

    def tokens(self, question: Question, site: Site) -> Tokens:
        """Return the activation at every token of every prompt, padded to the longest."""
        batches = list(self.session.model.token_batches(question.prompts, [site]))
        longest = max(batch.mask.shape[1] for batch in batches)
        width = batches[0].activations[site].shape[2]
        values = np.zeros((len(question.prompts), longest, width), dtype=np.float32)
        mask = np.zeros((len(question.prompts), longest), dtype=bool)
        for batch in batches:
            rows, length = batch.rows.numpy(), batch.mask.shape[1]
            mask[rows, :length] = batch.mask.numpy()
            values[rows, :length] = np.where(batch.mask[..., None], batch.activations[site], 0.0)
        return Tokens(values, mask)

    def latents(self, question: Question, autoencoder: SparseAutoencoder) -> csr_array:
        """Return the latents of each prompt, sparse; a mean or maximum is taken over its tokens' latents."""
        site = autoencoder.site
        if self.pooling in {Pooling.MEAN, Pooling.MAX}:
            return self._pooled_latents(question.prompts, autoencoder)
        activations = self.session.activations(question.prompts, [site], self.pooling)[site]
        parts = torch.split(activations, ENCODED_AT_ONCE)
        return csr_array(
            vstack([csr_array(autoencoder.encode(part).numpy()) for part in parts], format="csr")
        )

    def _pooled_latents(self, prompts: Sequence[Prompt], autoencoder: SparseAutoencoder) -> csr_array:
        rows: dict[int, csr_array] = {}
        for batch in self.session.model.token_batches(prompts, [autoencoder.site]):
            pooled = _pool(batch, autoencoder, self.pooling)
            rows |= {int(row): csr_array(pooled[[place]]) for place, row in enumerate(batch.rows)}
        return csr_array(vstack([rows[row] for row in range(len(prompts))], format="csr"))


def _pool(batch: TokenBatch, autoencoder: SparseAutoencoder, pooling: Pooling) -> Float[ndarray, "b s"]:
    """Encode every token of a batch, then take the mean or maximum over each text's tokens."""
    activations = batch.activations[autoencoder.site]
    pooled = []
    for own, kept in zip(activations, batch.mask, strict=True):
        latents = autoencoder.encode(own[kept])
        pooled.append(latents.mean(dim=0) if pooling is Pooling.MEAN else latents.amax(dim=0))
    return torch.stack(pooled).numpy()


def open_view(reader: Reader, questions: Sequence[Question], choice: str, sites: Sequence[Site]) -> View:
    """Find the autoencoder that reads one of `sites` and check it on the probed texts.

    With `auto` the sites nearest the middle of the model are asked first, as the published study did, but
    for an autoencoder that the model's own folder holds.

    Raises:
        BiaskitError: An autoencoder that was asked for by name cannot be loaded, or does not fit.
    """
    notes = ["No site that is probed can hold a sparse autoencoder."]
    failures: list[BiaskitError] = []
    for site in _preferred(reader.session.model, sites):
        try:
            found = _open(reader, questions, choice, site)
        except BiaskitError as error:
            failures.append(error)
            found = View(None, None, f"No sparse autoencoder was used at {site}: {error.what}")
        if found.autoencoder is not None:
            return found
        notes.append(found.note)
    if failures and choice != "auto":
        raise failures[0]
    return View(None, None, notes[-1])


def _open(reader: Reader, questions: Sequence[Question], choice: str, site: Site) -> View:
    model = reader.session.model
    found, note = find_autoencoder(choice, site, model.subject.name, model.folder)
    if found is None:
        return View(None, None, note)
    rows = torch.from_numpy(np.concatenate([reader.rows(question, site) for question in questions]))
    groups = [f"{question.name}/{group}" for question in questions for group in question.problem.groups]
    found = found.scaled_on(rows)
    return View(found, found.check(rows, site, groups), note)


def _preferred(model: LanguageModel, sites: Sequence[Site]) -> list[Site]:
    middle = (model.subject.layers - 1) / 2
    streams = [site for site in sites if site.kind is SiteKind.RESID_POST]
    own = {site for site in streams if model.folder and (model.folder / OWN_FOLDER / str(site)).is_dir()}
    return sorted(streams, key=lambda site: (site not in own, abs(site.layer - middle)))


def chosen_sites(model: LanguageModel, names: Sequence[str]) -> tuple[Site, ...]:
    """Return the named sites in the model's order; embedding and the stream after each block if none.

    Raises:
        RequestError: A name has not the form of a site.
        UnknownNameError: The model has no such site; near names are given.
    """
    wanted = named_sites(names, model.sites())
    for site in wanted:
        model.locate(site)
    usual = {SiteKind.EMBED, SiteKind.RESID_POST}
    return tuple(site for site in model.sites() if site in wanted or (not names and site.kind in usual))
