"""Start-up times of the front door in seconds: the best of several fresh interpreters.

python benchmarks/bench_startup.py [--rounds 7]
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time

from rich.console import Console
from rich.table import Table

BARE = ("-c", "pass")
CPU, WALL = "processor", "wall"
CASES = {
    "python, nothing else": (BARE, CPU, None),
    "import biaskit": (("-c", "import biaskit"), CPU, 0.15),
    "biaskit --help": (("-m", "biaskit", "--help"), CPU, 0.25),
    "biaskit audit --help": (("-m", "biaskit", "audit", "--help"), CPU, 0.5),
    "biaskit list concepts": (("-m", "biaskit", "list", "concepts"), CPU, 0.75),
    "a misspelt concept": (("-m", "biaskit", "audit", "--model", "demo", "--concepts", "foood"), WALL, 0.5),
}


def seconds(arguments: tuple[str, ...]) -> tuple[float, float]:
    """Return processor and wall seconds of one fresh interpreter."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=False, capture_output=True)
    after, ended = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, ended - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    table = Table("start", "processor s", "wall s", "times bare python", "limit", "")
    bare = min(seconds(BARE)[0] for _ in range(rounds))
    for name, (arguments, kind, limit) in CASES.items():
        measured = [seconds(arguments) for _ in range(rounds)]
        cpu, wall = min(one[0] for one in measured), min(one[1] for one in measured)
        verdict = "" if limit is None else "ok" if (cpu if kind == CPU else wall) <= limit else "over"
        shown = "" if limit is None else f"{limit:.2f} {kind}"
        table.add_row(name, f"{cpu:.3f}", f"{wall:.3f}", f"{cpu / bare:.1f}", shown, verdict)
    Console().print(table)


if __name__ == "__main__":
    main()
