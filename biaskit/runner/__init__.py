"""From a request to a run: names are resolved first, then torch is loaded and the work is done.

`audit` is the one call behind the command line and the notebook; it returns a `Run`, a report that
shows itself.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from biaskit.runner.audit import audit as audit
    from biaskit.runner.run import Run as Run

_HOME_OF = {"audit": "biaskit.runner.audit", "Run": "biaskit.runner.run"}

__all__ = ["Run", "audit"]


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'biaskit.runner' has no attribute '{name}'")
    return getattr(import_module(_HOME_OF[name]), name)
