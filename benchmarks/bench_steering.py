"""What edits of latents add to the time of drawing, and what more images add to the memory of training.

    python benchmarks/bench_steering.py            # organism:portraits, 64 images of 20 steps: two minutes
    python benchmarks/bench_steering.py --memory   # training on 96 images and on four times as many: 2 min
    python benchmarks/bench_steering.py --small    # a smoke test

Time: the base is drawing without an edit; the same once more shows the noise. The peer is a plain hook.
Memory: the most that a process of its own holds beyond what it held before training. The peer keeps every row
before it trains, as trainers do that are given a tensor.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from rounds import show, timed

from biaskit import models
from biaskit.concepts.feature_reader import FeatureReader
from biaskit.concepts.sae_training import SaeTraining, TrainedOn, train
from biaskit.concepts.site_edit import EditRecord, SiteEdit
from biaskit.protocols import Sampling
from biaskit.records.audit_spec import Subject
from biaskit.records.site import Site
from biaskit.steering.learning import Learning, learn
from biaskit.steering.trajectories import Asked, Place, Stage, follow

BASE, LIMIT = "without an edit", 1.05
STREAMED, KEPT, FLAT, FIRST = "streamed", "all rows kept", 1.25, 64
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


def resident(field: str) -> int:
    """Return a line of the process's memory status in bytes: VmRSS now, VmHWM at its highest."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def peak(way: str, images: int, answer: multiprocessing.Queue[int]) -> None:
    """Put the bytes that training on so many images took on top, at their most."""
    torch.set_num_threads(1)
    model = models.load("organism:portraits", subject=Subject(model="organism:portraits", batch_size=32))
    place, prompts = Place(SITE, "map", Sampling(20)), ["a photo of the doctor"]
    how = Learning(images=FIRST, latents=64, active=8, passes=0.5, buffer=1024)
    learn(model, place, prompts, how)
    gc.collect()
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    if way == STREAMED:
        learn(model, place, prompts, replace(how, images=images))
    else:
        rows = torch.cat(list(follow(stage(model, place), Asked.of(prompts, images, 0)).rows.values()))
        train(
            rows, SaeTraining(d_sae=64, k=8, steps=20, batch=256), TrainedOn(SITE, "bench", prepend_bos=False)
        )
    answer.put(resident("VmHWM") - before)


def stage(model: object, place: Place) -> Stage:
    groups = {"female": (), "male": ()}
    return Stage(model, place, models.load_classifier("organism:portraits", "portrait-gender", groups))


def memory(images: int) -> bool:
    """Print what n and 4 n images take; tell whether streaming kept flat."""
    context, found = multiprocessing.get_context("spawn"), {}
    for way in (STREAMED, KEPT):
        for count in (images, 4 * images):
            answer = context.Queue()
            child = context.Process(target=peak, args=(way, count, answer))
            child.start()
            found[way, count] = answer.get() / 2**20
            child.join()
    table = Table(title="Memory beyond what was held before training", title_justify="left")
    for heading in ("way", f"MiB, {images} images", f"MiB, {4 * images} images", "ratio", "limit"):
        table.add_column(heading, justify="left" if heading == "way" else "right")
    for way in (STREAMED, KEPT):
        few, many = found[way, images], found[way, 4 * images]
        limit = f"{FLAT:.2f}" if way == STREAMED else ""
        table.add_row(way, f"{few:.1f}", f"{many:.1f}", f"{many / few:.2f}", limit)
    Console(width=100).print(table)
    return found[STREAMED, 4 * images] <= FLAT * found[STREAMED, images]


def main() -> int:
    """Time every kind of edit, or weigh training; return 1 where a limit is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--memory", action="store_true", help="weigh training in place of timing edits")
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    if given.memory:
        return 0 if memory(64 if given.small else 96) else 1
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
