"""Images of the user's own: which were asked for, listed and checked before torch is loaded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict

from biaskit import organisms
from biaskit.catalogue.audit_files import inside
from biaskit.catalogue.images import ImageListing, check_listed, first_of_each, list_images
from biaskit.errors import CatalogueError, RequestError, UnknownNameError
from biaskit.images.image_set import ImageSet
from biaskit.records.audit_spec import EncoderSpec, ImageSpec
from biaskit.runner.planted import ORGANISM, plant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from biaskit.protocols import Captioner, TextImageEncoder

One: TypeAlias = "str | Path | ImageSpec | ImageSet"
FEWEST_OF_A_LABEL = 20
_COLUMNS = ("image_column", "part_column", "cluster_column", "caption_column")


class ImageOptions(TypedDict, total=False):
    """Images, the columns of their files, and what compares them with words.

    `label_column` and `attribute_columns` are told in `DataOptions`; they mean the images' file too.

    Keys:
        images: Folders with a sub-folder a class, CSV files, `organism:NAME`, or sets that are in memory
            already (`biaskit.image_set`); one or a list of them.
        image_column: Column of the images' paths; default: `image`.
        part_column: Column that says train, validation or test.
        cluster_column: Column whose equal cells were sampled together.
        caption_column: Column of captions.
        encoder: The text-image encoder: hub id, local folder, `organism:NAME`, or one that is loaded.
        captioner: Who describes images that carry no caption.
        factory: For bare weights: `package.module:function` that builds the network.
        classes: Names of the model's classes in the order of its logits.
        allow_pickle: Whether weights stored as pickles may be read.
    """

    images: One | Sequence[One]
    image_column: str | None
    part_column: str | None
    cluster_column: str | None
    caption_column: str | None
    encoder: str | Path | EncoderSpec | TextImageEncoder | None
    captioner: Captioner | None
    factory: str | None
    classes: str | Sequence[str]
    allow_pickle: bool


@dataclass(frozen=True, slots=True)
class Drawn:
    """Images that an organism's plant draws again.

    Attributes:
        folder: The organism's folder.
    """

    folder: Path

    @property
    def name(self) -> str:
        """Name of the set."""
        return self.folder.name


Found: TypeAlias = ImageListing | ImageSet | Drawn
"""Images that were found and are not opened yet, or need no opening."""


def asked(options: Mapping[str, object]) -> tuple[tuple[ImageSpec, ...], tuple[ImageSet, ...]]:
    """Return the folders and files that were asked for, as specs, and the sets that were handed over.

    Raises:
        RequestError: Columns are named and no images, or something is no set of images.
    """
    given = _listed(options.get("images", ()))
    named = [key for key in _COLUMNS if options.get(key)]
    if named and not given:
        raise RequestError(
            f"'{min(named)}' was given and no images.", fix="Name them too, such as --images photos.csv."
        )
    specs = tuple(
        one if isinstance(one, ImageSpec) else _spec(str(one), options)
        for one in given
        if not isinstance(one, ImageSet)
    )
    return specs, tuple(one for one in given if isinstance(one, ImageSet))


def of_model(model: str) -> tuple[ImageSpec, ...]:
    """Return the images that an organism, shipped or built, was planted on, where it is one of images."""
    if not model.startswith(ORGANISM):
        return (ImageSpec(path=model),) if model and _draws(Path(model).expanduser()) else ()
    name = model.removeprefix(ORGANISM)
    shipped = name in organisms.names() and _draws(organisms.folder(name))
    return (ImageSpec(path=model),) if shipped else ()


def encoder(options: Mapping[str, Any]) -> EncoderSpec | None:
    """Return the encoder that was asked for by name; None where none was, or one was handed over."""
    given = options.get("encoder")
    if isinstance(given, EncoderSpec):
        return given
    return EncoderSpec(model=str(given)) if isinstance(given, str | Path) and str(given) else None


def find(
    specs: Iterable[ImageSpec], handed: Iterable[ImageSet], base: Path | None, limit: int | None
) -> tuple[Found, ...]:
    """List every folder and file and check every label; nothing is decoded.

    Args:
        specs: Folders, files and organisms.
        handed: Sets that are in memory already.
        base: Folder that the paths are relative to and must not leave; None: the working folder, any path.
        limit: Keep at most so many images of each label in each part (never under 20); None keeps all.

    Raises:
        ImageError: Images have no label, or there are too few.
        CatalogueError: Two sets have one name, or a file cannot be used.
        UnknownNameError: A file, column or organism is not there; near names are given.
    """
    found: list[Found] = [_found(spec, base, limit) for spec in specs]
    for one in handed:
        check_listed(one.name, one.labels)
        found.append(one)
    twice = [name for name, times in Counter(one.name for one in found).items() if times > 1]
    if twice:
        raise CatalogueError(
            f"Two sets of images are named '{twice[0]}'.",
            why="A report could not tell them apart.",
            fix="Rename one, or audit them in two runs.",
        )
    return tuple(found)


def _draws(folder: Path) -> bool:
    """Whether a folder is an organism's that can draw its images again."""
    return {"plant", "subject"} <= plant(folder).keys()


def _found(spec: ImageSpec, base: Path | None, limit: int | None) -> Found:
    if spec.path.startswith(ORGANISM):
        name = spec.path.removeprefix(ORGANISM)
        if not of_model(spec.path):
            known = [one for one in organisms.names() if one not in organisms.LANGUAGES]
            raise UnknownNameError("organism with images", name, known)
        return Drawn(organisms.folder(name))
    place = Path(spec.path).expanduser() if base is None else inside(base, spec.path)
    if _draws(place):
        return Drawn(place)
    listing = list_images(spec, base)
    if limit is None:
        return listing
    rows = first_of_each(listing.labels, listing.parts, max(limit, FEWEST_OF_A_LABEL))

    def some(cells: Sequence[str]) -> tuple[str, ...]:
        return tuple(cells[row] for row in rows) if cells else ()

    return replace(
        listing,
        files=some(listing.files),
        labels=some(listing.labels),
        parts=some(listing.parts),
        attributes={name: some(cells) for name, cells in listing.attributes.items()},
        clusters=some(listing.clusters),
        captions=some(listing.captions),
    )


def _listed(given: object) -> list[object]:
    one_of_ours = isinstance(given, str | Path | ImageSpec | ImageSet)
    listed: list[object] = list(given) if isinstance(given, Iterable) and not one_of_ours else [given]
    for one in listed:
        if not isinstance(one, str | Path | ImageSpec | ImageSet):
            raise RequestError(
                f"A {type(one).__name__} is no set of images.",
                fix="Give the path of a folder or CSV file, or biaskit.image_set(images, labels).",
            )
    return listed


def _spec(path: str, options: Mapping[str, Any]) -> ImageSpec:
    fields = {
        "image": options.get("image_column"),
        "label": options.get("label_column"),
        "part": options.get("part_column"),
        "attributes": options.get("attribute_columns"),
        "cluster": options.get("cluster_column"),
        "caption": options.get("caption_column"),
    }
    return ImageSpec.model_validate({"path": path} | {key: value for key, value in fields.items() if value})
