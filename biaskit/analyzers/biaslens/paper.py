"""Preset `paper`: BiasLens as published (arXiv 2505.15524v1, sections 3.1 to 3.2), to the letter.

1. A CAV for each concept and layer: logistic regression, scikit-learn's defaults, on last-token
   activations of sentences with and without the concept; v = w / ||w||.
2. A neutral prompt is steered at every layer in turn: while sigmoid(w . a + b) < tau, a <- a + delta v.
3. The last layer's activation before and after goes through the autoencoder's encoder;
   C = Norm(z_steered) - Norm(z_original).
4. S = | cos(C_target, C_first) - cos(C_target, C_second) |: unsigned, 0 to 2.

The publication leaves open what Norm is, which positions are steered and which texts are the negatives of a
reference; these are settings. A prompt that is past tau at every layer is not steered: the score is then
missing and says so, where a zero would read as "no bias".
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from biaskit.analyzers.biaslens.axes import fit_without_warning
from biaskit.analyzers.biaslens.read_point import residual_sites
from biaskit.concepts.cav import CavFitter
from biaskit.hooks.pooling import Pooling
from biaskit.records.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from biaskit.hooks.edits import Rows
    from biaskit.records.probe_set import Example
    from biaskit.records.site import Site
    from biaskit.session import Session

Norm = Literal["l2", "l1", "max"]
Positions = Literal["position", "all"]
Encoder: TypeAlias = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class PaperSettings:
    """The choices of the published recipe, the unstated ones included.

    Attributes:
        prompt: The neutral steering prompt.
        tau: Probability at which steering stops.
        delta: Length of one step.
        norm: What Norm divides by.
        positions: `position` steers the last token, `all` every token of the prompt.
    """

    prompt: str
    tau: float = 0.999
    delta: float = 1.0
    norm: Norm = "l2"
    positions: Positions = "position"


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """A logistic probe at one layer: its weights, its bias, and whether the solver came to an end."""

    weight: Float[Tensor, " d"]
    bias: float
    converged: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Steer:
    """The edit of step 2: move along v until the probe says tau.

    The closed form of the loop: k = max(0, ceil((logit tau - (w . a + b)) / (delta ||w||))) steps.

    Attributes:
        probe: The layer's probe.
        settings: tau, delta and the positions.
        steps: Filled with the number of steps that were taken.
    """

    probe: Probe
    settings: PaperSettings
    steps: list[int]

    def __call__(self, activation: Float[Tensor, "b t d"], rows: Rows) -> Float[Tensor, "b t d"]:
        """Return the steered activation; the one given is not written to."""
        wide = activation.double()
        norm = self.probe.weight.norm()
        logits = wide @ self.probe.weight.to(wide) + self.probe.bias
        tau = self.settings.tau
        missing = math.log(tau / (1 - tau)) - logits
        count = torch.ceil(missing / (self.settings.delta * norm)).clamp(min=0)
        count = count * self._where(activation, rows)
        self.steps.append(int(count.sum()))
        moved: Tensor = wide + count[..., None] * self.settings.delta * (self.probe.weight / norm).to(wide)
        return moved.to(activation.dtype)

    def _where(self, activation: Float[Tensor, "b t d"], rows: Rows) -> Float[Tensor, "b t"]:
        if self.settings.positions == "all":
            return rows.mask.to(activation.device).double()
        at = torch.zeros(activation.shape[:2], dtype=torch.float64, device=activation.device)
        at[torch.arange(len(at)), rows.position.to(activation.device)] = 1.0
        return at


def fit_probes(
    session: Session, positives: Sequence[Example], negatives: Sequence[Example]
) -> dict[Site, Probe]:
    """Fit step 1 at every layer, last token, scikit-learn's defaults on raw activations.

    Nothing is held out, because the recipe uses no held-out number.
    """
    sites = residual_sites(session.model)
    examples = [*positives, *negatives]
    found = session.activations([Prompt(e.text, e.span) for e in examples], sites, Pooling.LAST)
    labels = torch.cat([torch.ones(len(positives)), torch.zeros(len(negatives))])
    fitter = replace(CavFitter.paper(session.seed), folds=1)
    groups = [example.filler for example in examples]
    fits = {site: fit_without_warning(fitter, found[site], labels, groups) for site in sites}
    return {site: Probe(fit.weight, fit.bias, fit.converged) for site, fit in fits.items()}


def concept_vector(
    session: Session, probes: Mapping[Site, Probe], encode: Encoder, settings: PaperSettings
) -> Float[Tensor, " s"] | None:
    """Return C of step 3 in float64, or None where the prompt is past tau at every layer."""
    last = residual_sites(session.model)[-1]
    steps: list[int] = []
    edits = {site: Steer(probe, settings, steps) for site, probe in probes.items()}
    prompt = [Prompt(settings.prompt)]
    original = session.model.activations(prompt, [last])[last]
    steered = session.model.activations(prompt, [last], Pooling.LAST, edits)[last]
    if not sum(steps):
        return None
    before, after = encode(original)[0].double(), encode(steered)[0].double()
    return normalised(after, settings.norm) - normalised(before, settings.norm)


def normalised(latents: Float[Tensor, " s"], norm: Norm) -> Float[Tensor, " s"]:
    """Divide by the L2 norm, the L1 norm or the largest absolute value; zeros stay zeros."""
    order = {"l2": 2.0, "l1": 1.0, "max": math.inf}[norm]
    size = torch.linalg.vector_norm(latents, ord=order)
    return latents / size if size > 0 else latents


def score(
    target: Float[Tensor, " s"], first: Float[Tensor, " s"], second: Float[Tensor, " s"]
) -> float | None:
    """Return step 4, | cos(C_t, C_1) - cos(C_t, C_2) |, or None where one of them is all zeros."""
    if not all(vector.norm() > 0 for vector in (target, first, second)):
        return None
    one, other = (torch.nn.functional.cosine_similarity(target, pole, dim=0) for pole in (first, second))
    return float(abs(one - other))


def by_latent(
    target: Float[Tensor, " s"], first: Float[Tensor, " s"], second: Float[Tensor, " s"]
) -> dict[int, float]:
    """Return what each latent adds to step 4, `t_i (u_i - v_i)` of the vectors at length one.

    The sign is that of the whole, so that the sum over latents is the score; those that add 0 are left out.
    """
    own, one, other = (vector / vector.norm() for vector in (target, first, second))
    added = own * (one - other)
    added = added * torch.sign(added.sum())
    return {latent: float(added[latent]) for latent in added.nonzero().flatten().tolist()}
