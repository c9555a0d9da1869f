"""Train subjects on planted images and print what they follow, over the strength of the shortcut.

    python benchmarks/planted_vision.py --architecture cnn vit --shortcut patch --seeds 3

Each row is one rho; the figures are means over the seeds with the lowest and highest: accuracy in the worst
group, mean accuracy of the groups, and the share of minority test images that get the class which their
context implies. The last line gives the rank correlation of rho with that share over all subjects.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.stats import spearmanr

from biaskit.images.planting import Plant, Planted, Shortcut
from biaskit.organisms.shapes_training import STEPS, SubjectRecipe, Took, measure, train_subject

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from biaskit.organisms.shapes_subjects import ShapesForImageClassification

RHOS = (0.5, 0.7, 0.9, 0.95, 0.99)
COLUMNS = ("worst", "average", "follows")


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A subject, the images it was trained on, and what came of it.

    Attributes:
        planted: The images.
        model: The subject.
        took: What it follows.
        seconds: Processor time of the training.
    """

    planted: Planted
    model: ShapesForImageClassification
    took: Took
    seconds: float


def main() -> None:
    """Read the choices from the command line and print a table for each architecture and shortcut."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--architecture", nargs="+", default=["cnn"], choices=list(STEPS))
    parser.add_argument("--shortcut", nargs="+", default=["patch"], choices=[str(one) for one in Shortcut])
    parser.add_argument("--rho", nargs="+", type=float, default=list(RHOS))
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    for architecture in asked.architecture:
        for shortcut in asked.shortcut:
            print(f"\n{architecture}, {shortcut}\n")
            print(*table(architecture, shortcut, asked.rho, range(1, asked.seeds + 1)), sep="\n", flush=True)


def subjects(
    architecture: str, plant: Plant, rhos: Sequence[float], seeds: Sequence[int]
) -> Iterator[Trained]:
    """Train one subject for each rho and seed; the other fields of the plant are kept."""
    fields = plant.as_dict()
    for rho in rhos:
        for seed in seeds:
            planted = Plant(**(fields | {"rho": rho, "seed": seed})).draw()
            start = time.process_time()
            model = train_subject(planted, SubjectRecipe(architecture))
            seconds = time.process_time() - start
            yield Trained(planted, model, measure(model, planted), seconds)


def table(architecture: str, shortcut: str, rhos: Sequence[float], seeds: Sequence[int]) -> Iterator[str]:
    """Yield the lines of a table, one row a rho, and the rank correlation."""
    found = list(subjects(architecture, Plant(shortcut=Shortcut(shortcut)), rhos, seeds))
    yield "| rho | worst group | mean of groups | minority follows the context | CPU s |"
    yield "|---|---|---|---|---|"
    for rho in rhos:
        ours = [one for one in found if one.planted.plant.rho == rho]
        cells = (spread([getattr(one.took, column) for one in ours]) for column in COLUMNS)
        yield f"| {rho:g} | {' | '.join(cells)} | {np.mean([one.seconds for one in ours]):.1f} |"
    rank = spearmanr([one.planted.plant.rho for one in found], [one.took.follows for one in found])[0]
    yield f"\nrank correlation of rho with the share that follows: {rank:.3f} ({len(found)} subjects)"


def spread(values: Sequence[float]) -> str:
    """Return mean, lowest and highest."""
    return f"{np.mean(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main()
