"""What edits of latents add to the time of drawing.

    python benchmarks/bench_steering.py            # organism:portraits, 64 images of 20 steps: two minutes
    python benchmarks/bench_steering.py --small    # a smoke test

The base is drawing without an edit; the same once more shows the noise. The peer is a plain hook.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

import torch
from rounds import show, timed

from biaskit import models
from biaskit.concepts.feature_reader import FeatureReader
from biaskit.concepts.sae_training import SaeTraining, TrainedOn, train
from biaskit.concepts.site_edit import EditRecord, SiteEdit
from biaskit.protocols import Sampling
from biaskit.records.site import Site

BASE, LIMIT = "without an edit", 1.05
SITE = Site.parse("bottleneck")


def edit(kind: str, width: int, architecture: str = "batchtopk") -> SiteEdit:
    rng = torch.Generator().manual_seed(0)
    rows = torch.randn(512, width, generator=rng)
    settings = SaeTraining(d_sae=512, k=24, architecture=architecture, steps=5, batch=128)
    sae = train(rows, settings, TrainedOn(SITE, "bench", prepend_bos=False))
    features = tuple(range(20))
    record = EditRecord(kind=kind, model="bench", site=SITE, layout="map", features=features, strength=0.01)
    reader = None if kind == "add" else FeatureReader.of(sae, features)
    steps = torch.arange(1.0, 1000.0, 50.0)
    return SiteEdit(record, sae.dictionary[list(features)], steps, torch.ones(1, len(steps), 20), reader)


def main() -> int:
    """Time every kind of edit; return 1 where one adds more than five parts in a hundred."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    torch.set_num_threads(1)
    model = models.load("organism:portraits")
    images, sampling = (8, Sampling(3)) if given.small else (64, Sampling(20))
    prompts, seeds = ["a photo of the doctor"] * images, list(range(images))

    def drawn(change: SiteEdit | None) -> Callable[[], object]:
        edits = None if change is None else {SITE: change}
        return lambda: model.draw(prompts, seeds, sampling, edits)

    def hooked() -> object:
        handle = model.locate(SITE).register_forward_hook(lambda *passed: passed[2] + 0.01)
        found = model.draw(prompts, seeds, sampling)
        handle.remove()
        return found

    width = 40 * 4 * 4
    variants = {
        BASE: drawn(None),
        f"{BASE}, again": drawn(None),
        "a plain hook": hooked,
        "add": drawn(edit("add", width)),
        "scale": drawn(edit("scale", width)),
        "clamp": drawn(edit("clamp", width)),
        "scale, topk": drawn(edit("scale", width, "topk")),
    }
    limits = {} if given.small else dict.fromkeys(("add", "scale", "clamp"), LIMIT)
    return 0 if show(f"{images} images", timed(variants, given.rounds), BASE, limits) else 1


if __name__ == "__main__":
    sys.exit(main())
