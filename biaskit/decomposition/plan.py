"""How much is computed: levels, replicates, and when it is enough."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from biaskit.errors import RequestError

if TYPE_CHECKING:
    from biaskit.decomposition.density import Density


@dataclass(frozen=True, slots=True)
class Enough:
    """When more replicates stop being drawn: every contrast of every image is known so well.

    Attributes:
        half_width: Half the width of the interval over replicates, in nats.
        relative: The same as a share of the value; whichever of the two is met first is enough.
        most_replicates: Replicates at which it ends in any case.
    """

    half_width: float = 0.0
    relative: float = 0.0
    most_replicates: int = 64

    def __post_init__(self) -> None:
        """Refuse limits that are never met or have no meaning."""
        if min(self.half_width, self.relative) < 0 or max(self.half_width, self.relative) == 0:
            raise RequestError("A stopping rule needs a half-width above 0, in nats or as a share.")


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan of evaluations.

    Attributes:
        nodes: Log-SNRs that a replicate visits, each with a pair of noises (eps, -eps).
        replicates: Independent replicates of the whole rule; from 2 on there is an interval over them.
        enough: When further replicates are drawn after these; None draws none.
        density: Where the information lies in log-SNR, calibrated on this model; None visits all alike.
        seed: Seed of levels and noise.
        shared: Whether all images get the same levels and noise, so that images are compared in pairs.
        normalised: Whether the part of the error that is odd in the noise counts d / ||eps||^2; see `passes`.
        level: Confidence level of intervals.
    """

    nodes: int = 16
    replicates: int = 4
    enough: Enough | None = None
    density: Density | None = field(default=None, compare=False)
    seed: int = 0
    shared: bool = False
    normalised: bool = True
    level: float = 0.95

    def __post_init__(self) -> None:
        """Refuse numbers out of their range.

        Raises:
            RequestError: Nothing would be computed, or a level is no share.
        """
        if self.nodes < 2 or self.replicates < 1 or not 0 < self.level < 1:
            raise RequestError("A plan needs 2 nodes and 1 replicate at least, and a level between 0 and 1.")
        if self.enough is not None and self.replicates < 2:
            raise RequestError(
                "One replicate alone has no interval, so nothing tells when it is enough.",
                fix="Begin with at least 2 replicates.",
            )

    @property
    def passes(self) -> int:
        """Network passes a prompt and image before any further replicate."""
        return 2 * self.nodes * self.replicates
