"""The organism of images: a classifier that follows a planted shortcut, its images and a tiny CLIP."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from shutil import copytree
from typing import TYPE_CHECKING, Any

from biaskit.errors import InstrumentError, RequestError, UnknownNameError
from biaskit.images.planting import Plant, Planted
from biaskit.organisms.shapes_clip import save_clip, save_quietly, train_clip, write_preprocessing
from biaskit.organisms.shapes_subjects import BODIES
from biaskit.organisms.shapes_training import (
    FOLLOWS_FROM,
    NULL_WORST_AT_LEAST,
    STEPS,
    WORST_AT_MOST,
    SubjectRecipe,
    Took,
    measure,
    train_subject,
)
from biaskit.records.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from biaskit.images.image_set import ImageSet
    from biaskit.organisms.shapes_subjects import ShapesForImageClassification
    from biaskit.records.progress import Progress

ENCODERS = ("shipped", "trained", "biased", "none")
_SHIPPED_CLIP = Path(__file__).parent / "weights" / "shapes" / "clip"
_KINDS = {"bool": bool, "int": int, "float": float, "float | None": float, "int | None": int}
_TRUE = {"yes": True, "true": True, "no": False, "false": False}


@dataclass(frozen=True, slots=True)
class ShapesRecipe:
    """Everything that an organism of images is made from.

    Attributes:
        plant: How the images are drawn.
        subject: Architecture and schedule of the classifier.
        encoder: The text-image encoder: a copy of the `shipped` one, one newly `trained` on balanced
            images, one that is `biased` as the plant is, or `none`.
    """

    plant: Plant = field(default_factory=Plant)
    subject: SubjectRecipe = field(default_factory=SubjectRecipe)
    encoder: str = "shipped"

    @classmethod
    def from_options(
        cls, seed: int, options: Mapping[str, str | float], *, null: bool = False
    ) -> ShapesRecipe:
        """Read a recipe from options such as `{"architecture": "vit", "rho": 0.95}`; numbers may be text.

        Raises:
            UnknownNameError: There is no such option, architecture, shortcut or encoder.
            RequestError: A value is no number, or out of its range.
        """
        plant: dict[str, Any] = {"seed": seed}
        subject: dict[str, Any] = {}
        kinds = [{one.name: str(one.type) for one in fields(kind)} for kind in (Plant, SubjectRecipe)]
        for name, value in options.items():
            if name in kinds[0]:
                plant[name] = _value(name, value, kinds[0][name])
            elif name in kinds[1]:
                subject[name] = _value(name, value, kinds[1][name])
            elif name != "encoder":
                raise UnknownNameError("option", name, ["encoder", *kinds[0], *kinds[1]])
        drawn, encoder = Plant(**plant), str(options.get("encoder", "shipped"))
        _require_known(subject.get("architecture", "cnn"), encoder)
        return cls(drawn.null if null else drawn, SubjectRecipe(**subject), encoder)


def build(recipe: ShapesRecipe, out: Path, progress: Progress | None = None) -> Took:
    """Draw the images, train the classifier and write it to `out` as an ordinary model folder.

    The folder holds the classifier with its preprocessing, the text-image encoder under `clip/`, and
    `plant.json`, from which `images` draws the images again. It takes seconds of one processor core, and
    about a minute more where an encoder is trained.

    Returns:
        How well the plant took.

    Raises:
        InstrumentError: The plant did not take; nothing is written.
    """
    progress = progress or Silent()
    planted = recipe.plant.draw()
    model = train_subject(planted, recipe.subject, progress)
    took = measure(model, planted)
    require_plant(recipe.plant, took)
    _save(model, recipe, took, out)
    _write_encoder(recipe, out / "clip", progress)
    return took


def require_plant(plant: Plant, took: Took) -> None:
    """Refuse a subject that is not what its plant should make of it.

    Raises:
        InstrumentError: It does not follow the shortcut, or the null twin does not read the digit.
    """
    if took.as_planned(plant):
        return
    wanted = (
        f"With contexts that say nothing, every group must reach {NULL_WORST_AT_LEAST}"
        if plant.rho <= plant.balanced
        else f"From rho {FOLLOWS_FROM} on, the worst group must stay at or below {WORST_AT_MOST}"
    )
    raise InstrumentError(
        "The plant did not take, so nothing would be proved on this organism.",
        why=f"{wanted}. Found {took.worst:.2f}; {took.follows:.2f} of the minority follow the context.",
        fix="Build with another seed, another number of steps or a larger rho.",
    )


def read_plant(folder: Path) -> Plant:
    """Return how the images of an organism's folder are drawn.

    Raises:
        RequestError: The folder has no plant of images.
    """
    try:
        return Plant(**json.loads((folder / "plant.json").read_text(encoding="utf-8"))["plant"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RequestError(
            f"'{folder.name}' is no organism of images.",
            why=f"Its plant.json cannot be used ({type(error).__name__}: {error}).",
            fix="Build one with: biaskit organism build shapes --seed 1",
        ) from error


def draw(folder: Path) -> Planted:
    """Draw the images of an organism's folder again, bit for bit.

    Raises:
        RequestError: The folder has no plant of images.
    """
    return read_plant(folder).draw()


def images(folder: Path) -> ImageSet:
    """Return the images of an organism's folder as a set that can be audited.

    Raises:
        RequestError: The folder has no plant of images.
    """
    return replace(draw(folder).image_set(), name=folder.name)


def _save(model: ShapesForImageClassification, recipe: ShapesRecipe, took: Took, out: Path) -> None:
    save_quietly(model, out)
    write_preprocessing(out, "ViTImageProcessor")
    plant = {
        "plant": recipe.plant.as_dict(),
        "subject": asdict(recipe.subject),
        "encoder": recipe.encoder,
        "took": took._asdict(),
    }
    (out / "plant.json").write_text(json.dumps(plant, indent=1) + "\n", encoding="utf-8")


def _write_encoder(recipe: ShapesRecipe, folder: Path, progress: Progress) -> None:
    if recipe.encoder == "shipped" and _SHIPPED_CLIP.is_dir():
        copytree(_SHIPPED_CLIP, folder, dirs_exist_ok=True)
    elif recipe.encoder != "none":
        plant = recipe.plant if recipe.encoder == "biased" else None
        save_clip(train_clip(recipe.plant.seed, plant=plant, progress=progress), folder)


def _require_known(architecture: Any, encoder: str) -> None:
    if architecture not in STEPS:
        raise UnknownNameError("architecture", architecture, BODIES)
    if encoder not in ENCODERS:
        raise UnknownNameError("encoder", encoder, ENCODERS)


def _value(name: str, value: str | float, kind: str) -> Any:
    convert = _KINDS.get(kind, str)
    try:
        return _TRUE[str(value).lower()] if convert is bool else convert(value)
    except (ValueError, KeyError) as error:
        wanted = "yes or no" if convert is bool else "a number"
        raise RequestError(f"The option {name} is '{value}'; it must be {wanted}.") from error
