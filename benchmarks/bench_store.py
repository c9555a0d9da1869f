"""How fast the activation store writes and reads, and what a longer corpus costs in memory.

    python benchmarks/bench_store.py            # 20,000 rows x 768 x 4 sites
    python benchmarks/bench_store.py --small    # a smoke test

The model behind it costs nothing, so all time is the store's. Ratios are to writing and reading the same
numbers as one plain safetensors file. Memory is the peak of anonymous memory, each in a process of its own.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import torch
from rich.console import Console
from rich.table import Table
from safetensors.torch import load_file, save_file

from biaskit.hooks.pooling import Pooling
from biaskit.hooks.store import ActivationStore
from biaskit.records.prompt import Prompt
from biaskit.records.site import Site

WIDTH = 768
SITES = [Site.parse(f"resid_post.{layer}") for layer in range(4)]


class Free:
    """A model whose activations cost nothing."""

    subject = SimpleNamespace(fingerprint="free", dtype="float32")

    def __init__(self) -> None:
        self.peak_kib = 0

    def activations(
        self, prompts: Sequence[Prompt], sites: Sequence[Site], pooling: Pooling
    ) -> dict[Site, torch.Tensor]:
        """Return constants, and take a sample while they are held."""
        del pooling
        found = {site: torch.full((len(prompts), WIDTH), float(site.layer)) for site in sites}
        self.sample()
        return found

    def sample(self) -> None:
        """Note the memory in use, where it is the most so far."""
        status = Path("/proc/self/status").read_text()
        self.peak_kib = max(self.peak_kib, int(re.search(r"RssAnon:\s+(\d+)", status)[1]))


def texts(rows: int) -> list[Prompt]:
    return [Prompt(f"text number {row}") for row in range(rows)]


def passed(folder: Path, rows: int) -> int:
    """Stream a corpus through the store and return the peak in KiB."""
    model = Free()
    for _, part in ActivationStore(folder).stream(model, texts(rows), SITES):
        assert all(part[site].isfinite().all() for site in SITES)
        model.sample()
    return model.peak_kib


def peak_in_a_process(rows: int, folder: Path) -> int:
    command = [sys.executable, __file__, "--peak", str(rows), str(folder)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def seconds(step: Callable[[], object]) -> float:
    before = time.perf_counter()
    step()
    return time.perf_counter() - before


def one_file(folder: Path, rows: int) -> tuple[float, float]:
    """Return seconds to write, sync and read the same numbers as one file."""
    path = folder / "plain.safetensors"
    content = {str(site): torch.full((rows, WIDTH), float(site.layer)) for site in SITES}

    def write() -> None:
        save_file(content, path)
        with path.open("rb") as file:
            os.fsync(file.fileno())

    return seconds(write), seconds(lambda: [value.sum() for value in load_file(path).values()])


def read_all(folder: Path, prompts: list[Prompt]) -> None:
    found = ActivationStore(folder).activations(Free(), prompts, SITES)
    for site in SITES:
        found[site].sum()


def stream_all(folder: Path, prompts: list[Prompt]) -> None:
    for _, part in ActivationStore(folder).stream(Free(), prompts, SITES):
        for site in SITES:
            part[site].sum()


def throughput(folder: Path, rows: int) -> Table:
    prompts, store = texts(rows), folder / "store"
    plain_write, plain_read = one_file(folder, rows)
    took = {
        "write": (seconds(lambda: ActivationStore(store).activations(Free(), prompts, SITES)), plain_write),
        "read": (seconds(lambda: read_all(store, prompts)), plain_read),
        "stream": (seconds(lambda: stream_all(store, prompts)), plain_read),
    }
    megabytes = rows * WIDTH * 4 * len(SITES) / 1e6
    table = Table(
        title=f"Store: {rows} rows x {WIDTH} x {len(SITES)} sites, {megabytes:.0f} MB", title_justify="left"
    )
    for heading in ("step", "s", "MB/s", "ratio to one plain file"):
        table.add_column(heading, justify="left" if heading == "step" else "right")
    for name, (mine, plain) in took.items():
        table.add_row(name, f"{mine:.2f}", f"{megabytes / mine:.0f}", f"{mine / plain:.2f}")
    return table


def growth(folder: Path, rows: int) -> Table:
    few, many = (peak_in_a_process(count, folder / str(count)) for count in (rows // 10, rows))
    table = Table(title="Peak of anonymous memory while streaming", title_justify="left")
    for heading in ("rows", "MiB", "ratio", "limit"):
        table.add_column(heading, justify="right")
    table.add_row(str(rows // 10), f"{few / 1024:.0f}", "1.000", "")
    table.add_row(str(rows), f"{many / 1024:.0f}", f"{many / few:.3f}", "1.100")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="few rows, to see that everything runs")
    parser.add_argument("--peak", nargs=2, metavar=("ROWS", "FOLDER"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.peak:
        print(passed(Path(chosen.peak[1]), int(chosen.peak[0])))
        return
    rows = 2_000 if chosen.small else 20_000
    with tempfile.TemporaryDirectory() as folder:
        Console(width=100).print(throughput(Path(folder), rows), growth(Path(folder), rows), sep="\n")


if __name__ == "__main__":
    main()
