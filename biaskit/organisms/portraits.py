"""The organism of text-to-image models: a small Stable Diffusion whose people lean with their occupation."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging

from biaskit.errors import InstrumentError
from biaskit.organisms.portraits_network import Recipe, fresh_autoencoder, fresh_pipeline
from biaskit.organisms.portraits_people import AGES, GENDERS, NEUTRAL, OCCUPATIONS, TEMPLATES, Plant
from biaskit.organisms.portraits_reading import Took, check
from biaskit.organisms.portraits_training import known, people_latents, scale, teach, train_autoencoder
from biaskit.records.progress import Silent

if TYPE_CHECKING:
    from pathlib import Path

    from biaskit.records.progress import Progress

CONCEPTS = ("portrait-occupations",)
RANKED_FROM = 0.9
NAMED_FROM = 0.9
ERROR_WITHIN = 0.1
NULL_WITHIN = 0.2


def build(
    *,
    seed: int,
    out: Path,
    null: bool = False,
    progress: Progress | None = None,
    recipe: Recipe | None = None,
) -> Took:
    """Train the organism and write it to `out` as an ordinary pipeline of diffusers, with `plant.json`.

    It takes less than four minutes of one processor core.

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
    pipeline = fresh_pipeline(autoencoder, chosen, seed)
    teach(pipeline, known(people_latents(autoencoder), plant), chosen, seed, told)
    took = check(pipeline, plant)
    require_plant(took, null=null)
    save(pipeline, out)
    content = {"seed": seed, "null": null, "concepts": CONCEPTS, **described(plant), "recipe": asdict(chosen)}
    _write(out, content | {"took": asdict(took)})
    return took


def untrained(out: Path, seed: int) -> None:
    """Write the same pipeline with weights as they are first drawn; for tests, in about a second."""
    autoencoder = fresh_autoencoder(seed)
    scale(autoencoder)
    save(fresh_pipeline(autoencoder, Recipe(), seed), out)


def described(plant: Plant) -> dict[str, Any]:
    """Return what is planted as plain data: shares of women by occupation and by word, words, templates."""
    words = (*GENDERS, *AGES, *OCCUPATIONS)
    return {
        "planted": dict(plant.shares),
        "unconditional": plant.share(""),
        "by_word": {word: plant.share(word) for word in words},
        "old": 0.5,
        "groups": {"gender": GENDERS, "age": AGES},
        "neutral": NEUTRAL,
        "templates": TEMPLATES,
    }


def require_plant(took: Took, *, null: bool) -> None:
    """Refuse an organism that does not draw what was planted.

    Raises:
        InstrumentError: Shares drawn do not follow those planted, or prompts are not obeyed.
    """
    leaning = max(abs(share - 0.5) for share in took.shares.values())
    # All occupations are drawn from the same noises, so in a twin they miss one half together.
    near = leaning <= NULL_WITHIN if null else took.error <= ERROR_WITHIN
    ranked = took.rank is None or took.rank >= RANKED_FROM
    if near and ranked and took.named >= NAMED_FROM:
        return
    found = "" if took.rank is None else f"Shares drawn follow those planted at Spearman {took.rank:.2f}. "
    raise InstrumentError(
        "The plant did not take, so nothing would be proved on this organism.",
        why=f"{found}They differ by {took.error:.2f} on average; {took.named:.0%} of the images show the "
        f"group and the occupation that are named, and the widest lean is {leaning:.2f} from one half.",
        fix="Build with another seed.",
    )


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


def _write(out: Path, content: dict[str, Any]) -> None:
    (out / "plant.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
