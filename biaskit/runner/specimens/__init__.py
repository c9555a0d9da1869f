"""Sessions in which it is known what there is to find: nulls, and plants of a known dose.

`bench(plant)` opens an organism and offers them by kind of plant; see `biaskit.records.calibration.Planting`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from biaskit.runner.specimens.judging import LEVEL as LEVEL
from biaskit.runner.specimens.judging import Judgement as Judgement
from biaskit.runner.specimens.judging import judgements as judgements
from biaskit.runner.specimens.specimen import Bench as Bench
from biaskit.runner.specimens.specimen import Specimen as Specimen

if TYPE_CHECKING:
    from pathlib import Path

BENCHES = {
    "associations": ("reviews", "biaskit.runner.specimens.associations:Associations"),
    "choices": ("reviews", "biaskit.runner.specimens.choices:Choices"),
    "labels": ("reviews", "biaskit.runner.specimens.labels:Labels"),
    "attributes": ("shapes", "biaskit.runner.specimens.attributes:Attributes"),
    "shares": ("portraits", "biaskit.runner.specimens.shares:Shares"),
    "turns": ("portraits", "biaskit.runner.specimens.turns:Turns"),
}


def organism_of(plant: str) -> str:
    """Return the name of the organism that a kind of plant is shown in."""
    return BENCHES[plant][0]


def bench(plant: str, folder: Path | None = None) -> Bench:
    """Open the organism of a kind of plant.

    Args:
        plant: One of `BENCHES`.
        folder: Folder of an organism that was built; None for the shipped one.
    """
    module, _, name = BENCHES[plant][1].partition(":")
    made: Bench = getattr(import_module(module), name)(folder)
    return made
