"""Every error biaskit raises on purpose, as one tree.

    BiaskitError                 exit code
    ├── RequestError             2   usage, spec or prerequisite: nothing ran
    │   ├── UnknownNameError     2   a name nobody knows, with the nearest known ones
    │   ├── CatalogueError       2   a probe set or audit file that cannot be used
    │   ├── MissingExtraError    2   a package that an extra would install
    │   ├── ModelLoadError       2   a model that cannot be found, reached or opened
    │   ├── TextTooLongError     2   texts that are longer than the model reads
    │   └── SparseAutoencoderMismatchError  2   an autoencoder that does not fit the site
    ├── RunError                 3   an analyzer or the model failed while running
    │   └── ActivationError      3   activations that are not numbers
    ├── NothingAuditedError      5   no analyzer matched or no example was left
    └── InstrumentError          6   the instrument failed its own calibration

An error says what happened, why, and what to do; a typo is answered with near names.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MOST_SHOWN = 80


class BiaskitError(Exception):
    """Something the user can understand and act on.

    Attributes:
        exit_code: What the command line exits with.
        what: What happened, one sentence.
        why: The reason, where it is known.
        fix: What to do about it.
    """

    exit_code: ClassVar[int] = 3

    def __init__(self, what: str, *, why: str = "", fix: str = "") -> None:
        """Keep the three parts and join the ones that are there."""
        self.what, self.why, self.fix = what, why, fix
        super().__init__("\n".join(part for part in (what, why, fix) if part))


class RequestError(BiaskitError):
    """The request cannot be carried out as it stands; nothing ran."""

    exit_code: ClassVar[int] = 2


class UnknownNameError(RequestError):
    """A name that is not known, answered with the nearest known names.

    Attributes:
        near: Up to three known names that resemble the unknown one.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], *, fix: str = "") -> None:
        """Look up the names nearest to `name` among `known`."""
        choices = sorted(known)
        lowered = {choice.lower(): choice for choice in choices}
        matches = get_close_matches(name.lower(), lowered, n=3, cutoff=0.5)
        self.near = tuple(lowered[match] for match in matches)
        hint = f"Did you mean {' or '.join(self.near)}?" if self.near else _some(kind, choices)
        super().__init__(f"There is no {kind} named '{name}'.", why=hint, fix=fix)


class CatalogueError(RequestError):
    """A probe set or an audit file cannot be read or does not hold what it must."""


class MissingExtraError(RequestError):
    """A package is missing that one of biaskit's extras installs."""

    def __init__(self, package: str, extra: str) -> None:
        """Say the exact line that installs what is missing."""
        super().__init__(
            f"This needs the package '{package}', which is not installed.",
            fix=f"Install it with: pip install 'biaskit[{extra}]'",
        )


class ModelLoadError(RequestError):
    """A model cannot be found, reached or opened."""


class SparseAutoencoderMismatchError(RequestError):
    """A sparse autoencoder does not fit the site it is asked to read."""


class ImageError(RequestError):
    """An image, or a set of images, cannot be read."""


class LayoutError(RequestError):
    """An activation has no spatial axes, or more than one reading of its shape fits."""


class TextTooLongError(RequestError):
    """Texts are longer than the model can read at once.

    Attributes:
        lengths: The length of each such text, in tokens.
        limit: How many tokens the model reads.
    """

    def __init__(self, lengths: Mapping[str, int], limit: int) -> None:
        """Name the longest text; `lengths` must hold one."""
        self.lengths, self.limit = dict(lengths), limit
        longest = max(self.lengths, key=self.lengths.__getitem__)
        shown = longest if len(longest) <= _MOST_SHOWN else f"{longest[: _MOST_SHOWN - 3]}..."
        super().__init__(
            f"A prompt is {max(self.lengths.values())} tokens long and the model reads at most {limit}: "
            f"'{shown}'.",
            fix="Shorten it.",
        )


class RunError(BiaskitError):
    """An analyzer or the model failed while it ran."""


class ActivationError(RunError):
    """Activations hold values that are not numbers."""


class NothingAuditedError(BiaskitError):
    """Nothing was left to audit."""

    exit_code: ClassVar[int] = 5


class InstrumentError(BiaskitError):
    """The instrument failed, or lacks, its own calibration."""

    exit_code: ClassVar[int] = 6


def _some(kind: str, choices: list[str]) -> str:
    if not choices:
        return f"No {kind} is available."
    shown = ", ".join(choices[:8])
    return f"Known: {shown}{', …' if len(choices) > 8 else '.'}"
