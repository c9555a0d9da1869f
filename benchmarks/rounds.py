"""Fair timing: every variant once a round, in turning order, processor time, ratios within the round."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from statistics import median

from rich.console import Console
from rich.table import Table


def timed(variants: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Return processor seconds of each variant in each round, after one round that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    names = list(variants)
    for turn in range(rounds + 1):
        start = turn % len(names)
        for name in names[start:] + names[:start]:
            gc.collect()
            before = time.process_time()
            variants[name]()
            seconds[name].append(time.process_time() - before)
    return {name: values[1:] for name, values in seconds.items()}


def ratio(seconds: Mapping[str, list[float]], name: str, base: str) -> float:
    """Return the median over the rounds of the ratio to `base` in the same round."""
    return median(mine / other for mine, other in zip(seconds[name], seconds[base], strict=True))


def show(title: str, seconds: Mapping[str, list[float]], base: str, limits: Mapping[str, float]) -> bool:
    """Print medians, ratios to `base` and the limits that hold; tell whether all are kept."""
    table = Table(title=title, title_justify="left")
    table.add_column("variant")
    for heading in ("CPU s", "ratio", "limit", ""):
        table.add_column(heading, justify="right")
    kept = True
    for name, values in seconds.items():
        found, limit = ratio(seconds, name, base), limits.get(name)
        within = limit is None or found <= limit
        kept &= within
        verdict = "" if limit is None else "kept" if within else "MISSED"
        table.add_row(
            name, f"{median(values):.3f}", f"{found:.3f}", "" if limit is None else f"{limit:.3f}", verdict
        )
    Console(width=100).print(table)
    return kept
