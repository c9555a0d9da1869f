"""Denoisers of known distributions with the exact answers, to test estimators of one's own against."""

from __future__ import annotations

from biaskit.organisms.oracles import *  # noqa: F403  the same public names
from biaskit.organisms.oracles import __all__ as __all__  # noqa: PLC0414  re-exported
