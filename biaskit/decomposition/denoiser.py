"""What information is measured on: the little that has to be known about a denoising model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Conditioning:
    """Prompts as a denoiser takes them, encoded once.

    Attributes:
        prompts: The prompts, one a row.
        tensors: What the text encoders gave; the first axis of each is the prompts.
    """

    prompts: tuple[str, ...]
    tensors: Mapping[str, Tensor]

    def __len__(self) -> int:
        """Return how many prompts there are."""
        return len(self.prompts)

    def select(self, rows: Int[Tensor, " n"]) -> Conditioning:
        """Return the prompts at `rows`, in that order; a row may be taken several times."""
        picked = {
            name: tensor.index_select(0, rows.to(tensor.device)) for name, tensor in self.tensors.items()
        }
        return Conditioning(tuple(self.prompts[row] for row in rows.tolist()), picked)


class Denoiser(Protocol):
    """A model that tells the noise in a noisy image, with or without a prompt.

    Everything is in the variance-preserving channel of a log-SNR a (natural log, of powers):
    `z = sqrt(sigmoid(a)) x + sqrt(sigmoid(-a)) eps`. Predictions of other kinds (v, x0, flow) are turned
    into predictions of eps exactly, and flow models are told a rescaled z; the caller sees eps alone.
    """

    @property
    def log_snrs(self) -> Float[Tensor, " levels"]:
        """Log-SNR of every level the model was trained at, float64 on the CPU, strictly ascending.

        Level 0 is the noisiest. A flow model is trained at any time in (0, 1); its levels are the middles of
        1,000 cells of equal width in time.
        """

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of what is denoised: latents where there is an autoencoder."""

    @property
    def batch_size(self) -> int:
        """Most rows that one call of the network gets; a last batch is filled up to it."""

    @property
    def dtype(self) -> torch.dtype:
        """Number format that the network runs in."""

    def encode_prompts(self, prompts: Sequence[str]) -> Conditioning:
        """Encode prompts; an empty prompt is the unconditional case.

        Raises:
            RequestError: The model takes no text, and a prompt is not empty.
            TextTooLongError: A prompt is longer than the encoder reads.
        """

    def predict_noise(
        self,
        noisy: Float[Tensor, "n c h w"],
        levels: Int[Tensor, " n"],
        conditioning: Conditioning,
    ) -> Float[Tensor, "n c h w"]:
        """Predict eps for each row at its level, under its row of the conditioning; no guidance is mixed in.

        Any number of rows; the network is called on batches of `batch_size`.

        Returns:
            float32, on the device of `noisy`, without gradients.

        Raises:
            ActivationError: A prediction is NaN or infinite.
        """
