"""How the activations of a text become one vector, inside the hook."""

from __future__ import annotations

from enum import StrEnum


class Pooling(StrEnum):
    """Which tokens of a text an activation is read from.

    `last` reads the last token (an encoder's mask token where it is asked for one), `span` the last
    token of the prompt's span, `mean` and `max` all tokens of the span (of the text where it has none).
    Padding and special tokens never enter a mean or a maximum.
    """

    LAST = "last"
    SPAN = "span"
    MEAN = "mean"
    MAX = "max"
