"""Finished replicates on disk, so that a killed run goes on where it was and gives the same bytes."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from biaskit.decomposition.noise import image_key
from biaskit.decomposition.passes import Replicate

if TYPE_CHECKING:
    from pathlib import Path

    from biaskit.decomposition.passes import Passes

_FORMAT = 2
_NAMES = tuple(field.name for field in fields(Replicate))


@dataclass(frozen=True, slots=True)
class Ledger:
    """A folder of replicates, each in a file that is named by all that it depends on.

    A file is written whole or not at all; one that cannot be read is computed again.

    Attributes:
        folder: The folder; made when it is needed.
        fingerprint: What identifies the model and its number format.
    """

    folder: Path
    fingerprint: str

    def replicate(self, passes: Passes, latent: Float[Tensor, "c h w"], key: str, number: int) -> Replicate:
        """Return a replicate from the folder, or compute and keep it."""
        path = self.folder / f"{self._digest(passes, latent, key, number)}.safetensors"
        kept = _read(path)
        if kept is not None:
            return kept
        found = passes.run(latent, key, number)
        _write(path, found)
        return found

    def _digest(self, passes: Passes, latent: Float[Tensor, "c h w"], key: str, number: int) -> str:
        plan = passes.plan
        content = {
            "format": _FORMAT,
            "model": self.fingerprint,
            "batch": passes.denoiser.batch_size,
            "prompts": passes.conditioning.prompts,
            "contrasts": [list(one) for one in passes.contrasts],
            "masses": hashlib.sha256(passes.rule.masses.tobytes()).hexdigest(),
            "plan": [plan.nodes, plan.seed, plan.shared, plan.normalised],
            "maps": passes.maps,
            "image": [key, image_key(latent)],
            "replicate": number,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _read(path: Path) -> Replicate | None:
    try:
        held = load(path.read_bytes())
    except (OSError, SafetensorError):
        return None
    return Replicate(**held) if set(held) == set(_NAMES) else None


def _write(path: Path, found: Replicate) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {name: getattr(found, name).contiguous() for name in _NAMES}
    part = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.part")
    try:
        part.write_bytes(save(content))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
