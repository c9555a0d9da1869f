"""A run that may not reach the network, enforced: any attempt is an error that names the culprit."""

from __future__ import annotations

import ipaddress
import os
import sys
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from biaskit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

# The last keeps downloads out of native code, which no audit hook sees.
_VARIABLES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE", "HF_HUB_DISABLE_XET")
_WITH_ADDRESS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_EVENTS = _WITH_ADDRESS | {
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "socket.gethostbyaddr",
    "socket.getnameinfo",
}
# Nobody to blame: the standard library, and what may be wrapped around any function.
_BLAMELESS = frozenset({*sys.stdlib_module_names, "jaxtyping", "beartype"}) - {"__main__"}


class _Guard:
    """Whether the guard is up; an audit hook cannot be taken away again, so it asks here."""

    depth = 0


@contextmanager
def guard(*, active: bool = True) -> Iterator[None]:
    """Turn every attempt to leave this machine into an error while the block runs.

    Unix sockets and loopback addresses stay open. The hub's own offline variables are set too.

    Raises:
        RequestError: Something tried to reach the network; it names what and where to.
    """
    if not active:
        yield
        return
    _install()
    before = {name: os.environ.get(name) for name in _VARIABLES}
    os.environ.update(dict.fromkeys(_VARIABLES, "1"))
    _Guard.depth += 1
    try:
        yield
    finally:
        _Guard.depth -= 1
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@cache
def _install() -> None:
    sys.addaudithook(_hook)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _Guard.depth or event not in _EVENTS:
        return
    host = _host(event, arguments)
    if host is not None and not _stays_here(host):
        raise RequestError(
            f"'{_culprit(sys._getframe(1))}' tried to reach {host}, but the run is offline.",  # noqa: SLF001  the way to the caller
            fix="Download what is needed with `biaskit fetch`, or run without --offline.",
        )


def _host(event: str, arguments: tuple[Any, ...]) -> str | None:
    """Return the host an event is about; None for a local kind of socket."""
    address = arguments[1] if event in _WITH_ADDRESS else arguments
    if event == "socket.getnameinfo":
        address = arguments[0]
    if not isinstance(address, tuple) or not address:
        return None
    host = address[0]
    return host.decode("ascii", "replace") if isinstance(host, bytes) else str(host or "localhost")


def _stays_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _culprit(frame: FrameType | None) -> str:
    """Return the package nearest to the socket that is not the standard library."""
    while frame is not None:
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package and package not in _BLAMELESS and frame.f_code.co_filename != __file__:
            return package
        frame = frame.f_back
    return "Python"
