"""The organism of text-to-image models: a small Stable Diffusion whose people lean with their occupation."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from diffusers.utils import logging as diffusers_logging
from scipy.stats import spearmanr
from transformers.utils import logging as transformers_logging

from biaskit.errors import InstrumentError
from biaskit.organisms.portraits_people import GENDERS, OCCUPATIONS, PEOPLE, TEMPLATES, Plant
from biaskit.organisms.portraits_training import (
    Recipe,
    Trainer,
    known,
    people_latents,
    train_autoencoder,
    untrained,
)
from biaskit.records.progress import Silent

if TYPE_CHECKING:
    from pathlib import Path

    from jaxtyping import Float
    from torch import Tensor

    from biaskit.records.progress import Progress

CONCEPTS = ("portrait-occupations",)
DRAWN = 64
STEPS = 20
RANKED_FROM = 0.9
NAMED_FROM = 0.95
NULL_WITHIN = 0.2


@dataclass(frozen=True, slots=True)
class Took:
    """How well the plant took, read off images that the organism drew.

    Attributes:
        shares: Share of women drawn for each occupation.
        rank: Spearman correlation of shares drawn and planted; None in a null twin.
        named: Share of images that show the gender their prompt names.
    """

    shares: dict[str, float]
    rank: float | None
    named: float


def build(
    *,
    seed: int,
    out: Path,
    null: bool = False,
    progress: Progress | None = None,
    recipe: Recipe | None = None,
) -> Took:
    """Train the organism and write it to `out` as an ordinary pipeline of diffusers, with `plant.json`.

    It takes about four minutes of one processor core.

    Args:
        seed: Seed of the plant, the weights and the batches.
        out: Folder to write; made if it is not there.
        null: Whether to build the twin in which every share is one half.
        progress: Who is told how far the work is.
        recipe: Size and schedule; the default one where it is None.

    Returns:
        How well the plant took.

    Raises:
        InstrumentError: It did not take; nothing is written.
    """
    chosen, told = recipe or Recipe(), progress or Silent()
    plant = Plant.of(seed, null=null)
    autoencoder = train_autoencoder(chosen, seed, told)
    pipeline = untrained(autoencoder, chosen, seed)
    Trainer(pipeline, known(people_latents(autoencoder), plant), chosen, seed).train(told)
    took = check(pipeline, plant)
    require_plant(took, null=null)
    save(pipeline, out)
    content = {
        "seed": seed,
        "null": null,
        "concepts": CONCEPTS,
        "planted": dict(plant.shares),
        **asdict(took),
    }
    (out / "plant.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return took


def require_plant(took: Took, *, null: bool) -> None:
    """Refuse an organism that does not draw what was planted.

    Raises:
        InstrumentError: Shares drawn do not follow those planted, or prompts are not obeyed.
    """
    leaning = max(abs(share - 0.5) for share in took.shares.values())
    flat = not null or leaning <= NULL_WITHIN
    ranked = took.rank is None or took.rank >= RANKED_FROM
    if flat and ranked and took.named >= NAMED_FROM:
        return
    found = "" if took.rank is None else f"Shares drawn follow those planted at Spearman {took.rank:.2f}; "
    raise InstrumentError(
        "The plant did not take, so nothing would be proved on this organism.",
        why=f"{found}{took.named:.0%} of the images show the gender that is named, and the widest lean is "
        f"{leaning:.2f} from one half.",
        fix="Build with another seed.",
    )


def check(pipeline: Any, plant: Plant) -> Took:
    """Draw `DRAWN` images an occupation and tell women from men by the nearest person."""
    planted = people_latents(pipeline.vae)
    texts = {one: [template.replace("{x}", one) for template in TEMPLATES] for one in OCCUPATIONS}
    shares = {one: women(drawn(pipeline, said, DRAWN), planted) for one, said in texts.items()}
    named = []
    for number, gender in enumerate(GENDERS):
        said = [f"a photo of the {gender} {one}" for one in OCCUPATIONS]
        share = women(drawn(pipeline, said, 3 * len(said)), planted)
        named.append(share if number == 0 else 1 - share)
    flat = len(set(plant.shares.values())) == 1
    rank = (
        None
        if flat
        else float(spearmanr([shares[one] for one in plant.shares], list(plant.shares.values()))[0])
    )
    return Took(shares=shares, rank=rank, named=sum(named) / 2)


def drawn(pipeline: Any, prompts: list[str], count: int) -> Float[Tensor, "n c h w"]:
    """Draw images of prompts in turn, as latents; image i has seed i."""
    pipeline.set_progress_bar_config(disable=True)
    with torch.inference_mode():
        found: Tensor = pipeline(
            [prompts[number % len(prompts)] for number in range(count)],
            num_inference_steps=STEPS,
            guidance_scale=1.0,
            generator=[torch.Generator().manual_seed(number) for number in range(count)],
            output_type="latent",
            height=16,
            width=16,
        ).images
    return found


def women(latents: Float[Tensor, "n c h w"], people: Float[Tensor, "people c h w"]) -> float:
    """Return the share of images whose nearest person is a woman."""
    nearest = torch.cdist(latents.flatten(1), people.flatten(1)).argmin(dim=1)
    found = [PEOPLE[one].gender == 0 for one in nearest.tolist()]
    return sum(found) / len(found)


def save(pipeline: Any, out: Path) -> None:
    """Write a pipeline in safetensors."""
    before = diffusers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    diffusers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        pipeline.save_pretrained(out)
    finally:
        diffusers_logging.set_verbosity(before[0])
        if before[1]:
            transformers_logging.enable_progress_bar()
