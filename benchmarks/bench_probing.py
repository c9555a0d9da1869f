"""A grid of sparse probes against the loop over scikit-learn that a careful user would write.

    OMP_NUM_THREADS=2 python benchmarks/bench_probing.py               # minutes
    python benchmarks/bench_probing.py --layers 2 --share 0.2          # a smoke test

The grid is 12 layers x 10 concepts x 5 folds x 9 k. The loop fits `StandardScaler, SelectKBest,
LogisticRegression` for each of its cells, two at a time. Both sides choose the same coordinates, so every
cell's AUC must agree. The sides take turns, some layers each: as one call of biaskit, and as one loop. With
`--share` the loop fits only that share of each turn's folds, drawn at random, and its seconds are scaled up.
Both sides' processes are started before the clock. Where other work holds a core, both sides wait for it:
processor seconds, those of all processes, are then the fairer figure. Memory is read in a process of its own:
the highest resident size while the whole grid is fitted, less the size before, and all that the processes
which it started hold for themselves, Python and its libraries included.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from pathlib import Path

import numpy as np
import psutil
import torch
from joblib import Parallel, delayed
from numpy import ndarray
from rich.console import Console
from rich.table import Table
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from biaskit.probing.auc import auc
from biaskit.probing.k_sparse import KSparse
from biaskit.probing.probe import Job
from biaskit.probing.selectors import MeanDifference

KS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
ROWS, WIDTH, CONCEPTS, FOLDS, CORES, TURN = 2000, 768, 10, 5, 2, 6
FASTER, DIFFERENCE, MEMORY = 10.0, 1e-3, 2.0
PROBE = KSparse(MeanDifference("sd"), ks=KS)


def layer(seed: int) -> list[Job]:
    """Return the jobs of one layer: correlated columns of unlike scale, concepts from faint to plain."""
    rng = np.random.default_rng(0)
    labels = rng.random((CONCEPTS, ROWS)) < rng.uniform(0.25, 0.5, CONCEPTS)[:, None]
    rng = np.random.default_rng((1, seed))
    # The variance of the i-th principal direction falls as 1 / i, much as in a language model's stream.
    spectrum = (1 + np.arange(WIDTH, dtype=np.float32)) ** -0.5
    rows = rng.standard_normal((ROWS, WIDTH), dtype=np.float32) * spectrum
    rows = rows @ rng.standard_normal((WIDTH, WIDTH), dtype=np.float32)
    rows /= rows.std()
    for told, strength in zip(labels, np.linspace(0.1, 0.75, CONCEPTS), strict=True):
        columns = rng.choice(WIDTH, 32, replace=False)
        size = strength * rng.choice([-1, 1], 32) * rng.uniform(0.5, 1.5, 32)
        rows[:, columns] += told[:, None] * size.astype(np.float32)
    scale = np.exp(rng.standard_normal(WIDTH, dtype=np.float32))
    scale[:3] *= 100
    rows = rows * scale + scale * rng.standard_normal(WIDTH, dtype=np.float32)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    return [Job(rows, told, *fold) for told in labels for fold in folds.split(rows, told)]


def ours(jobs: list[Job]) -> ndarray:
    """Return AUCs, one row a job and one column a k."""
    fits = PROBE.fit(jobs, PROBE.settings(ROWS, WIDTH), np.random.default_rng(0))
    return np.stack(
        [auc(one.log_odds, job.labels[job.held_out]) for job, one in zip(jobs, fits, strict=True)]
    )


def cell(rows: ndarray, job: tuple[ndarray, ndarray, ndarray], k: int) -> float:
    """Return one cell's AUC."""
    labels, train, held_out = job
    model = LogisticRegression(C=1.0, max_iter=1000)
    pipeline = make_pipeline(StandardScaler(), SelectKBest(f_classif, k=k), model)
    pipeline.fit(rows[train], labels[train])
    return float(roc_auc_score(labels[held_out], pipeline.decision_function(rows[held_out])))


def loop(jobs: list[Job], pool: Parallel) -> ndarray:
    """Return the same AUCs from scikit-learn."""
    cells = [(job.activations, (job.labels, job.train, job.held_out), k) for job in jobs for k in KS]
    return np.array(pool(delayed(cell)(*one) for one in cells)).reshape(len(jobs), len(KS))


def clock() -> ndarray:
    """Return seconds by the clock, and processor seconds of this process and of those it started."""
    children = [child.cpu_times() for child in psutil.Process().children(recursive=True)]
    return np.array(
        [time.perf_counter(), time.process_time() + sum(one.user + one.system for one in children)]
    )


def timed(layers: int, share: float) -> tuple[ndarray, float, float]:
    """Return seconds (ours, theirs) x (wall, processor), the largest AUC difference and the strongest AUC."""
    seconds, difference, best = np.zeros((2, 2)), 0.0, 0.0
    rng = np.random.default_rng(2)
    with Parallel(n_jobs=CORES, max_nbytes=None) as pool:
        first = [job for number in range(2) for job in layer(layers + number)]
        ours(first)
        loop(first[:CORES], pool)
        for start in range(0, layers, TURN):
            jobs = [job for number in range(start, min(start + TURN, layers)) for job in layer(number)]
            some = np.sort(rng.choice(len(jobs), max(1, round(share * len(jobs))), replace=False))
            before = clock()
            mine = ours(jobs)
            between = clock()
            theirs = loop([jobs[place] for place in some], pool)
            seconds += [between - before, (clock() - between) * len(jobs) / len(some)]
            difference = max(difference, float(np.abs(mine[some] - theirs).max()))
            best = max(best, float(theirs.max()))
    return seconds, difference, best


def resident(field: str, process: int | str = "self") -> int:
    """Return a line of a process's memory status in bytes: VmRSS now, VmHWM at its highest."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def memory(layers: int, answer: multiprocessing.Queue[tuple[int, int]]) -> None:
    """Put the bytes of all activations, and the bytes that fitting all of them took on top."""
    torch.set_num_threads(CORES)
    grid = [layer(number) for number in range(layers)]
    ours(grid[0][:CORES])
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    ours([job for jobs in grid for job in jobs])
    # Their code is mapped from files, and so shared with this process.
    others = sum(
        resident("VmHWM", child.pid) - resident("RssFile", child.pid)
        for child in psutil.Process().children(recursive=True)
    )
    answer.put((sum(jobs[0].activations.nbytes for jobs in grid), resident("VmHWM") - before + others))


def measured(layers: int) -> tuple[int, int]:
    """Return what `memory` finds in a fresh process."""
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    child = context.Process(target=memory, args=(layers, answer))
    child.start()
    found = answer.get()
    child.join()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--share", type=float, default=1.0)
    chosen = parser.parse_args()
    torch.set_num_threads(CORES)
    seconds, difference, best = timed(chosen.layers, chosen.share)
    held, extra = measured(chosen.layers)
    fits = chosen.layers * CONCEPTS * FOLDS * len(KS)
    scaled = (
        "" if chosen.share == 1 else f"; the loop's seconds scaled up from {chosen.share:.0%} of the folds"
    )
    title = f"{fits:,} sparse probes on {chosen.layers} layers of {ROWS:,} x {WIDTH}, {CORES} cores{scaled}"
    table = Table(title=title, title_justify="left")
    for heading in ("variant", "wall s", "CPU s", "ms a fit (CPU)", "times faster (wall)", "(CPU)"):
        table.add_column(heading, justify="right")
    for name, row in zip(
        (f"biaskit, in one call for {TURN} layers", "scikit-learn, joblib"), seconds, strict=True
    ):
        gain = seconds[1] / row
        numbers = (row[0], row[1], 1000 * row[1] / fits, *gain)
        table.add_row(name, *(f"{number:.1f}" for number in numbers))
    console = Console(width=110)
    console.print(table)
    verdicts = [
        (f"faster at least {FASTER:.0f} times (wall)", seconds[1, 0] / seconds[0, 0] >= FASTER),
        (f"largest AUC difference {difference:.1e} (best AUC {best:.4f})", difference <= DIFFERENCE),
        (f"extra memory {extra / held:.2f} x {held / 2**20:.0f} MiB of activations", extra < MEMORY * held),
    ]
    for text, kept in verdicts:
        console.print(f"{'kept' if kept else 'MISSED':>7}  {text}")


if __name__ == "__main__":
    main()
