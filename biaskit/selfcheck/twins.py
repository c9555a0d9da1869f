"""Null twins that are built for a self-check: organisms trained without any bias."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from biaskit import organisms
from biaskit.runner.specimens import Bench, bench, organism_of

if TYPE_CHECKING:
    from biaskit.records.progress import Progress

_FIRST_SEED = 1001
BUILT_FOR = frozenset({"associations", "shares"})
"""Kinds of plant whose null twins have a bench of their own; others shuffle what the model says."""


def twins(plant: str, number: int, seed: int, progress: Progress) -> list[Bench]:
    """Build null twins, minutes of one processor core each, and return a bench for each of them."""
    if plant not in BUILT_FOR:
        return []
    made: list[Bench] = []
    for each in range(number):
        own = _FIRST_SEED + seed + each
        folder = Path(tempfile.mkdtemp(prefix="biaskit-twin-")) / f"{organism_of(plant)}-null-{own}"
        organisms.build(organism_of(plant), seed=own, out=folder, null=True, progress=progress)
        made.append(bench(plant, folder))
    return made
