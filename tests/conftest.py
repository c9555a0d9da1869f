"""Every test runs offline, in a home of its own, from the same seed."""

import os
import random
import shutil
import socket
import sys
import tempfile
from pathlib import Path

import pytest
import shape_checks
from filelock import FileLock
from hypothesis import settings

HOME = Path(tempfile.mkdtemp(prefix="biaskit-tests-"))

# Libraries read these when they are imported, so they are set before any test module is.
os.environ.update(
    HF_HUB_OFFLINE="1",
    TRANSFORMERS_OFFLINE="1",
    HF_DATASETS_OFFLINE="1",
    HF_HOME=str(HOME / "huggingface"),
    XDG_CACHE_HOME=str(HOME / "cache"),
    XDG_CONFIG_HOME=str(HOME / "config"),
    XDG_DATA_HOME=str(HOME / "data"),
    HF_HUB_DISABLE_TELEMETRY="1",
    WANDB_MODE="disabled",
    TOKENIZERS_PARALLELISM="false",
    MPLBACKEND="Agg",
)
os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("biaskit", deadline=None, derandomize=True, max_examples=50, database=None)
settings.load_profile("biaskit")

shape_checks.install()


@pytest.fixture(scope="session")
def built_portraits(tmp_path_factory):
    """Build organism:portraits of a seed, or its twin, once for all tests and workers; minutes each."""
    from biaskit import organisms  # noqa: PLC0415  loads torch, which most tests do without

    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def built(seed, *, null=False):
        folder = shared / f"portraits-{seed}{'-null' if null else ''}"
        with FileLock(f"{folder}.lock"):
            if not (folder / "plant.json").is_file():
                organisms.build("portraits", seed=seed, out=folder, null=null)
        return folder

    return built


def pytest_sessionfinish() -> None:
    """Leave nothing behind."""
    shutil.rmtree(HOME, ignore_errors=True)


@pytest.fixture(autouse=True)
def _seeded():
    """Random weights in tests are the same in every run; the library itself never reads this state."""
    shape_checks.begin()
    random.seed(0)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(0)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _offline(request, monkeypatch):
    """Refuse every connection that leaves this machine, unless the test is marked `network`."""
    if request.node.get_closest_marker("network"):
        return
    connect = socket.socket.connect

    def guarded(self, address):
        if self.family in {socket.AF_INET, socket.AF_INET6} and address[0] not in {
            "127.0.0.1",
            "::1",
            "localhost",
        }:
            raise OSError(f"a test tried to reach {address}; mark it `network` if it must")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
