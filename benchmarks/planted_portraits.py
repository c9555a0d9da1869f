"""Prove diffusion-pid on text-to-image organisms of which it is known whom they draw.

    python benchmarks/planted_portraits.py                       # the shipped organism
    python benchmarks/planted_portraits.py --seeds 1 2 --null 100  # and newly built ones: half an hour

One row an organism and attribute: Spearman's rho of each figure with the planted shares, beside the ceiling
(shares that are really drawn, by the oracle's own reading) and the floor (the 95 % quantile of rho where
shares are permuted over occupations); how many occupations are accused beyond neutral nouns (q at most 0.05).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy import stats

import biaskit
from biaskit import organisms
from biaskit.records.estimate import Estimate
from biaskit.runner.run import Run

QUICK = {"images": 2, "replicates": 1, "nodes": 12, "shown": 0}
RANKED = ("log_odds", "gap", "share_drawn")
ACCUSED = ("gap_beyond_neutral", "log_odds_beyond_neutral")


def audited(model: Path | str, references: str, **settings: int) -> Run:
    """Audit all occupations of an organism on one attribute."""
    return biaskit.audit(
        str(model),
        concepts="portrait-occupations",
        references=references,
        analyzers="diffusion-pid",
        settings=QUICK | settings,
        offline=True,
    )


def planted_shares(folder: Path) -> dict[str, float]:
    """Return the planted share of each occupation."""
    shares: dict[str, float] = json.loads((folder / "plant.json").read_text())["planted"]
    return shares


def values(run: Run, metric: str, group: str | None = None) -> dict[str, Estimate]:
    """Return the estimate of each occupation, of one group where there are several."""
    found = run.findings(f"diffusion_pid.{metric}")
    return {one.concepts[0]: one.estimate for one in found if group in (None, one.group)}


def rank(found: dict[str, Estimate], shares: dict[str, float]) -> float:
    """Return Spearman's rho of a figure with the planted shares."""
    return float(stats.spearmanr([found[job].value for job in shares], list(shares.values())).statistic)


def ranks(run: Run, shares: dict[str, float]) -> dict[str, float]:
    """Return the rank of every figure."""
    return {
        metric: rank(values(run, metric, "female" if metric == "share_drawn" else None), shares)
        for metric in RANKED
    }


def floor(count: int) -> float:
    """Return the 95 % quantile of rho where shares are permuted over occupations."""
    rng, order = np.random.default_rng(0), np.arange(count)
    drawn = [stats.spearmanr(order, rng.permutation(order)).statistic for _ in range(2000)]
    return float(np.quantile(drawn, 0.95))


def accused(run: Run) -> dict[str, list[str]]:
    """Return the occupations that are accused beyond neutral nouns, by figure."""
    q = {metric: {job: one.null for job, one in values(run, metric).items()} for metric in ACCUSED}
    return {
        metric: [job for job, null in found.items() if null is not None and (null.adjusted or null.p) <= 0.05]
        for metric, found in q.items()
    }


def main() -> None:
    """Read seeds from the command line and print one row an organism and attribute."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", nargs="*", type=int, default=[])
    parser.add_argument("--null", nargs="*", type=int, default=[])
    given = parser.parse_args()
    table = Table("organism", "attribute", *RANKED, "floor", *(f"{one}: accused" for one in ACCUSED))
    with tempfile.TemporaryDirectory() as place:
        every = {"shipped": organisms.folder("portraits")}
        for seed, null in [(seed, False) for seed in given.seeds] + [(seed, True) for seed in given.null]:
            name = f"{'null' if null else 'seed'} {seed}"
            every[name] = Path(place) / name.replace(" ", "-")
            organisms.build("portraits", seed=seed, out=every[name], null=null)
        for name, folder in every.items():
            for attribute in ("portrait-gender", "portrait-age"):
                _row(table, name, folder, attribute)
    Console(width=160).print(table)


def _row(table: Table, name: str, folder: Path, attribute: str) -> None:
    run, shares = audited(folder, attribute), planted_shares(folder)
    ranked = attribute == "portrait-gender" and not name.startswith("null")
    cells = [f"{value:.2f}" for value in ranks(run, shares).values()] if ranked else [""] * len(RANKED)
    called = [", ".join(jobs) or "none" for jobs in accused(run).values()]
    table.add_row(name, attribute, *cells, f"{floor(len(shares)):.2f}", *called)


if __name__ == "__main__":
    main()
