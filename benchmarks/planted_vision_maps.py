"""Prove the maps on classifiers of which it is known what they look at.

    python benchmarks/planted_vision_maps.py                 # 3 seeds, 4 architectures: a few minutes
    python benchmarks/planted_vision_maps.py --seeds 0 --architectures cnn

Every classifier is trained on digits beside a coloured patch that always agrees with the class; its twin is
trained where the patch says nothing. Maps explain the predicted class on held-out images in which the patch
is balanced. Pointing and mass are of the patch grown by 4 pixels, a quarter of the image; lift 1 is chance.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn import functional

from biaskit import models
from biaskit.images.image_set import Part
from biaskit.images.planting import Plant
from biaskit.organisms.shapes_training import SubjectRecipe, train_subject
from biaskit.protocols import VisionModel
from biaskit.records.site import Site
from biaskit.saliency.choosing import Choosing, choose, usable_sites
from biaskit.saliency.localisation import pointing_game, relevance_mass
from biaskit.saliency.maps import Maps
from biaskit.saliency.methods import Candidate, maps_of
from biaskit.saliency.sanity import cascade, edge_map
from biaskit.saliency.scores import contrastive

ARCHITECTURES = ("cnn", "vit", "mixer", "mlp")
TOLERANCE = 4
IMAGES = 240


@dataclass(frozen=True)
class Planted:
    """A classifier, held-out images, what it says of them and where the patch lies."""

    model: VisionModel
    pixels: Tensor
    targets: Tensor
    regions: Tensor


def planted(architecture: str, rho: float, seed: int) -> Planted:
    drawn = Plant(rho=rho, seed=seed, n=1000, held_out=IMAGES).draw()
    steps = 200 if architecture == "cnn" else None
    subject = train_subject(drawn, SubjectRecipe(architecture, steps=steps))
    model = models.load(subject)
    rows = drawn.rows(Part.TEST)
    pixels = torch.from_numpy(drawn.images[rows]).permute(0, 3, 1, 2).float() / 255
    box = torch.zeros(len(rows), 32, 32, dtype=torch.bool)
    box[:, 4:12, 4:12] = True
    return Planted(model, pixels, model.logits(pixels).argmax(1), box)


def grown(regions: Tensor) -> Tensor:
    size = 2 * TOLERANCE + 1
    return functional.max_pool2d(regions[:, None].float(), size, stride=1, padding=TOLERANCE)[:, 0].bool()


def last_site(model: VisionModel, height: int) -> Site:
    return [site for site in model.spatial_sites() if model.layout(site).height == height][-1]


def maps(case: Planted, candidate: Candidate) -> Maps:
    return maps_of(case.model, case.pixels, contrastive(case.targets), [candidate])[candidate]


def figures(case: Planted, found: Maps) -> list[str]:
    """Pointing in all, pointing in the best class, lift of the mass."""
    rng = np.random.default_rng(0)
    hits = pointing_game(found, case.regions, rng, TOLERANCE)
    lift = relevance_mass(found, grown(case.regions), rng)
    classes = case.targets.numpy()
    best = max(float(hits.rows(classes == c).values.mean()) for c in np.unique(classes))
    mass = lift.estimate(rng)
    return [f"{hits.values.mean():.2f}", f"{best:.2f}", f"{mass.value:.2f}", f"{mass.null.p:.3f}"]


def candidates(architecture: str, model: VisionModel) -> dict[str, Candidate]:
    found = {"occlusion": Candidate("occlusion")}
    if architecture == "cnn":
        for name, height in (("stride 2", 16), ("last layer", 8)):
            found |= {
                f"{method}, {name}": Candidate(method, last_site(model, height))
                for method in ("grad-cam", "hires-cam", "layer-cam", "grad-cam++", "eigen-cam")
            }
    elif model.spatial_sites():
        for method in ("grad-cam", "layer-cam"):
            found |= {f"{method} at {site}": Candidate(method, site) for site in usable_sites(model, 3)}
    return found


def localise(table: Table, architecture: str, seed: int) -> None:
    follower, twin = planted(architecture, 1.0, seed), planted(architecture, 0.5, seed)
    for name, candidate in candidates(architecture, follower.model).items():
        cells = (figures(case, maps(case, candidate)) for case in (follower, twin))
        table.add_row(architecture, str(seed), name, *(cell for part in cells for cell in part))


def gate(table: Table, architecture: str, seed: int) -> None:
    case = planted(architecture, 1.0, seed)
    for method in ("grad-cam", "auto"):
        if method == "auto" or case.model.spatial_sites():
            choice = choose(
                case.model, case.pixels, case.targets, Choosing(method), rng=np.random.default_rng(seed)
            )
            judged = choice.judged
            cells = (
                f"{part.value:.2f}"
                for part in (judged.agreement, judged.ranks, judged.deletion, judged.insertion)
            )
            hit = figures(case, maps(case, choice.candidate))[0]
            said = "low" if choice.low else "passed"
            table.add_row(architecture, str(seed), method, str(choice.candidate), *cells, said, hit)


def randomise(table: Table, seed: int) -> None:
    case = planted("cnn", 1.0, seed)
    candidate = Candidate("grad-cam", last_site(case.model, 16))
    # Convolution and norm of a stage are randomised together, head first.
    stages = [["classifier"]] + [[f"body.stages.{i}.0", f"body.stages.{i}.1"] for i in (4, 3, 2, 1, 0)]
    rng = torch.Generator().manual_seed(seed)
    for name, compute in (
        ("grad-cam, stride 2", lambda: maps(case, candidate).signed),
        ("edge detector", lambda: edge_map(case.pixels)),
    ):
        steps = cascade(case.model.module, compute, rng, stages)
        table.add_row(str(seed), name, *(f"{step.estimate().value:.2f}" for step in steps))


def main() -> None:
    """Read seeds and architectures from the command line and print three tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--architectures", nargs="+", default=ARCHITECTURES, choices=ARCHITECTURES)
    given, console = parser.parse_args(), Console(width=150)
    every = [(architecture, seed) for architecture in given.architectures for seed in given.seeds]
    where = Table("model", "seed", "map", title="Where maps lie: follower | twin")
    for case in ("follower", "twin"):
        for heading in ("pointing", "best class", "lift", "p"):
            where.add_column(f"{heading} ({case})", justify="right")
    for architecture, seed in every:
        localise(where, architecture, seed)
    console.print(where)
    headings = (
        "model",
        "seed",
        "asked",
        "chosen",
        "agreement",
        "ranks",
        "deletion",
        "insertion",
        "said",
        "pointing",
    )
    gates = Table(*headings, title="What the gate says of the follower's maps")
    for architecture, seed in every:
        gate(gates, architecture, seed)
    console.print(gates)
    if "cnn" in given.architectures:
        steps = ("head", "stage 5", "stage 4", "stage 3", "stage 2", "stage 1")
        fallen = Table("seed", "map", *steps, title="Agreement after random weights, head to stem")
        for seed in given.seeds:
            randomise(fallen, seed)
        console.print(fallen)


if __name__ == "__main__":
    main()
