"""Who is on an image of organism:portraits, read exactly: the organism's own classifier of attributes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from diffusers import AutoencoderKL
from jaxtyping import Float
from torch import Tensor

from biaskit.errors import RequestError, UnknownNameError
from biaskit.organisms.portraits_people import AGES, GENDERS, OCCUPATIONS, PEOPLE, SIDE
from biaskit.organisms.portraits_training import SPREAD, people_latents

if TYPE_CHECKING:
    from pathlib import Path

TRAITS = {"gender": GENDERS, "age": AGES, "occupation": OCCUPATIONS}


@dataclass(frozen=True, slots=True, eq=False)
class PortraitsClassifier:
    """Reads an attribute of the people that organism:portraits draws.

    An image is encoded by the organism's own autoencoder. The people's latents all vary alike around known
    means m, so `p(person | z) ~ exp(-||z - m||^2 / (2 s^2))` with the planted spread s, and a class has the
    probability of its people.

    Attributes:
        name: What was opened, for the report.
        fingerprint: SHA-256 over the autoencoder, the trait and its classes, in hex.
        attribute: What the attribute is called by who asked.
        classes: Names of the classes.
        autoencoder: The organism's autoencoder.
        people: The latent of every person.
        owners: Number of the class of every person.
    """

    name: str
    fingerprint: str
    attribute: str
    classes: tuple[str, ...]
    autoencoder: Any
    people: Float[Tensor, "people c h w"]
    owners: tuple[int, ...]

    @torch.no_grad()
    def probabilities(self, pixels: Float[Tensor, "n rgb y x"]) -> Float[Tensor, "n k"]:
        """Return the probability of each class; rows add up to 1.

        Raises:
            RequestError: The images are of another size than the organism draws.
        """
        if tuple(pixels.shape[1:]) != (3, SIDE, SIDE):
            raise RequestError(
                f"'{self.name}' reads images of {SIDE} by {SIDE} pixels, and these have the shape "
                f"{tuple(pixels.shape[1:])}.",
                fix="Classify images of other models with another classifier.",
            )
        coded = self.autoencoder.encode(pixels.float().cpu() * 2 - 1).latent_dist.mode()
        latents = (coded * self.autoencoder.config.scaling_factor).flatten(1).double()
        away = torch.cdist(latents, self.people.flatten(1).double()).square()
        people = (-away / (2 * SPREAD**2)).softmax(dim=1)
        owners = torch.tensor(self.owners)
        columns = [people[:, owners == number].sum(dim=1) for number in range(len(self.classes))]
        return torch.stack(columns, dim=1).float()


def open_classifier(
    folder: Path, attribute: str, classes: Sequence[str], name: str = "organism:portraits"
) -> PortraitsClassifier:
    """Open the reading of an organism in its folder.

    Args:
        folder: The organism's folder.
        attribute: What the attribute is called.
        classes: All classes of one trait (gender, age or occupation), in the order wanted.
        name: What it is called in a report.

    Raises:
        UnknownNameError: A class is none that the people have.
        RequestError: The classes are not all those of one trait.
    """
    trait = _trait(classes)
    loader: Any = AutoencoderKL
    autoencoder = loader.from_pretrained(folder / "vae", local_files_only=True, use_safetensors=True).eval()
    order = [TRAITS[trait].index(one) for one in classes]
    owners = tuple(order.index(getattr(person, trait)) for person in PEOPLE)
    weights = (folder / "vae" / "diffusion_pytorch_model.safetensors").read_bytes()
    digest = hashlib.sha256(weights)
    digest.update("\0".join((trait, *classes)).encode())
    return PortraitsClassifier(
        name=name,
        fingerprint=digest.hexdigest(),
        attribute=attribute,
        classes=tuple(classes),
        autoencoder=autoencoder,
        people=people_latents(autoencoder),
        owners=owners,
    )


def _trait(classes: Sequence[str]) -> str:
    """Return the trait whose classes these are."""
    known = [one for names in TRAITS.values() for one in names]
    for one in classes:
        if one not in known:
            raise UnknownNameError("class that this organism draws", one, known)
    for trait, names in TRAITS.items():
        if set(classes) == set(names):
            return trait
    raise RequestError(
        f"The classes {', '.join(classes)} are not all those of one trait of the organism.",
        fix=f"Give {' or '.join(', '.join(names) for names in TRAITS.values())}.",
    )
