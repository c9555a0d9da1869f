"""From a listing of files to a set of images: headers are checked, bytes digested, nothing is decoded."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from biaskit.errors import ImageError
from biaskit.images import reading
from biaskit.images.image_set import ImageSet, Part
from biaskit.records.progress import Progress, Silent

if TYPE_CHECKING:
    from pathlib import Path

    from PIL import Image

    from biaskit.catalogue.images import ImageListing

_AT_ONCE = 1 << 20
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Files:
    """Images that lie on disk.

    Attributes:
        folder: What the names are relative to.
        names: Path of each image below the folder.
    """

    folder: Path
    names: tuple[str, ...]

    def __len__(self) -> int:
        """How many there are."""
        return len(self.names)

    def name(self, row: int) -> str:
        """Path of an image below the folder."""
        return self.names[row]

    def read(self, row: int) -> Image.Image:
        """Return an image as 8-bit RGB, decoded whole.

        Raises:
            ImageError: It cannot be read.
        """
        return reading.read(self.folder / self.names[row])


def open_listing(listing: ImageListing, progress: Progress | None = None) -> ImageSet:
    """Open the images of a listing; each file is read once, in pieces, for its header and its digest.

    The digest is SHA-256 over names, labels, all other columns and the bytes of every file.

    Raises:
        ImageError: Files are missing, are no images or too large; the first few are named.
    """
    digest = hashlib.sha256(_columns(listing).encode())
    faults: list[ImageError] = []
    for name in (progress or Silent()).track(listing.files, "checking images", len(listing.files)):
        try:
            digest.update(f"{name}\0{_digest(listing.folder / name)}\n".encode())
        except ImageError as error:
            faults.append(error)
    if faults:
        raise _joined(faults, listing)
    return ImageSet(
        name=listing.name,
        pictures=Files(listing.folder, listing.files),
        labels=listing.labels,
        parts=tuple(map(Part, listing.parts)),
        attributes=dict(listing.attributes),
        clusters=listing.clusters,
        captions=listing.captions,
        digest=digest.hexdigest(),
        source=listing.folder.resolve().name,
    )


def _columns(listing: ImageListing) -> str:
    """Return all that is said of the images, as text."""
    attributes = {name: list(cells) for name, cells in listing.attributes.items()}
    columns = [listing.labels, listing.parts, attributes, listing.clusters, listing.captions]
    return json.dumps(columns, sort_keys=True, ensure_ascii=False)


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            reading.check(stream, path)
            stream.seek(0)
            while piece := stream.read(_AT_ONCE):
                digest.update(piece)
    except OSError as error:
        raise ImageError(
            f"'{path}' cannot be read.", why=error.strerror or str(error), fix="Restore the file."
        ) from error
    return digest.hexdigest()


def _joined(faults: list[ImageError], listing: ImageListing) -> ImageError:
    if len(faults) == 1:
        return faults[0]
    shown = [f"{fault.what} {fault.why}".strip() for fault in faults[:_MOST_NAMED]]
    more = [f"… and {len(faults) - _MOST_NAMED} more"] if len(faults) > _MOST_NAMED else []
    return ImageError(
        f"{len(faults)} of the {len(listing.files)} images '{listing.name}' cannot be read.",
        why="\n".join([*shown, *more]),
        fix="Restore the files, or leave them out.",
    )
