"""`biaskit doctor`: versions, devices, caches, plug-ins, and what is broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
from platformdirs import user_cache_path

from biaskit import analyzers
from biaskit.cli import options
from biaskit.cli.shown import line, table
from biaskit.errors import BiaskitError
from biaskit.runner.environment import environment, missing_packages, package_version

_TIMEOUT_S = 120
_EXTRAS = {"text": "language models", "vision": "image classifiers", "diffusion": "text-to-image models"}

# Each runs in an interpreter of its own, so that a package broken at import cannot break the doctor.
_DEVICES = """
import json, torch
names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
mps = torch.backends.mps.is_available()
known = {"cuda": ", ".join(names) or "none", "mps": "yes" if mps else "none"}
print(json.dumps(known | {"threads": torch.get_num_threads()}))
"""
_TORCHVISION = "import torchvision; torchvision.ops.nms"

_VARIABLES = ("HF_HOME", "HF_HUB_OFFLINE", "HF_ENDPOINT", "BIASKIT_PROBES", "BIASKIT_AUDITS", "NO_COLOR")


@click.command()
@options.debug
def doctor() -> int:
    """Tell versions, devices, caches, plug-ins, and what is broken."""
    versions = {"biaskit": package_version("biaskit") or "not installed", **environment()}
    table(("package", "version"), list(versions.items()))
    line("")
    table(("extra", "opens", "state"), [(name, opens, _extra(name)) for name, opens in _EXTRAS.items()])
    line("")
    table(("device", ""), [(key, str(value)) for key, value in _devices().items()])
    line("")
    table(("place", ""), _places())
    line("")
    known = analyzers.tried()
    table(("analyzer", "from", "state"), [(one.name, one.provider, _state(one)) for one in known])
    trouble = [*_torchvision(), *(f"{one.name}: {one.broken}" for one in known if one.broken)]
    line("")
    for found in trouble:
        line(f"! {found}", "bold red")
    line("" if trouble else "nothing broken was found", "green")
    return 1 if trouble else 0


def _extra(name: str) -> str:
    missing = missing_packages(name)
    return f"not installed: {', '.join(missing)}; pip install 'biaskit[{name}]'" if missing else "ok"


def _python(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)


def _devices() -> dict[str, object]:
    done = _python(_DEVICES)
    if done.returncode:
        return {"torch": _last_line(done.stderr)}
    found: dict[str, object] = json.loads(done.stdout)
    return {"cpu": f"{os.cpu_count()} cores", **found}


def _torchvision() -> list[str]:
    if not package_version("torchvision"):
        return []
    done = _python(_TORCHVISION)
    if done.returncode == 0:
        return []
    return [
        f"torchvision is installed but does not work ({_last_line(done.stderr)}). While it is there, "
        "transformers, sae-lens and timm cannot be imported. Install the build that fits your torch, or: "
        "pip uninstall torchvision"
    ]


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[-1]


def _places() -> list[tuple[str, str]]:
    hub = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface")) / "hub"
    folders = {"activations": user_cache_path("biaskit") / "activations", "models of the hub": hub}
    known = [(name, f"{folder}  ({_size(folder)})") for name, folder in folders.items()]
    return [*known, *((name, os.environ[name]) for name in _VARIABLES if name in os.environ)]


def _size(folder: Path) -> str:
    if not folder.is_dir():
        return "empty"
    total = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
    return f"{total / 2**20:,.0f} MiB"


def _state(entry: analyzers.Entry) -> str:
    """Load the analyzer: only that shows whether a plug-in works."""
    if entry.broken:
        return "broken"
    try:
        analyzers.load(entry.name)
    except BiaskitError as error:
        return f"broken: {error.why}"
    except ImportError as error:
        return f"cannot be loaded: {error}"
    return "ok"
