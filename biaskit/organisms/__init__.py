"""Model organisms: small trained models whose bias is known because it was planted.

`folder` finds a shipped or built organism, `names` lists the shipped ones, `build` trains one, and
`images` draws the images of an organism that looks at images.
An organism is an ordinary model folder; nothing that loads or audits it knows that it is one.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biaskit.errors import RequestError, UnknownNameError

if TYPE_CHECKING:
    from biaskit.images.image_set import ImageSet
    from biaskit.records.progress import Progress

SHIPPED = Path(__file__).parent / "weights"
LANGUAGES = ("occupations", "reviews")
SHAPES = "shapes"
PORTRAITS = "portraits"
DEMO = "reviews"
_INDICES = ("config.json", "model_index.json")


def names() -> tuple[str, ...]:
    """Return the names of the shipped organisms."""
    return (*LANGUAGES, SHAPES, PORTRAITS)


def folder(name: str) -> Path:
    """Return the model folder of a shipped organism; `demo` stands for the reviews.

    Raises:
        UnknownNameError: No organism of that name is shipped.
    """
    known = DEMO if name == "demo" else name
    path = SHIPPED / known
    if known not in names() or not any((path / index).is_file() for index in _INDICES):
        raise UnknownNameError("organism", name, (*names(), "demo"))
    return path


def images(name: str | Path) -> ImageSet:
    """Draw the images of an organism again, bit for bit.

    Args:
        name: Name of a shipped organism of images, or the folder of a built one.

    Raises:
        UnknownNameError: No organism of that name is shipped.
        RequestError: The organism reads text.
    """
    place = name if isinstance(name, Path) else folder(name)
    drawn: ImageSet = import_module("biaskit.organisms.shapes").images(place)
    return drawn


def build(
    name: str,
    *,
    seed: int,
    out: Path,
    progress: Progress | None = None,
    **options: str | float,
) -> Any:
    """Train the organism `name` and write it to `out`.

    See `building.build` (language), `shapes.build` (images) and `portraits.build` (text to image).

    Args:
        name: One of `names()`.
        seed: Seed of the plant, the weights and the batches.
        out: Folder to write; made if it is not there.
        progress: Who is told how far the work is.
        options: `null=True` builds the twin without any bias. An organism of images also takes the fields
            of `Plant` and `SubjectRecipe`, such as `architecture="vit"` or `rho=0.95`.

    Returns:
        How well the plant took.

    Raises:
        UnknownNameError: There is no organism, or no option, of that name.
        RequestError: An option does not fit.
        InstrumentError: The plant did not take; nothing is written.
    """
    null = bool(options.pop("null", False))
    if name == SHAPES:
        shapes = import_module("biaskit.organisms.shapes")
        recipe = shapes.ShapesRecipe.from_options(seed, options, null=null)
        return shapes.build(recipe, out, progress)
    if name == PORTRAITS and not options:
        return import_module("biaskit.organisms.portraits").build(
            seed=seed, out=out, null=null, progress=progress
        )
    if options:
        raise RequestError(f"The organism '{name}' takes no options.", fix="Leave --option out.")
    if name not in LANGUAGES:
        raise UnknownNameError("organism", name, names())
    return import_module("biaskit.organisms.building").build(
        name, seed=seed, out=out, null=null, progress=progress
    )
