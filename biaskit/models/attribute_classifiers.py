"""Who tells a group from an image: a zero-shot encoder or an image classifier whose classes are mapped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate, normalize

from biaskit.errors import RequestError, TextTooLongError, UnknownNameError
from biaskit.models.fingerprint import of_texts
from biaskit.models.spelling import in_memory
from biaskit.protocols import TextImageEncoder, VisionModel

SCALE = 100.0
"""What cosines are multiplied by before the softmax: the scale that CLIP is trained up to."""


@dataclass(frozen=True, slots=True, eq=False)
class ZeroShot:
    """Tells classes apart by texts: softmax over classes of `scale * cos(image, mean text of the class)`.

    Attributes:
        encoder: Compares images with texts.
        attribute: The attribute.
        texts: The texts that say each class; their embeddings are averaged.
        scale: What cosines are multiplied by before the softmax.
    """

    encoder: TextImageEncoder
    attribute: str
    texts: Mapping[str, Sequence[str]]
    scale: float = SCALE
    _embedded: Float[Tensor, "k d"] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Embed the texts once.

        Raises:
            RequestError: There are fewer than two classes, one has no text, or the encoder does not read the
                texts of one, cuts them, or reads those of two alike.
        """
        check_classes(self.attribute, self.texts)
        check_texts(self.encoder, self.texts)
        rows = [self.encoder.encode_texts(list(texts)).mean(dim=0) for texts in self.texts.values()]
        embedded = normalize(torch.stack(rows), dim=1)
        _check_apart(self.encoder.name, tuple(self.texts), embedded)
        object.__setattr__(self, "_embedded", embedded)

    @property
    def name(self) -> str:
        """What was opened."""
        return f"{self.encoder.name}, zero-shot"

    @property
    def fingerprint(self) -> str:
        """SHA-256 over encoder, texts and scale, in hex."""
        said = [f"{name}:{text}" for name, texts in self.texts.items() for text in texts]
        return of_texts([self.encoder.fingerprint, str(self.scale), *said])

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes."""
        return tuple(self.texts)

    def probabilities(self, pixels: Float[Tensor, "n rgb y x"]) -> Float[Tensor, "n k"]:
        """Return the probability of each class; rows add up to 1."""
        likeness = self.encoder.encode_images(pixels).float() @ self._embedded.T
        return (self.scale * likeness).softmax(dim=1)


@dataclass(frozen=True, slots=True, eq=False)
class Mapped:
    """An image classifier whose own classes are gathered into those of an attribute.

    `p(class) = sum of p(own class) over its own classes`, divided by what all that are mapped have; own
    classes that are not mapped count for nothing.

    Attributes:
        model: The classifier.
        attribute: The attribute.
        owned: The names of the model's own classes that count as each class.
    """

    model: VisionModel
    attribute: str
    owned: Mapping[str, Sequence[str]]

    def __post_init__(self) -> None:
        """Look every own class up.

        Raises:
            RequestError: There are fewer than two classes, one has no own class, or two share one.
            UnknownNameError: The model has no class of a name.
        """
        check_classes(self.attribute, self.owned)
        seen: dict[str, str] = {}
        for name, listed in self.owned.items():
            for own in listed:
                if own not in self.model.classes:
                    raise UnknownNameError("class of the classifier", own, self.model.classes)
                if seen.setdefault(own, name) != name:
                    raise RequestError(f"The class '{own}' counts both as '{seen[own]}' and as '{name}'.")

    @property
    def name(self) -> str:
        """What was opened."""
        return self.model.subject.name

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the model and the mapping, in hex."""
        said = [f"{name}:{own}" for name, listed in self.owned.items() for own in listed]
        return of_texts([self.model.subject.fingerprint, *said])

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes."""
        return tuple(self.owned)

    def probabilities(self, pixels: Float[Tensor, "n rgb y x"]) -> Float[Tensor, "n k"]:
        """Return the probability of each class; rows add up to 1."""
        sized = pixels
        if tuple(pixels.shape[2:]) != tuple(self.model.size):
            resized = interpolate(
                pixels, size=self.model.size, mode="bicubic", antialias=True, align_corners=False
            )
            sized = resized.clamp(0, 1)
        logits = self.model.logits(sized)
        columns = [
            torch.logsumexp(logits[:, [self.model.classes.index(own) for own in listed]], dim=1)
            for listed in self.owned.values()
        ]
        return torch.stack(columns, dim=1).softmax(dim=1)


def check_texts(encoder: TextImageEncoder, texts: Mapping[str, Sequence[str]]) -> None:
    """Refuse texts of which an encoder would read a part alone; one that shows no tokenizer is trusted.

    Raises:
        RequestError: It does not know a word of them.
        TextTooLongError: It would cut one.
    """
    speller = in_memory(encoder)
    for name, listed in texts.items():
        unread = next((word for text in listed for word in text.split() if not speller.knows(word)), None)
        if unread is not None:
            raise RequestError(
                f"The encoder '{encoder.name}' does not know '{unread}', a word of '{name}'.",
                why="It reads a token that stands for anything unknown, so no image can be compared with it.",
                fix="Say the class in other words, or name another encoder.",
            )
    over, limit = speller.too_long(text for listed in texts.values() for text in listed)
    if over:
        raise TextTooLongError(over, limit)


def _check_apart(encoder: str, names: Sequence[str], embedded: Float[Tensor, "k d"]) -> None:
    """Refuse two classes whose texts are one to the encoder."""
    for first, second in combinations(range(len(names)), 2):
        if torch.allclose(embedded[first], embedded[second], atol=1e-6):
            raise RequestError(
                f"The encoder '{encoder}' reads the texts of '{names[first]}' and '{names[second]}' alike.",
                why="So it cannot tell these two classes from images.",
                fix="Say the classes in other words, or name another encoder.",
            )


def check_classes(attribute: str, classes: Mapping[str, Sequence[str]]) -> None:
    """Refuse an attribute with fewer than two classes, or one for which nothing stands.

    Raises:
        RequestError: That is so.
    """
    empty = [name for name, listed in classes.items() if not listed]
    if len(classes) < 2 or empty:
        said = f"nothing stands for '{empty[0]}'" if empty else "it has fewer than two classes"
        raise RequestError(
            f"The attribute '{attribute}' cannot be told from images: {said}.",
            fix="Give each class at least one text, or one class of the classifier.",
        )
