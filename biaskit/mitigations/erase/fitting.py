"""Fitting a change at each site on the fitted units alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from torch import Tensor

from biaskit.concepts.erasure import InlpFitter, LeaceFitter, mean_projection
from biaskit.concepts.feature_reader import FeatureReader
from biaskit.concepts.sae_source import find_autoencoder
from biaskit.concepts.sparse_autoencoder import SparseAutoencoder
from biaskit.errors import RequestError
from biaskit.mitigations.erase.behaviour import Behaviour, neutral_prompts
from biaskit.mitigations.erase.changes import Ablating, Adding, Change, Erasing
from biaskit.mitigations.erase.remedy import edits_of

if TYPE_CHECKING:
    from biaskit.mitigations.erase.units import Units
    from biaskit.protocols import LanguageModel
    from biaskit.records.site import Site

NEUTRAL_ROWS = 512


@dataclass(frozen=True, slots=True)
class How:
    """How a change is fitted.

    Attributes:
        method: Name of the method.
        shrinkage: Of LEACE's covariance, 0 to 1.
        iterations: Most directions that INLP takes away.
        latents: How many latents are ablated.
        autoencoder: `auto`, a folder, or `release:id` of sae-lens's catalogue.
        seed: Seed of neutral sentences and folds.
    """

    method: str
    shrinkage: float
    iterations: int
    latents: int
    autoencoder: str
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What a change is fitted on at one site.

    Attributes:
        rows: Activations of the prompts, then of neutral text.
        concept: What is to be erased of each row, with mean 0 over the prompts; 0 for neutral text.
        owners: Word of each prompt: the targets' or poles' words first, then the neutral ones.
        words: How many of the words are the targets' or the poles'.
        autoencoder: Opens the autoencoder of the site.
    """

    rows: Float[Tensor, "n d"]
    concept: Float[Tensor, " n"]
    owners: Int[ndarray, " p"]
    words: int
    autoencoder: Callable[[], SparseAutoencoder]


class Fitting:
    """Fits changes to some units; what is read of the model is read once, however often labels are shuffled.

    The neutral text counts as showing nothing of the concept, so that what is read of it is small and it is
    left nearly as it was.

    Args:
        behaviour: The reading that says what is to be erased.
        units: What the changes are fitted on.
        how: The method and its settings.
    """

    def __init__(self, behaviour: Behaviour, units: Units, how: How) -> None:
        self._model, self._how = behaviour.model, how
        self._owners, self._words = behaviour.owners(units), behaviour.spoken(units)
        self._concept = behaviour.concept(units)
        neutral, _ = neutral_prompts(units, np.random.default_rng(how.seed), NEUTRAL_ROWS)
        self._prompts, self._neutral = [*behaviour.prompts(units), *neutral], len(neutral)
        self._plain: dict[Site, Float[Tensor, "n d"]] = {}

    def changes(
        self, sites: Sequence[Site], shuffle: np.random.Generator | None = None, how: How | None = None
    ) -> dict[Site, Change]:
        """Fit one change a site, each with the changes below it in force.

        Args:
            sites: Where they act, bottom first.
            shuffle: Where given, words trade their concept values first: the null of the fit.
            how: Other settings of the fit, of the same seed.

        Raises:
            RequestError: No row goes with the concept, or a method cannot use the rows.
        """
        concept = self._concept if shuffle is None else _traded(self._concept, self._owners, shuffle)
        told = torch.from_numpy(np.concatenate([concept - concept.mean(), np.zeros(self._neutral)]))
        how = how or self._how
        changes: dict[Site, Change] = {}
        for site in sites:
            opened = _opener(self._model, site, how.autoencoder)
            material = Material(self._rows(site, changes), told, self._owners, self._words, opened)
            changes[site] = METHODS[how.method](material, how)
        return changes

    def _rows(self, site: Site, below: Mapping[Site, Change]) -> Float[Tensor, "n d"]:
        if below:
            return self._model.activations(self._prompts, [site], edits=edits_of(below, 1.0))[site].double()
        if site not in self._plain:
            self._plain[site] = self._model.activations(self._prompts, [site])[site].double()
        return self._plain[site]


def _traded(
    concept: Float[ndarray, " n"], owners: Int[ndarray, " n"], rng: np.random.Generator
) -> Float[ndarray, " n"]:
    """Give every word the values of another word, in all stems the same one."""
    table = concept.reshape(-1, int(owners.max()) + 1)
    traded: Float[ndarray, " n"] = table[:, rng.permutation(table.shape[1])].ravel()
    return traded


def two_classes(
    concept: Float[ndarray, " n"], owners: Int[ndarray, " n"], words: int
) -> tuple[Bool[ndarray, " n"], Bool[ndarray, " n"]]:
    """Return which rows a classifier is shown, and their labels: what its word leans to.

    Where at least a quarter of the words (numbers below `words`) lean to each side, words that lean to one
    side are told from those that lean to the other, and neutral words are not shown. Where nearly all lean
    one way, they are told from the neutral words.
    """
    sums, sizes = np.bincount(owners, weights=concept), np.bincount(owners)
    means = sums / np.maximum(sizes, 1)
    positive = means[:words] > 0
    if min(positive.sum(), (~positive).sum()) >= words / 4:
        return owners < words, (means > 0)[owners]
    return owners < len(means), owners < words


def _mean_projection(material: Material, how: How) -> Change:  # noqa: ARG001 - one signature for all
    """Take away the direction along which activations go with the concept: sum_i z_i (h_i - m)."""
    mean = material.rows.mean(dim=0)
    return Erasing.of(mean_projection((material.concept @ (material.rows - mean))[None], mean))


def _leace(material: Material, how: How) -> Change:
    return Erasing.of(LeaceFitter(how.shrinkage).update(material.rows, material.concept).fit())


def _inlp(material: Material, how: How) -> Change:
    rows, high, owners = _classified(material)
    fitter = InlpFitter(iterations=how.iterations, seed=how.seed)
    return Erasing.of(fitter.fit(rows, torch.from_numpy(high).long(), owners).eraser)


def _activation_addition(material: Material, how: How) -> Change:  # noqa: ARG001 - one signature for all
    """Add half the way from the mean of one class to that of the other (Turner et al. 2023)."""
    rows, high, _ = _classified(material)
    step = rows[torch.from_numpy(~high)].mean(dim=0) - rows[torch.from_numpy(high)].mean(dim=0)
    return Adding((step / 2).float())


def _classified(
    material: Material,
) -> tuple[Float[Tensor, "k d"], Bool[ndarray, " k"], Int[ndarray, " k"]]:
    """Return the prompts' rows that a classifier is shown, their labels and their words."""
    count = len(material.owners)
    shown, high = two_classes(material.concept[:count].numpy(), material.owners, material.words)
    return material.rows[:count][torch.from_numpy(shown)], high[shown], material.owners[shown]


def _sae_ablation(material: Material, how: How) -> Change:
    """Ablate the latents that carry most of the covariance with the concept: |cov(z_f, c)| |d_f|."""
    sae = material.autoencoder().scaled_on(material.rows.float())
    codes = sae.encode(material.rows.float()).double()
    covariance = (codes - codes.mean(dim=0)).T @ material.concept / len(codes)
    weight = covariance.abs() * sae.dictionary.double().norm(dim=1)
    best = weight.argsort(descending=True, stable=True)[: how.latents]
    chosen = [int(latent) for latent in best if weight[latent] > 0]
    if not chosen:
        raise RequestError("No latent of the autoencoder goes with the concept.", fix="Try another site.")
    return Ablating(FeatureReader.of(sae, chosen), sae.dictionary[chosen].contiguous())


def _opener(model: LanguageModel, site: Site, choice: str) -> Callable[[], SparseAutoencoder]:
    def opened() -> SparseAutoencoder:
        found, note = find_autoencoder(choice, site, model.subject.name, model.folder)
        if found is None:
            raise RequestError("The remedy needs a sparse autoencoder.", why=note, fix="Name one or a site.")
        return found

    return opened


METHODS: dict[str, Callable[[Material, How], Change]] = {
    "mean-projection": _mean_projection,
    "leace": _leace,
    "inlp": _inlp,
    "activation-addition": _activation_addition,
    "sae-ablation": _sae_ablation,
}
