"""Offline is enforced, not hoped for."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import biaskit
from biaskit import models
from biaskit.errors import RequestError
from biaskit.runner.offline import guard


def knock(host):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.settimeout(0.2)
        one.sendto(b"", (host, 9))


def message(host):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendmsg([b""], [], 0, (host, 9))


def quietly_connect(host):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as one:
        one.settimeout(0.2)
        one.connect_ex((host, 9))


@pytest.mark.parametrize(
    "reach",
    [
        lambda: socket.getaddrinfo("example.invalid", 80),
        lambda: socket.gethostbyname("example.invalid"),
        lambda: socket.gethostbyname_ex("example.invalid"),
        lambda: socket.gethostbyaddr("192.0.2.1"),
        lambda: socket.getnameinfo(("192.0.2.1", 80), 0),
        lambda: message("192.0.2.1"),
        lambda: quietly_connect("192.0.2.1"),
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


# Counts every use of a socket from the first line of the interpreter on, in the audit's own process.
COUNTED = """
import sys
seen = []

def count(event, arguments):
    # A library asks by a bind to loopback whether the system has IPv6; nothing is sent.
    asked = event == "socket.bind" and arguments[1][0] == "::1"
    if event.startswith("socket.") and event != "socket.__new__" and not asked:
        seen.append((event, arguments))

sys.addaudithook(count)
"""


def sockets_of(program, tmp_path):
    """Run a program and return the socket events that could leave this process."""
    code = f"{COUNTED}\n{program}\nprint('SEEN', [one for one, _ in seen])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        timeout=300,
    )
    return done.stdout.strip().splitlines()[-1]


def test_the_count_sees_a_socket(tmp_path):
    reach = "import socket; socket.create_connection(socket.create_server(('127.0.0.1', 0)).getsockname())"
    assert "socket.connect" in sockets_of(reach, tmp_path)


@pytest.mark.parametrize(
    "names",
    [
        "biaskit, biaskit.cli, biaskit.cli.audit, biaskit.pytest_plugin.items",
        pytest.param("biaskit.runner.execute, biaskit.models.opening", marks=pytest.mark.slow),
    ],
)
def test_an_import_opens_no_socket(tmp_path, names):
    assert sockets_of(f"import {names}", tmp_path) == "SEEN []"


@pytest.mark.slow
def test_an_offline_audit_opens_no_socket(tmp_path):
    program = (
        "from biaskit import cli\n"
        "code = cli.run(['audit', '--model', 'demo', '--concepts', 'food', '--offline', '--no-cache', '-q', "
        "'-A', 'axes=[]', '-A', 'random_directions=1', '--limit', '4', '--out-dir', 'run'])\n"
        "assert code == 0, code"
    )
    assert sockets_of(program, tmp_path) == "SEEN []"
    assert (tmp_path / "run" / "report.json").exists()
