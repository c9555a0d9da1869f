"""What attributing a class to latents costs: the closed form against integrated gradients by autograd.

    python benchmarks/bench_attribution.py            # 256 codes of 5,120 latents: half a minute
    python benchmarks/bench_attribution.py --small    # a smoke test

The base is the published recipe: ten points, gradients through decoder and probe. Completeness is how far the
attributions of a code miss the change of its probability, on average, as a share of that change.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial

import torch
from captum.attr import IntegratedGradients
from rounds import show, timed
from torch import Tensor

from biaskit.concepts.integrated_gradients import LatentProbe, integrated_gradients

BASE, TIMES = "autograd, 10 points", 20


def by_autograd(forward: Callable[[Tensor], Tensor], codes: Tensor, named: Tensor, points: int) -> Tensor:
    rows, total = torch.arange(len(codes)), torch.zeros_like(codes)
    for step in range(points):
        at = (step / points * codes).requires_grad_()
        total += torch.autograd.grad(forward(at)[rows, named].sum(), at)[0]
    return codes * total / points


def missed(found: Tensor, forward: Callable[[Tensor], Tensor], codes: Tensor, named: Tensor) -> float:
    rows = torch.arange(len(codes))
    change = forward(codes)[rows, named] - forward(torch.zeros_like(codes))[rows, named]
    return float((found.sum(dim=1) - change).abs().mean() / change.abs().mean())


def main() -> int:
    """Time two and four classes; return 1 where the closed form is not fast or not complete enough."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    torch.set_num_threads(1)
    count, latents, width = (16, 256, 64) if given.small else (256, 5120, 1280)
    rng, kept = torch.Generator().manual_seed(0), True
    for classes in (2, 4):
        dictionary = torch.randn(latents, width, generator=rng) / width**0.5
        probe = LatentProbe(torch.randn(classes, width, generator=rng), torch.zeros(classes))
        codes = torch.relu(torch.randn(count, latents, generator=rng) - 2)
        named = torch.arange(count) % classes

        def forward(at: Tensor, d: Tensor = dictionary, p: LatentProbe = probe) -> Tensor:
            return (at @ d @ p.weight.T + p.bias).softmax(dim=1)

        # Carried through the decoder once for each probe, whatever the number of codes.
        carried = LatentProbe.through(dictionary, torch.zeros(width), probe)
        theirs = IntegratedGradients(forward)
        variants = {
            BASE: partial(by_autograd, forward, codes, named, 10),
            f"{BASE}, again": partial(by_autograd, forward, codes, named, 10),
            "captum, 10 points": partial(theirs.attribute, codes, target=named, n_steps=10),
            "closed form": partial(integrated_gradients, carried, codes, named),
        }
        print(f"{classes} classes, {count} codes of {latents} latents")
        for name, run in variants.items():
            print(f"  {name}: completeness missed by {missed(run(), forward, codes, named):.1e}")
        kept &= missed(variants["closed form"](), forward, codes, named) <= 1e-5
        limits = {} if given.small else {"closed form": 1 / TIMES}
        kept &= show(f"{classes} classes", timed(variants, given.rounds), BASE, limits)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
