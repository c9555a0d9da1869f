"""What a run was made with and what it cost."""

from __future__ import annotations

import platform
import re
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, requires, version

if sys.platform != "win32":
    import resource

PACKAGES = (
    "torch",
    "transformers",
    "transformer-lens",
    "sae-lens",
    "diffusers",
    "tokenizers",
    "safetensors",
    "numpy",
    "scipy",
    "scikit-learn",
    "pydantic",
)


def environment() -> dict[str, str]:
    """Return the versions of Python, the system and the packages that matter, without importing them."""
    found = {"python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}"}
    for package in PACKAGES:
        known = package_version(package)
        if known:
            found[package] = known
    return found


def package_version(package: str) -> str:
    """Return the installed version of a package, or nothing."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def missing_packages(extra: str) -> tuple[str, ...]:
    """Return the packages of one of biaskit's extras, such as `diffusion`, that are not installed."""
    try:
        needed = requires("biaskit") or []
    except PackageNotFoundError:
        return ()
    marked = [line.split(";", 1) for line in needed if ";" in line]
    mine = [name for name, mark in marked if re.search(rf"extra == ['\"]{re.escape(extra)}['\"]", mark)]
    names = [re.split(r"[^\w.-]", name.strip(), maxsplit=1)[0] for name in mine]
    return tuple(name for name in names if not package_version(name))


@dataclass(frozen=True, slots=True)
class Meter:
    """Counts time from its making on.

    Attributes:
        started_at: When it was made, UTC.
    """

    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    _wall: float = field(default_factory=time.perf_counter)
    _cpu: float = field(default_factory=time.process_time)

    def wall_s(self) -> float:
        """Return the wall time since then, in seconds."""
        return round(time.perf_counter() - self._wall, 3)

    def cpu_s(self) -> float:
        """Return the processor time since then, in seconds."""
        return round(time.process_time() - self._cpu, 3)


def peak_memory_mib() -> float:
    """Return the largest resident memory of this process in MiB; 0 where the system does not tell."""
    if sys.platform == "win32":
        return 0.0
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(largest / (2**20 if sys.platform == "darwin" else 2**10), 1)
