"""Train an organism: language, tokenizer, model, proof that the plant took, and a sparse autoencoder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from biaskit import catalogue
from biaskit.concepts.sae_training import SaeTraining, TrainedOn, train
from biaskit.errors import CatalogueError, InstrumentError, UnknownNameError
from biaskit.hooks.capture import capture
from biaskit.organisms.corpus import documents
from biaskit.organisms.doses import ladders, no_doses
from biaskit.organisms.expectation import tokenize
from biaskit.organisms.language import Language
from biaskit.organisms.plant import check
from biaskit.organisms.surfaces import BIOGRAPHIES, REVIEWS
from biaskit.organisms.training import Recipe, Trainer, train_tokenizer
from biaskit.records.probe_set import ControlSet, TargetSet
from biaskit.records.progress import Silent
from biaskit.records.reading import Reading
from biaskit.records.site import Site, SiteKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

    from biaskit.organisms.expectation import Tokens
    from biaskit.organisms.language import Surfaces
    from biaskit.organisms.plant import Ladder
    from biaskit.records.progress import Progress

PLANTED = {
    "sentiment": Reading.GIVEN_TARGET,
    "gender": Reading.GIVEN_TARGET,
    "wealth": Reading.GIVEN_REFERENCE,
}
PAIRS = (*PLANTED, "insurance", "native-speaker")
FURTHER_ROUNDS = 2
SAE_ROWS = 60_000
SAE = SaeTraining(d_sae=512, k=12, steps=700)


@dataclass(frozen=True, slots=True)
class Genre:
    """What an organism's text speaks of.

    Attributes:
        target_sets: Names of the probe sets whose targets carry doses.
        surfaces: Sentences of the genre.
    """

    target_sets: tuple[str, ...]
    surfaces: Surfaces


GENRES = {
    "reviews": Genre(
        (
            "food",
            "service",
            "price",
            "ambience",
            "music",
            "acting",
            "comedy",
            "illness",
            "pain",
            "surgery",
            "mental-illness",
            "review-aspects",
        ),
        REVIEWS,
    ),
    "occupations": Genre(("winobias-occupations",), BIOGRAPHIES),
}


def build(
    name: str, *, seed: int, out: Path, null: bool = False, progress: Progress | None = None
) -> tuple[Ladder, ...]:
    """Train the organism `name` and write it to `out` as an ordinary model folder.

    The folder holds a GPT-2 with its tokenizer, a sparse autoencoder of the last residual stream under
    `saes/`, and `plant.json` with the doses and how well the behaviour follows them. It takes about three
    minutes of one processor core, and up to three times that where the plant does not take at once.

    Args:
        name: `reviews` or `occupations`.
        seed: Seed of the doses, the corpus, the weights and the batches.
        out: Folder to write; made if it is not there.
        null: Whether to build the twin in which every dose is 0.
        progress: Who is told how far the work is.

    Returns:
        How well each ladder took.

    Raises:
        UnknownNameError: There is no organism of that name.
        InstrumentError: The plant did not take; nothing is written.
    """
    if name not in GENRES:
        raise UnknownNameError("organism", name, GENRES)
    language = make_language(name, seed, null=null)
    grown = grow(language, Recipe(), seed, progress or Silent())
    if not null:
        _require_plant(grown.ladders)
    _save(grown.model, grown.tokenizer, out)
    _save_autoencoder(grown, out, f"organism:{name}")
    _save_plant(language, grown, seed, out)
    return grown.ladders


@dataclass(frozen=True, slots=True, eq=False)
class Grown:
    """A trained organism, before it is written.

    Attributes:
        model: The language model.
        tokenizer: Its tokenizer.
        tokens: The corpus it was trained on.
        recipe: Its size and schedule.
        ladders: How well each ladder took.
    """

    model: GPT2LMHeadModel
    tokenizer: PreTrainedTokenizerFast
    tokens: Tokens
    recipe: Recipe
    ladders: tuple[Ladder, ...]


def grow(language: Language, recipe: Recipe, seed: int, progress: Progress) -> Grown:
    """Train a tokenizer and a model on a planted language, and measure how well the plant took."""
    corpus = documents(language, np.random.default_rng([seed, 1]))
    tokenizer = train_tokenizer([" ".join(map(str, document)) for document in corpus], recipe)
    tokens = tokenize(corpus, tokenizer, language)
    trainer = Trainer(tokens, tokenizer, recipe, seed)

    def measure(model: GPT2LMHeadModel) -> tuple[Ladder, ...]:
        return tuple(check(model, tokenizer, language))

    planted = any(any(ladder.values()) for ladder in language.doses.values())
    if planted:
        ladders = train_until_taken(trainer, measure, progress)
    else:
        ladders = measure(trainer.train(lambda _: True, progress))
    return Grown(trainer.model, tokenizer, tokens, recipe, ladders)


def train_until_taken(
    trainer: Trainer, measure: Callable[[GPT2LMHeadModel], tuple[Ladder, ...]], progress: Progress
) -> tuple[Ladder, ...]:
    """Train one round, and at most two further ones while a ladder has not taken; return the last ladders.

    The first primer ends when the behaviour follows every ladder. Where that was too early, a further
    round takes the same model back to the primer until every ladder is fully formed.
    """

    def follows(model: GPT2LMHeadModel) -> bool:
        return all(ladder.follows for ladder in measure(model))

    def formed(model: GPT2LMHeadModel) -> bool:
        return all(ladder.formed for ladder in measure(model))

    found: tuple[Ladder, ...] = ()
    for primed in (follows, *[formed] * FURTHER_ROUNDS):
        found = measure(trainer.train(primed, progress))
        if all(ladder.took for ladder in found):
            break
    return found


def make_language(name: str, seed: int, *, null: bool = False) -> Language:
    """Return the planted language of an organism: its words, and the doses that `seed` draws."""
    genre = GENRES[name]
    sets = tuple(_target_set(one) for one in genre.target_sets)
    controls = catalogue.probe_set(sets[0].controls)
    if not isinstance(controls, ControlSet):
        raise CatalogueError(f"'{sets[0].controls}' does not hold controls.")
    targets = [target for target_set in sets for target in target_set.targets]
    draw = np.random.default_rng([seed, 0])
    doses = no_doses(targets, list(PLANTED)) if null else ladders(targets, list(PLANTED), draw)
    pairs = tuple(catalogue.reference_pair(pair) for pair in PAIRS)
    return Language(sets, controls, pairs, PLANTED, doses, genre.surfaces)


def _target_set(name: str) -> TargetSet:
    found = catalogue.probe_set(name)
    if not isinstance(found, TargetSet):
        raise CatalogueError(f"'{name}' does not hold targets.")
    return found


def _require_plant(found: Sequence[Ladder]) -> None:
    weak = [ladder for ladder in found if not ladder.took]
    if weak:
        listed = "; ".join(f"{one.pair}: rank {one.rank:.3f}, slope {one.slope:.3f}" for one in weak)
        raise InstrumentError(
            "The plant did not take, so nothing would be proved on this organism.",
            why=f"Behaviour must rank the doses at 0.97 or more, with slope 0.85 to 1.15. Found {listed}.",
            fix="Build with another seed, or with more steps.",
        )


def _save(model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


def _save_autoencoder(grown: Grown, out: Path, name: str) -> None:
    site = Site(kind=SiteKind.RESID_POST, layer=grown.recipe.layers - 1)
    trained = train(_last_residual(grown), SAE, TrainedOn(site, name, prepend_bos=True))
    trained.save(out / "saes" / str(site))


@torch.inference_mode()
def _last_residual(grown: Grown) -> Float[Tensor, "n d"]:
    """Return the last block's output over the first tokens of the corpus."""
    context = grown.recipe.context
    count = min(SAE_ROWS, len(grown.tokens.ids)) // context
    windows = torch.from_numpy(grown.tokens.ids[: count * context]).view(count, context)
    found = []
    for start in range(0, count, 128):
        with capture(grown.model, {"last": grown.model.transformer.h[-1]}, stop=True) as seen:
            grown.model(input_ids=windows[start : start + 128])
        found.append(seen["last"].flatten(0, 1))
    return torch.cat(found).clone()


def _save_plant(language: Language, grown: Grown, seed: int, out: Path) -> None:
    plant = {
        "seed": seed,
        "recipe": asdict(grown.recipe),
        "planted": {pair: str(reading) for pair, reading in language.planted.items()},
        "doses": language.doses,
        "ladders": [ladder.as_dict() for ladder in grown.ladders],
    }
    (out / "plant.json").write_text(json.dumps(plant, indent=1) + "\n", encoding="utf-8")
