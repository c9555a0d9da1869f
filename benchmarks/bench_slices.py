"""The mixture of slice discovery on 10,000 embeddings, against a plain re-statement of it.

    python benchmarks/bench_slices.py [--rows 10000] [--dimensions 512] [--components 25] [--steps 5]

The re-statement (slices_restated.py) goes through the components one by one, as a reader of the papers would
write it. Both take the same number of steps from the same start, and their log-likelihoods must agree.
"""

from __future__ import annotations

import argparse
import tracemalloc
from collections.abc import Callable
from functools import partial

import numpy as np
from rich.console import Console
from rounds import show, timed
from slices_restated import Weights
from slices_restated import fit as plain_fit

from biaskit.slices.mixture import Mixture
from biaskit.slices.observations import Observations
from biaskit.slices.projection import Projection
from biaskit.slices.starts import confusion_start

LIMIT = 1 / 5


def data(rows: int, dimensions: int) -> Observations:
    """Return embeddings in 40 groups, four classes and soft predictions."""
    rng = np.random.default_rng(0)
    groups = rng.integers(40, size=rows)
    centres = rng.standard_normal((40, dimensions))
    labels = rng.integers(4, size=rows)
    logits = rng.standard_normal((rows, 4)) + 2 * np.eye(4)[np.where(groups < 5, groups % 4, labels)]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    embeddings = centres[groups] + 2 * rng.standard_normal((rows, dimensions))
    return Projection.of(embeddings, dimensions)(Observations(embeddings, labels, probabilities))


def peak(work: Callable[[], object]) -> float:
    """Return the most memory that the work held beyond its input, in MiB."""
    tracemalloc.start()
    work()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most / 2**20


def main() -> None:
    """Time both mixtures; compare likelihoods and memory."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, value in {"rows": 10_000, "dimensions": 512, "components": 25, "steps": 5, "rounds": 3}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    asked = parser.parse_args()
    seen = data(asked.rows, asked.dimensions)
    owned = confusion_start(seen, asked.components, np.random.default_rng(0))
    kept = True
    for title, weights in {"DOMINO": (1.0, 1.0, 0.0), "FACTS": (0.0, 0.0, 25.0)}.items():
        ours = Mixture(asked.components, *weights, tolerance=-np.inf, iterations=asked.steps)
        plain = partial(plain_fit, seen, owned, Weights(*weights), -np.inf, asked.steps)
        variants = {"plain re-statement": plain, "biaskit": partial(ours.fit_from, seen, owned)}
        size = f"{asked.rows} x {asked.dimensions}, {asked.components} components, {asked.steps} steps"
        seconds = timed(variants, asked.rounds)
        kept &= show(f"{title}'s mixture, {size}", seconds, "plain re-statement", {"biaskit": LIMIT})
        difference = abs(ours.fit_from(seen, owned).trace[-1] - plain()[0][-1])
        memory = ", ".join(f"{name} {peak(work):.0f} MiB" for name, work in variants.items())
        Console(width=100).print(f"log-likelihoods differ by {difference:.1e} nats a row; memory: {memory}")
        kept &= difference <= 1e-4
    raise SystemExit(not kept)


if __name__ == "__main__":
    main()
