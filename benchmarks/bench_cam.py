"""What class activation maps cost, against one forward and backward pass and against captum.

    python benchmarks/bench_cam.py            # a ResNet of usual width, 16 images of 128 pixels: a minute
    python benchmarks/bench_cam.py --small    # a smoke test

The base is one forward pass and one backward pass to the read layers; the same once more shows the noise.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable

import torch
from captum.attr import LayerGradCam
from rounds import show, timed
from torch import Tensor
from transformers import ResNetConfig, ResNetForImageClassification

from biaskit import models
from biaskit.protocols import VisionModel
from biaskit.records.site import Site
from biaskit.saliency.methods import Candidate, maps_of
from biaskit.saliency.scores import contrastive

BASE = "torch: forward and backward"


def plain(network: torch.nn.Module, layer: torch.nn.Module, pixels: Tensor, targets: Tensor) -> None:
    kept: list[Tensor] = []

    def keep(_module: object, _inputs: object, output: Tensor) -> Tensor:
        kept.append(output.detach().requires_grad_())
        # The network adds to it in place, which a leaf does not allow.
        return kept[0].clone()

    handle = layer.register_forward_hook(keep)
    scores = contrastive(targets)(network(2 * pixels - 1).logits)
    handle.remove()
    torch.autograd.grad(scores.sum(), kept)


def captum_map(network: torch.nn.Module, layer: torch.nn.Module, pixels: Tensor, targets: Tensor) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        LayerGradCam(lambda x: network(2 * x - 1).logits, layer).attribute(pixels, target=targets)


def variants(
    network: torch.nn.Module, model: VisionModel, site: Site, pixels: Tensor
) -> dict[str, Callable[[], object]]:
    targets = torch.zeros(len(pixels), dtype=torch.long)
    layer, score = model.locate(site), contrastive(targets)
    ours = {
        f"biaskit: {names}": [Candidate(name, site) for name in names.split(", ")]
        for names in ("grad-cam", "layer-cam", "grad-cam, hires-cam, layer-cam, grad-cam++", "eigen-cam")
    }
    return {
        BASE: lambda: plain(network, layer, pixels, targets),
        f"{BASE}, again": lambda: plain(network, layer, pixels, targets),
        "captum: LayerGradCam": lambda: captum_map(network, layer, pixels, targets),
        **{name: lambda asked=asked: maps_of(model, pixels, score, asked) for name, asked in ours.items()},
    }


def main() -> int:
    """Time one layer in the middle and the last one; return 1 where a limit is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    depths, size, count = ([1, 1, 1, 1], 32, 4) if given.small else ([2, 2, 2, 2], 128, 16)
    network = ResNetForImageClassification(ResNetConfig(depths=depths, num_labels=10)).eval()
    network.requires_grad_(requires_grad=False)
    model = models.load(network, size=(size, size))
    pixels, kept = torch.rand(count, 3, size, size), True
    sites = model.spatial_sites()
    for site in (sites[len(sites) // 2], sites[-1]):
        made = variants(network, model, site, pixels)
        limits = {name: 1.15 for name in made if name.startswith("biaskit: ") and "eigen" not in name}
        kept &= show(f"{site} ({model.path(site)})", timed(made, given.rounds), BASE, limits)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
