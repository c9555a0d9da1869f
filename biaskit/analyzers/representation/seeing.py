"""What is seen on images: the group of each, its caption, and whether it shows its prompt at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from biaskit.errors import RequestError, UnknownNameError

if TYPE_CHECKING:
    from biaskit.analyzers.representation.pictures import Batch
    from biaskit.protocols import AttributeClassifier
    from biaskit.records.prompt_set import GroupSet
    from biaskit.session import DiffusionSession


@dataclass(frozen=True, slots=True, eq=False)
class Reader:
    """Reads the group of each image: from a column that came with it, else by the classifier.

    Attributes:
        groups: The groups.
        classifier: Who tells them apart; None where images bring a column of the set's name.
    """

    groups: GroupSet
    classifier: AttributeClassifier | None

    def read(self, batch: Batch) -> tuple[Int[ndarray, " n"], Float[ndarray, "n k"]]:
        """Return the number of each image's group, and how probable each group is to the classifier.

        Raises:
            UnknownNameError: A column names a group that there is not.
            RequestError: There is neither a column nor a classifier.
        """
        names = tuple(self.groups.groups)
        column = batch.known.get(self.groups.name, ())
        if column and all(column):
            for cell in column:
                if cell not in names:
                    raise UnknownNameError(f"group of '{self.groups.name}'", cell, names)
            said = np.array([names.index(cell) for cell in column], dtype=np.int64)
            return said, np.eye(len(names))[said]
        if self.classifier is None:
            raise no_classifier(self.groups.name)
        columns = [self.classifier.classes.index(name) for name in names]
        rows = torch.cat([self.classifier.probabilities(part) for part in stacked(batch.pixels)])[:, columns]
        shares = (rows / rows.sum(dim=1, keepdim=True).clamp(min=1e-12)).double().numpy()
        return shares.argmax(axis=1).astype(np.int64), shares


@dataclass(eq=False)
class Seen:
    """What was seen on the images of one target so far.

    Attributes:
        target: The target.
        names: Name of each image.
        prompts: Prompt of each.
        said: By set of groups, the group of each image.
        sure: By set of groups, how probable each group is to the classifier, image by image.
        captions: Captions, where anybody gives some.
        missed: Whether each image shows its prompt less than a blank text, where there is an encoder.
        embedded: Embeddings of the images, where there is an encoder.
        kept: Pixels of the first images, to be shown.
        latents: What was denoised, where it is wanted later.
    """

    target: str
    names: list[str] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)
    said: dict[str, list[int]] = field(default_factory=dict)
    sure: dict[str, list[list[float]]] = field(default_factory=dict)
    captions: list[str] = field(default_factory=list)
    missed: list[bool] = field(default_factory=list)
    embedded: list[Float[Tensor, "n d"]] = field(default_factory=list)
    kept: list[Float[Tensor, "rgb _ _"]] = field(default_factory=list)
    latents: list[Float[Tensor, "n c h w"]] = field(default_factory=list)

    def __len__(self) -> int:
        """How many images there are."""
        return len(self.names)

    def counts(self, groups: GroupSet) -> Int[ndarray, " k"]:
        """Return how many images show each group."""
        return np.bincount(np.array(self.said[groups.name], dtype=np.int64), minlength=len(groups.groups))


@dataclass(frozen=True, slots=True, eq=False)
class Eyes:
    """Everyone who looks at images.

    Attributes:
        session: Encoder and captioner.
        readers: Who reads each set of groups.
        shown: Images a target whose pixels are kept.
        latents: Whether latents are kept.
    """

    session: DiffusionSession
    readers: tuple[Reader, ...]
    shown: int = 0
    latents: bool = False

    def look(self, batch: Batch, seen: Seen) -> None:
        """Add a batch to what was seen of a target; pixels are let go but for the first few."""
        for reader in self.readers:
            said, sure = reader.read(batch)
            seen.said.setdefault(reader.groups.name, []).extend(said.tolist())
            seen.sure.setdefault(reader.groups.name, []).extend(sure.tolist())
        seen.captions.extend(self._captions(batch))
        self._compare(batch, seen)
        seen.names.extend(batch.names)
        seen.prompts.extend(batch.prompts)
        seen.kept.extend(batch.pixels[: max(0, self.shown - len(seen.kept))])
        if self.latents and batch.latents is not None:
            seen.latents.append(batch.latents)

    def _captions(self, batch: Batch) -> Sequence[str]:
        if batch.captions and all(batch.captions):
            return batch.captions
        if self.session.captioner is None:
            return ()
        parts = stacked(batch.pixels)
        return [said for part in parts for said in self.session.captioner.caption(part)]

    def _compare(self, batch: Batch, seen: Seen) -> None:
        """Embed images, and tell whether a blank text is nearer to each than its prompt."""
        encoder = self.session.encoder
        if encoder is None:
            return
        rows = torch.cat([encoder.encode_images(part) for part in stacked(batch.pixels)])
        own = (rows * encoder.encode_texts(list(batch.prompts))).sum(dim=1)
        blank = rows @ encoder.encode_texts([" "])[0]
        seen.missed.extend(bool(one) for one in own < blank)
        seen.embedded.append(rows)


def stacked(pixels: Sequence[Float[Tensor, "rgb _ _"]]) -> list[Float[Tensor, "n rgb y x"]]:
    """Put images of one size in one batch; images that differ in size come one by one, in their order."""
    if len({tuple(one.shape) for one in pixels}) == 1:
        return [torch.stack(list(pixels))]
    return [one[None] for one in pixels]


def no_classifier(groups: str) -> RequestError:
    """Return the error of a run in which nobody tells groups apart."""
    return RequestError(
        f"Nobody tells the groups of '{groups}' apart.",
        why="No classifier was named, and no column of the images has the set's name.",
        fix="Name an encoder or image classifier, such as --classifier openai/clip-vit-base-patch32, or give "
        f"images with a column '{groups}' (--attribute-column).",
    )
