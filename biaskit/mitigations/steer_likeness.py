"""How alike images are to what they were (CLIP-I) and to their prompts (CLIP-T), before and after an edit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from biaskit.records.estimate import Unit
from biaskit.stats.paired import sign_flip
from biaskit.stats.pairing import mispaired

if TYPE_CHECKING:
    from biaskit.mitigations.steer_numbers import Compared
    from biaskit.protocols import Drawing, TextImageEncoder
    from biaskit.records.estimate import Null
    from biaskit.records.finding import Finding

_ALL_ALIKE = "All of these images have one prompt, so prompts cannot be shuffled over them."


@dataclass(frozen=True, slots=True, eq=False)
class Likeness:
    """A text-image encoder, the prompts of a target's images, and the images as they were.

    `CLIP-I = mean cos(f(x_i), f(x'_i))` over pairs of images from one noise, before and after;
    `CLIP-T = mean cos(f(x_i), g(y_i))` of image and prompt. Both lie in [-1, 1]; DiffLens prints
    `(CLIP-I + 1) / 2`. Prompts are those that were asked, also where a baseline rewrote them.

    Attributes:
        images: Embeddings of the images before, of length 1.
        texts: Embeddings of the prompts that differ.
        partners: Which of them each image was drawn for.
        rng: Source of the shuffles.
        encoder: The encoder.
    """

    images: Float[ndarray, "n d"]
    texts: Float[ndarray, "m d"]
    partners: Int[ndarray, " n"]
    rng: np.random.Generator
    encoder: TextImageEncoder

    @classmethod
    def of(
        cls,
        encoder: TextImageEncoder,
        before: Drawing,
        prompts: Sequence[str],
        rng: np.random.Generator,
    ) -> Likeness:
        """Embed the images before and their prompts, each once."""
        listed = list(dict.fromkeys(prompts))
        partners = np.array([listed.index(one) for one in prompts])
        texts = encoder.encode_texts(listed).double().numpy()
        return cls(encoder.encode_images(before.pixels).double().numpy(), texts, partners, rng, encoder)

    def before(self, about: Compared) -> Finding:
        """Return CLIP-T of the images before."""
        return self._to_prompts(about, self.images)

    def after(self, about: Compared, drawn: Drawing) -> list[Finding]:
        """Return CLIP-I, CLIP-T, and the change of CLIP-T image by image."""
        rows = self.encoder.encode_images(drawn.pixels).double().numpy()
        alike, own = self.images @ rows.T, np.arange(len(rows))
        moved = ((rows - self.images) * self.texts[self.partners]).sum(axis=1)
        said = f"CLIP-T of {about.way} less before, image by image"
        change = about.mean("mitigation.clip_text_change", moved, said, Unit.COSINE)
        kept = about.mean(
            "mitigation.clip_image",
            np.diagonal(alike).copy(),
            "CLIP-I: cosine of each image to itself before",
            Unit.COSINE,
        )
        return [
            _tested(kept, mispaired(alike, own, self.rng)),
            self._to_prompts(about, rows),
            _tested(change, sign_flip(moved, own, self.rng)),
        ]

    def _to_prompts(self, about: Compared, rows: Float[ndarray, "n d"]) -> Finding:
        alike = rows @ self.texts.T
        own = alike[np.arange(len(rows)), self.partners]
        said = "CLIP-T: cosine of each image and the prompt that was asked"
        found = about.mean("mitigation.clip_text", own, said, Unit.COSINE)
        return _tested(found, mispaired(alike, self.partners, self.rng))


def _tested(finding: Finding, null: Null | None) -> Finding:
    """Return a finding with its test, or with the reason why there is none."""
    held = {"null": null, "reason": None if null else _ALL_ALIKE}
    return finding.model_copy(update={"estimate": finding.estimate.model_copy(update=held)})
