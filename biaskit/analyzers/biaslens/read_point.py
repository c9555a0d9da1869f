"""Where a reading looks into the model, and what the behaviour becomes when something is put there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from biaskit.hooks.edits import Replace
from biaskit.hooks.pooling import Pooling
from biaskit.records.site import Site, SiteKind, named_sites

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biaskit.protocols import LanguageModel
    from biaskit.records.prompt import Prompt


@dataclass(frozen=True, slots=True)
class ReadPoint:
    """A site and the token it is read at.

    Attributes:
        site: The site.
        pooling: `LAST` for the stem's last token, `SPAN` for the last token of what fills its slot.
    """

    site: Site
    pooling: Pooling

    def __str__(self) -> str:
        """Return the point in words, such as `resid_post.6 at the last token`."""
        return f"{self.site} at the {self.token}"

    @property
    def token(self) -> str:
        """The token in words."""
        return "last token" if self.pooling is Pooling.LAST else "token in the slot"


def residual_sites(model: LanguageModel) -> tuple[Site, ...]:
    """Return the residual stream after every block, bottom first."""
    return tuple(site for site in model.sites() if site.kind is SiteKind.RESID_POST)


def chosen_sites(model: LanguageModel, names: Sequence[str]) -> tuple[Site, ...]:
    """Return the sites of these names in the model's order; the residual stream after every block if none.

    Raises:
        RequestError: A name has not the form of a site.
        UnknownNameError: A site kind is not known, or the model has no such site; near names are given.
    """
    if not names:
        return residual_sites(model)
    wanted = named_sites(names, model.sites())
    for site in wanted:
        model.locate(site)
    return tuple(site for site in model.sites() if site in wanted)


def logprobs_with(
    model: LanguageModel,
    prompts: Sequence[Prompt],
    point: ReadPoint,
    vectors: Float[Tensor, "n d"],
    tokens: Sequence[int] | None,
) -> Float[Tensor, "n k"]:
    """Return next-token log-probabilities with `vectors` in the activation's place at `point`, in nats.

    At the last token of the last block nothing but the head lies above, so the head alone is run.
    """
    if point.pooling is Pooling.LAST and point.site == residual_sites(model)[-1]:
        return model.unembed(vectors, tokens)
    return model.next_token_logprobs(prompts, tokens, {point.site: Replace(vectors)}, edit_at=point.pooling)


def log_odds(logprobs: Float[Tensor, "n k"], first: int) -> Float[Tensor, " n"]:
    """Return logsumexp of the first `first` columns minus logsumexp of the others, float64, in nats."""
    wide = logprobs.double()
    return torch.logsumexp(wide[:, :first], 1) - torch.logsumexp(wide[:, first:], 1)
