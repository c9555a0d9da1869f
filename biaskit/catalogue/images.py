"""Lists a user's own images with their labels; nothing is decoded, and torch is not needed."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from biaskit.catalogue.audit_files import inside
from biaskit.catalogue.tables import columns_there, filled, numbers, rows_of
from biaskit.errors import ImageError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from biaskit.records.audit_spec import ImageSpec

FEWEST_IMAGES = 20
ENDINGS = frozenset(
    {".avif", ".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".pgm", ".png", ".pnm", ".ppm", ".tif"}
    | {".tiff", ".webp"}
)
PARTS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
"""What a part may be called, and what it is."""

_COLUMNS = "Name the columns: --image-column, --label-column, --part-column, --attribute-column."
_LAYOUT = "Make one sub-folder a class, or give a CSV file with the columns 'image' and 'label'."


@dataclass(frozen=True, slots=True)
class ImageListing:
    """Which images there are and what is said of each, one entry a row.

    Attributes:
        name: Name of the set: of its folder, or its CSV file's stem.
        folder: What the files' names are relative to.
        files: Path of each image below the folder, parts joined by `/`.
        labels: The true class of each.
        parts: `train`, `validation` or `test`; empty where nothing is fixed.
        attributes: Attributes by name; an empty cell is missing.
        clusters: Rows that were sampled together; empty: each alone.
        captions: One sentence each; empty where there are none.
        remarks: What was left out, one sentence each.
    """

    name: str
    folder: Path
    files: tuple[str, ...]
    labels: tuple[str, ...]
    parts: tuple[str, ...] = ()
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    clusters: tuple[str, ...] = ()
    captions: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def list_images(spec: ImageSpec, base: Path | None = None) -> ImageListing:
    """List the images of a folder or of a CSV file, in the order of their names or rows.

    Args:
        spec: The folder, with a sub-folder a class (or `train`, `validation` and `test` that hold them), or
            the CSV file and its columns.
        base: Folder that paths are relative to and must not leave, those in a CSV file too; None: the
            working folder, and any path.

    Raises:
        ImageError: There is nothing to list, images have no label, or cells cannot be used.
        UnknownNameError: The path or a column is not there; near names are given.
        CatalogueError: The CSV file cannot be read, or a path leaves the folder.
    """
    path = Path(spec.path).expanduser() if base is None else inside(base, spec.path)
    if not path.exists():
        beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        fix = f"It is looked for in '{path.parent}'."
        raise UnknownNameError("folder or CSV file of images", path.name, beside, fix=fix)
    found = _of_folder(path, spec, base) if path.is_dir() else _of_table(path, spec, base)
    check_listed(found.name, found.labels)
    return found


def check_listed(name: str, labels: Sequence[str]) -> None:
    """Refuse a set of images in which nothing can be told apart.

    Raises:
        ImageError: There are fewer than `FEWEST_IMAGES`, a label is empty, or there is one class alone.
    """
    empty = [row for row, label in enumerate(labels, 1) if not label.strip()]
    if empty:
        raise ImageError(f"The images '{name}' have no label in {numbers(empty)}.", fix="Fill in the labels.")
    if len(labels) < FEWEST_IMAGES:
        raise ImageError(
            f"There are {len(labels)} images in '{name}', and at least {FEWEST_IMAGES} are needed.",
            why="With fewer no slice can be told from chance.",
            fix="Give more images.",
        )
    if len(set(labels)) == 1:
        raise ImageError(
            f"All images in '{name}' have one class, '{labels[0]}'.",
            why="What a model confuses shows only where there are two or more.",
            fix="Give images of at least two classes.",
        )


def check_classes(name: str, labels: Iterable[str], classes: Sequence[str]) -> None:
    """Refuse labels that the model has no class for.

    Raises:
        UnknownNameError: A label is none of the classes; near ones are given, and one that differs in case
            alone is said.
    """
    unknown = sorted(set(labels) - set(classes))
    if not unknown:
        return
    lower = {known.lower(): known for known in classes}
    twin = lower.get(unknown[0].lower())
    more = f" {len(unknown)} labels of '{name}' are unknown." if len(unknown) > 1 else ""
    case = f"'{unknown[0]}' and '{twin}' differ in case alone. " if twin else ""
    fix = f"{case}Name sub-folders or labels as the model's classes are, or name the classes with --classes."
    raise UnknownNameError("class of the model", unknown[0], classes, fix=f"{fix}{more}")


def first_of_each(labels: Sequence[str], parts: Sequence[str], most: int) -> tuple[int, ...]:
    """Return the first `most` rows of each label in each part."""
    seen: Counter[tuple[str, str]] = Counter()
    kept = []
    for row, label in enumerate(labels):
        key = (label, parts[row] if parts else "")
        seen[key] += 1
        if seen[key] <= most:
            kept.append(row)
    return tuple(kept)


def _of_folder(path: Path, spec: ImageSpec, base: Path | None) -> ImageListing:
    named = [key for key in ("part", "attributes", "cluster", "caption") if getattr(spec, key)]
    if named:
        raise ImageError(
            f"'{path}' is a folder, which has no columns, and '{named[0]}' names one.",
            fix="List the images in a CSV file and give that instead.",
        )
    files, others = _walk(path, base)
    depth = 2 if _has_parts(files) else 1
    loose = [name for name in files if name.count("/") < depth]
    if loose or not files:
        problem = f"{len(loose)} images in '{path}' lie in no class" if loose else f"'{path}' holds no images"
        raise ImageError(f"{problem}.", why=f"Such as '{loose[0]}'." if loose else _seen(others), fix=_LAYOUT)
    steps = [name.split("/") for name in files]
    return ImageListing(
        name=path.resolve().name,
        folder=path,
        files=tuple(files),
        labels=tuple(step[depth - 1] for step in steps),
        parts=tuple(PARTS[step[0].lower()] for step in steps) if depth > 1 else (),
        remarks=(f"Left out of '{path.name}', no images: {_seen(others)}",) if others else (),
    )


def _walk(path: Path, base: Path | None) -> tuple[list[str], list[str]]:
    """Return the images and the other files below a folder, sorted; what is hidden is passed over.

    Links are followed, none twice, and with a `base` none that leaves it.
    """
    found, been = [], {path.resolve()}
    for place, folders, names in os.walk(path, followlinks=True):
        here = Path(place)
        shown = [name for name in names if not name.startswith(".")]
        targets = {name: (here / name).resolve() for name in folders if not name.startswith(".")}
        folders[:] = [name for name, target in targets.items() if target not in been]
        been.update(targets.values())
        for name in (*folders, *shown) if base is not None else ():
            inside(path, (here / name).relative_to(path).as_posix())
        found += [(here / name).relative_to(path).as_posix() for name in shown]
    images = [name for name in found if Path(name).suffix.lower() in ENDINGS]
    return sorted(images), sorted(set(found) - set(images))


def _has_parts(files: Sequence[str]) -> bool:
    """Tell whether the folders right below are `train`, `test` and the like, with the classes in them."""
    tops = {name.split("/")[0].lower() for name in files}
    return bool(files) and tops <= PARTS.keys() and any(name.count("/") > 1 for name in files)


def _seen(others: Sequence[str]) -> str:
    if not others:
        return "It is empty."
    kinds = Counter(Path(name).suffix.lower() or "no ending" for name in others)
    return ", ".join(f"{count} with {ending}" for ending, count in kinds.most_common(4)) + "."


def _of_table(path: Path, spec: ImageSpec, base: Path | None) -> ImageListing:
    header, rows = rows_of(path)
    extra = (*filter(None, (spec.part, spec.cluster, spec.caption)), *spec.attributes)
    wanted = (spec.image, spec.label, *extra)
    columns_there(path, header, wanted, _COLUMNS)
    table = {name: tuple(cells[header.index(name)].strip() for cells in rows.values()) for name in wanted}
    for name in extra:
        filled(f"'{path}'", name, table[name])
    numbered = list(rows)
    _all_there(path, spec.label, dict(zip(numbered, table[spec.label], strict=True)))
    files = dict(zip(numbered, table[spec.image], strict=True))
    _all_there(path, spec.image, files)
    if spec.part:
        _all_there(path, spec.part, dict(zip(numbered, table[spec.part], strict=True)))
    return ImageListing(
        name=path.stem,
        folder=path.parent,
        files=_files(path, files, base),
        labels=table[spec.label],
        parts=_parts(path, dict(zip(numbered, table[spec.part], strict=True))) if spec.part else (),
        attributes={name: table[name] for name in spec.attributes},
        clusters=table[spec.cluster] if spec.cluster else (),
        captions=table[spec.caption] if spec.caption else (),
    )


def _all_there(path: Path, column: str, cells: Mapping[int, str]) -> None:
    empty = [row for row, cell in cells.items() if not cell]
    if empty:
        raise ImageError(
            f"'{path}' has no {column} in {numbers(empty)}.",
            fix="Fill the cells in, or take the rows out.",
        )


def _files(path: Path, cells: Mapping[int, str], base: Path | None) -> tuple[str, ...]:
    """Check that every image is there, below `base` where there is one, and there once."""
    if base is not None:
        for name in cells.values():
            inside(base, (path.parent.relative_to(base.resolve()) / name).as_posix() if name else name)
    lost = [row for row, name in cells.items() if not (path.parent / name).is_file()]
    if lost:
        raise ImageError(
            f"{len(lost)} of the {len(cells)} images that '{path}' names are not there.",
            why=f"Such as '{cells[lost[0]]}' in row {lost[0]}; it is looked for in '{path.parent}'.",
            fix="Write the paths relative to the CSV file.",
        )
    seen: dict[str, int] = {}
    for row, name in cells.items():
        if name in seen:
            raise ImageError(
                f"'{path}' names the image '{name}' twice, in rows {seen[name]} and {row}.",
                why="One image in two parts would be tested on what it was fitted on.",
                fix="Name each image once.",
            )
        seen[name] = row
    return tuple(cells.values())


def _parts(path: Path, cells: Mapping[int, str]) -> tuple[str, ...]:
    for row, cell in cells.items():
        if cell.lower() not in PARTS:
            fix = f"Row {row} of '{path}': write train, validation or test."
            raise UnknownNameError("part", cell, PARTS, fix=fix)
    return tuple(PARTS[cell.lower()] for cell in cells.values())
