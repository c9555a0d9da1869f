"""Passes and time of a study of occupations over two groups, against the published scheme restated plainly.

    python benchmarks/bench_pid.py [--model FOLDER] [--images N]

Both measure i(x; group | occupation) (orthogonal) on the same images of the same pipeline, by default
one of the layout of Stable Diffusion with weights as they are first drawn. The published scheme draws
100 log-SNRs from a logistic (1, 2) cut at 3, with a noise each, and runs four prompts a pair of words.
Repeats of either give its variance a pass; the ratio of passes is the one at which both intervals are
equally wide, and that of time follows from the time of a pass in each.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from biaskit import models
from biaskit.analyzers.diffusion_pid.questions import of_groups
from biaskit.decomposition.measure import Asked, measure
from biaskit.decomposition.plan import Plan
from biaskit.organisms import portraits
from biaskit.records.audit_spec import Subject

GROUPS = ("female", "male")
OCCUPATIONS = ("nurse", "doctor", "farmer", "pilot")
DRAWS, CUT = 100, 3.0


def published(model: Any, latents: torch.Tensor, occupation: str, rng: np.random.Generator) -> np.ndarray:
    """Return i^o(x; group | occupation) of each image and group, one noise and log-SNR a draw."""
    found = np.zeros((len(latents), len(GROUPS)))
    edge = 1 / (1 + np.exp(-CUT))
    for column, group in enumerate(GROUPS):
        said = ("", occupation, group, f"{group} {occupation}")
        text = model.encode_prompts([f"a photo of the {one}" if one else "" for one in said])
        for row, latent in enumerate(latents):
            share = 1 - edge + (2 * edge - 1) * rng.random(DRAWS)
            alphas = 1 + 2 * np.log(share / (1 - share))
            density = share * (1 - share) / 2 / (2 * edge - 1)
            levels = torch.from_numpy(np.abs(model.log_snrs.numpy()[:, None] - alphas).argmin(axis=0))
            for level, each in zip(levels, density, strict=True):
                alpha = model.log_snrs[level]
                noise = torch.from_numpy(rng.normal(size=latent.shape)).float()
                noisy = (alpha.sigmoid().sqrt() * latent + (-alpha).sigmoid().sqrt() * noise).float()
                four = model.predict_noise(noisy.expand(4, -1, -1, -1), level.expand(4), text)
                found[row, column] += float((four[3] - four[1]).square().sum()) / each / 2 / DRAWS
    return found


def ours(model: Any, latents: torch.Tensor, occupation: str, seed: int) -> tuple[np.ndarray, int]:
    """Return the same, and how many rows the network was given."""

    def said(word: str) -> str:
        return f"a photo of the {word}"

    design = of_groups(said(occupation), map(said, GROUPS), [said(f"{one} {occupation}") for one in GROUPS])
    asked = Asked(plan=Plan(nodes=8, replicates=1, seed=seed))
    found = measure(model, latents, design.prompts, design.contrasts, asked)
    return found.orthogonal.mean[:, -len(GROUPS) :], found.passes


def main() -> None:
    """Print passes, time, and their ratios at equal width."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", help="Folder of a pipeline; by default one with random weights is made.")
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=6)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.model or str(Path(scratch) / "pipeline")
        if given.model is None:
            portraits.untrained(Path(folder), 0)
        rows = [compare(folder, occupation, given) for occupation in OCCUPATIONS]
    table = Table("occupation", "passes at equal width: ratio", "time at equal width: ratio", title=folder)
    for occupation, (passes, seconds) in zip(OCCUPATIONS, rows, strict=True):
        table.add_row(occupation, f"{passes:.1f}", f"{seconds:.1f}")
    table.add_row(
        "geometric mean", *(f"{np.exp(np.mean(np.log(column))):.1f}" for column in zip(*rows, strict=True))
    )
    Console().print(table)


def compare(folder: str, occupation: str, given: argparse.Namespace) -> tuple[float, float]:
    """Return how many times more passes and seconds the published scheme needs for the same width."""
    four, full = opened(folder, 4), opened(folder, 48)
    latents = four.draw([f"a photo of the {occupation}"] * given.images, range(given.images)).latents
    started = time.process_time()
    old = np.stack(
        [published(four, latents, occupation, np.random.default_rng(each)) for each in range(given.repeats)]
    )
    old_seconds = (time.process_time() - started) / given.repeats
    started = time.process_time()
    new = [ours(full, latents, occupation, seed) for seed in range(4 * given.repeats)]
    new_seconds = (time.process_time() - started) / len(new)
    variance = np.stack([one for one, _ in new]).var(axis=0, ddof=1).mean()
    ratio = old.var(axis=0, ddof=1).mean() / variance
    old_passes = given.images * len(GROUPS) * DRAWS * 4
    return ratio * old_passes / new[0][1], ratio * old_seconds / new_seconds


def opened(folder: str, batch_size: int) -> Any:
    """Open the pipeline with a batch of its own size."""
    return models.load(folder, subject=Subject(model=folder, batch_size=batch_size))


if __name__ == "__main__":
    main()
