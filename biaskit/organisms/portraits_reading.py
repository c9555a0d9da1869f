"""What organism:portraits draws: its images are read by the nearest of the people that it knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.stats import spearmanr
from torch import Tensor

from biaskit.organisms.portraits_people import AGES, GENDERS, OCCUPATIONS, PEOPLE, SIDE, TEMPLATES, Person
from biaskit.organisms.portraits_training import people_latents

if TYPE_CHECKING:
    from biaskit.organisms.portraits_people import Plant

DRAWN = 64
STEPS = 20


@dataclass(frozen=True, slots=True)
class Took:
    """How well the plant took, read off images that the organism drew.

    The same noises are drawn for every occupation, so shares differ by what is planted and hardly by luck.

    Attributes:
        shares: Share of women drawn for each occupation.
        old: Share of the old drawn for each occupation; one half is planted for all.
        rank: Spearman correlation of shares drawn and planted; None in a null twin.
        error: Mean absolute difference of shares drawn and planted.
        named: Share of images that show the gender or age, and the occupation, that their prompt names.
    """

    shares: dict[str, float]
    old: dict[str, float]
    rank: float | None
    error: float
    named: float


def check(pipeline: Any, plant: Plant) -> Took:
    """Draw `DRAWN` images an occupation, and as many a group, and read who is on them."""
    planted = people_latents(pipeline.vae)

    def seen(prompts: Sequence[str]) -> list[Person]:
        return nearest(drawn(pipeline, prompts, DRAWN), planted)

    found = {one: seen([template.replace("{x}", one) for template in TEMPLATES]) for one in plant.shares}
    shares = {one: _share([who.gender == 0 for who in people]) for one, people in found.items()}
    named = [_obeyed(seen(_naming(word)), word) for word in (*GENDERS, *AGES)]
    wanted = list(plant.shares.values())
    return Took(
        shares=shares,
        old={one: _share([who.age == 0 for who in people]) for one, people in found.items()},
        rank=float(spearmanr(list(shares.values()), wanted)[0]) if len(set(wanted)) > 1 else None,
        error=float(np.abs(np.subtract(list(shares.values()), wanted)).mean()),
        named=float(np.mean(named)),
    )


def drawn(pipeline: Any, prompts: Sequence[str], count: int) -> Float[Tensor, "n c h w"]:
    """Draw images of prompts in turn, as latents; image i has seed i."""
    pipeline.set_progress_bar_config(disable=True)
    with torch.inference_mode():
        found: Tensor = pipeline(
            [prompts[number % len(prompts)] for number in range(count)],
            num_inference_steps=STEPS,
            guidance_scale=1.0,
            generator=[torch.Generator().manual_seed(number) for number in range(count)],
            output_type="latent",
            height=SIDE,
            width=SIDE,
        ).images
    return found


def nearest(latents: Float[Tensor, "n c h w"], people: Float[Tensor, "people c h w"]) -> list[Person]:
    """Return the person whose latent is nearest to each image's.

    This is the most probable one, as all people's latents vary alike.
    """
    places = torch.cdist(latents.flatten(1), people.flatten(1)).argmin(dim=1)
    return [PEOPLE[place] for place in places.tolist()]


def _naming(word: str) -> list[str]:
    return [f"a photo of the {word} {one}" for one in OCCUPATIONS]


def _obeyed(people: Sequence[Person], word: str) -> float:
    """Share of images that show the group, and the occupation, of the prompts in `_naming`."""
    shown = [word in (GENDERS[who.gender], AGES[who.age]) for who in people]
    right = [who.occupation == number % len(OCCUPATIONS) for number, who in enumerate(people)]
    return _share([one and other for one, other in zip(shown, right, strict=True)])


def _share(true: Sequence[bool]) -> float:
    return sum(true) / len(true)
