"""Reading and changing activations: the only place that puts a hook on a model."""

from __future__ import annotations

from biaskit.hooks.capture import capture
from biaskit.hooks.edit import edit

__all__ = ["capture", "edit"]
