"""The test run keeps its own promises: offline, seeded, at home, warnings as errors."""

import os
import socket
import warnings
from pathlib import Path

import platformdirs
import pytest
import torch

NOWHERE = ("192.0.2.1", 80)


def test_another_machine_is_refused():
    with pytest.raises(OSError, match="mark it `network`"):
        socket.create_connection(NOWHERE, timeout=1)


def test_this_machine_is_reached():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()


def test_a_warning_is_an_error():
    with pytest.raises(UserWarning, match="careful"):
        warnings.warn("careful", stacklevel=1)


@pytest.mark.parametrize("_again", [1, 2])
def test_every_test_starts_from_the_same_seed(_again):
    assert torch.equal(torch.rand(3), torch.rand(3, generator=torch.Generator().manual_seed(0)))


def test_caches_are_not_the_user_s():
    assert Path(platformdirs.user_cache_dir("biaskit")).is_relative_to(os.environ["XDG_CACHE_HOME"])
    assert os.environ["HF_HUB_OFFLINE"] == "1"


@pytest.mark.parametrize("tier", ["slow", "gpu", "network"])
def test_a_tier_is_named_and_off_by_default(pytestconfig, tier):
    assert any(line.startswith(f"{tier}:") for line in pytestconfig.getini("markers"))
    assert f"not {tier}" in " ".join(pytestconfig.getini("addopts"))
