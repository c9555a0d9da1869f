"""Rows made of a known dictionary: the truth that an autoencoder must find."""

from dataclasses import dataclass

import torch

WIDTH, ATOMS, FIRING = 24, 40, 3


@dataclass
class Planted:
    """Rows a = B z + noise, in which the atoms and what fires are known."""

    rows: torch.Tensor
    latents: torch.Tensor
    atoms: torch.Tensor


def plant(count, seed=0, noise=0.01):
    generator = torch.Generator().manual_seed(seed)
    atoms = torch.nn.functional.normalize(
        torch.randn(ATOMS, WIDTH, generator=torch.Generator().manual_seed(99)), dim=1
    )
    fires = torch.rand(count, ATOMS, generator=generator).argsort(dim=1) < FIRING
    latents = fires * (1 + torch.rand(count, ATOMS, generator=generator))
    rows = latents @ atoms + noise * torch.randn(count, WIDTH, generator=generator)
    return Planted(rows, latents, atoms)
