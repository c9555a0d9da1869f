"""Noise that depends on what it is for alone, so that runs are taken up again, shared out and extended."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


def generator(*key: object) -> np.random.Generator:
    """Return the generator of a key: a counter-based stream (Philox) that the key alone decides."""
    digest = hashlib.sha256("\x1f".join(map(str, key)).encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))


def standard_normal(shape: tuple[int, ...], *key: object) -> Float[Tensor, ...]:
    """Draw standard normal numbers for a key, float32 on the CPU: the same key gives the same bytes."""
    return torch.from_numpy(generator(*key).standard_normal(shape, dtype=np.float32))


def image_key(latent: Float[Tensor, "c h w"]) -> str:
    """Return what stands for an image where it has no name: a digest of its latent."""
    return hashlib.sha256(latent.detach().float().cpu().contiguous().numpy().tobytes()).hexdigest()[:32]
