"""Interventions on fresh seeds: all latents together, one by one, and random ones of equal size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from biaskit.records.estimate import Null
from biaskit.stats.multiplicity import holm
from biaskit.steering.doses import Response, dose_response, respond
from biaskit.steering.making import feature_edit, of_size, random_edits

if TYPE_CHECKING:
    from biaskit.analyzers.bias_features.study import GroupStudy
    from biaskit.concepts.site_edit import SiteEdit
    from biaskit.steering.ranking import Codes, Ranking
    from biaskit.steering.trajectories import Asked

LEVEL = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Single:
    """One latent, edited by itself at the size of the edit of all.

    Attributes:
        latent: Its number.
        response: Share of the group without it and with it.
        null: McNemar's test, with Holm's correction over the latents tested.
    """

    latent: int
    response: Response
    null: Null

    @property
    def turns(self) -> bool:
        """Whether it turns images toward the group beyond chance."""
        adjusted = self.null.adjusted
        return adjusted is not None and adjusted <= LEVEL and self.response.effect(-1) > 0


@dataclass(frozen=True, slots=True, eq=False)
class Turning:
    """What edits do to the share of one group.

    Attributes:
        edit: The edit of all latents, at strength 1.
        response: Share of the group over its strengths, 0 first.
        singles: Latents by themselves.
        at: The strength that random latents are compared at.
        random: Change of the share by each random set at that strength.
    """

    edit: SiteEdit
    response: Response
    singles: tuple[Single, ...]
    at: float
    random: Float[ndarray, " draws"]

    @property
    def effect(self) -> float:
        """Change of the share by the edit at `at`."""
        return self.response.effect(self.response.strengths.index(self.at))

    @property
    def against_random(self) -> Null:
        """How many random sets move the share as far, in either direction."""
        reached = int((np.abs(self.random) >= abs(self.effect) - 1e-12).sum())
        count = len(self.random)
        return Null(
            p=(1 + reached) / (count + 1),
            kind=f"{count} random sets of as many latents, equal in size of edit",
        )


def turned(study: GroupStudy, codes: Codes, ranking: Ranking, number: int, asked: Asked) -> Turning:
    """Measure dose and response of the top latents, of some by themselves, and of random ones."""
    settings = study.settings
    chosen = ranking.top(number, settings.features)
    edit = feature_edit(study.autoencoder, codes, number, chosen)
    strengths = (0.0, *sorted(set(settings.strengths)))
    response = dose_response(study.stage, number, edit, strengths, asked)
    at = _middle(response)
    size = edit.size * at
    alone = [
        of_size(feature_edit(study.autoencoder, codes, number, [latent]), size)
        for latent in chosen[: settings.named]
    ]
    rng = study.session.rng(f"bias-features/{study.title}/random")
    others = [of_size(one, size) for one in random_edits(study.autoencoder, edit, rng, settings.random_sets)]
    tracked = study.session.progress.track([*alone, *others], "turning features", len(alone) + len(others))
    hits = np.concatenate([respond(study.stage, number, [one], asked) for one in tracked], axis=1)
    base = response.hits[:, :1]
    singles = [
        Response((0.0, at), np.concatenate([base, hits[:, [column]]], axis=1)) for column in range(len(alone))
    ]
    random = hits[:, len(alone) :].mean(axis=0) - base.mean()
    return Turning(edit, response, _tested(chosen, singles), at, random)


def _middle(response: Response) -> float:
    """The weakest strength that moves half of what there is to move, or the strongest one."""
    wanted = response.shares[0] + (1 - response.shares[0]) / 2
    reached = [one for one, share in zip(response.strengths, response.shares, strict=True) if share >= wanted]
    return min((one for one in reached if one > 0), default=response.strengths[-1])


def _tested(chosen: tuple[int, ...], responses: list[Response]) -> tuple[Single, ...]:
    nulls = [one.test(1) for one in responses]
    adjusted = holm(np.array([one.p for one in nulls])) if nulls else np.empty(0)
    said = f"Holm over {len(nulls)} latents"
    return tuple(
        Single(latent, response, null.model_copy(update={"adjusted": float(q), "correction": said}))
        for latent, response, null, q in zip(chosen, responses, nulls, adjusted, strict=False)
    )
