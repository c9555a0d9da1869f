"""Which two prompts are compared."""

from __future__ import annotations

from typing import NamedTuple


class Contrast(NamedTuple):
    """The information of one prompt over another, i(x; added | given) = log p(x | added) - log p(x | given).

    Attributes:
        added: Number of the prompt that says more, in the list of prompts.
        given: Number of the prompt it is compared with; that of the empty prompt for a plain information.
    """

    added: int
    given: int
