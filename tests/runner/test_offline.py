"""Offline is enforced, not hoped for."""

import os
import socket

import pytest

import biaskit
from biaskit import models
from biaskit.errors import RequestError
from biaskit.runner.offline import guard


def knock(host):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.settimeout(0.2)
        one.sendto(b"", (host, 9))


@pytest.mark.parametrize(
    "reach",
    [
        lambda: socket.getaddrinfo("example.invalid", 80),
        lambda: socket.gethostbyname("example.invalid"),
        lambda: knock("192.0.2.1"),
        lambda: socket.create_connection(("192.0.2.1", 80), timeout=0.2),
    ],
)
def test_an_attempt_is_an_error_with_a_name(reach):
    with (
        pytest.raises(RequestError, match=r"'tests?\w*' tried to reach (example\.invalid|192\.0\.2\.1)"),
        guard(),
    ):
        reach()


def test_this_machine_stays_reachable():
    with socket.create_server(("127.0.0.1", 0)) as server, guard():
        socket.create_connection(server.getsockname(), timeout=1).close()
        knock("127.0.0.1")


def test_the_guard_ends_with_its_block():
    before = os.environ.get("HF_HUB_OFFLINE")
    with guard(), guard():
        assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert os.environ.get("HF_HUB_OFFLINE") == before
    knock("127.0.0.1")
    with pytest.raises(OSError, match=r"."):
        socket.getaddrinfo("example.invalid", 80)


def test_without_offline_nothing_is_guarded():
    with guard(active=False), pytest.raises(OSError, match=r"."):
        socket.getaddrinfo("example.invalid", 80)


def test_an_audit_that_reaches_out_is_stopped(plugins, fake_model, monkeypatch):
    def reaching(*_, **__):
        socket.getaddrinfo("example.invalid", 443)

    monkeypatch.setattr(models, "load", reaching)
    with pytest.raises(RequestError, match="offline"):
        biaskit.audit("some/model", "food", analyzers="steady", offline=True)
