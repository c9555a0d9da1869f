"""How much is computed: levels, replicates, and when it is enough."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from biaskit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biaskit.decomposition.density import Density

Kind: TypeAlias = Literal["standard", "orthogonal"]
FIRST_LOOK = 8
"""Replicates before it is first asked whether they are enough; see `Enough`."""


@dataclass(frozen=True, slots=True)
class Enough:
    """When more replicates stop being drawn: every contrast of an image is known so well.

    Stopping when an interval looks narrow favours replicates that happen to agree, so that the interval
    covers less than it says. First asked after 8 replicates, and then each time there are half as many again,
    intervals at 0.95 cover 0.935 to 0.951 whatever the width asked for; first asked after 4 they would cover
    0.914 at worst, after 3 0.904 (20,000 simulated runs with normal replicates, at most 64 of them).

    Attributes:
        half_width: Half the width of the interval over replicates, in nats.
        relative: The same as a share of the value; whichever of the two is met first is enough.
        most_replicates: Replicates at which it ends in any case.
        kinds: Which of the two informations must be known so well.
    """

    half_width: float = 0.0
    relative: float = 0.0
    most_replicates: int = 64
    kinds: tuple[Kind, ...] = ("standard", "orthogonal")

    def __post_init__(self) -> None:
        """Refuse limits that are never met or have no meaning."""
        if min(self.half_width, self.relative) < 0 or max(self.half_width, self.relative) == 0:
            raise RequestError("A stopping rule needs a half-width above 0, in nats or as a share.")
        if self.most_replicates < 2 or not self.kinds:
            raise RequestError("A stopping rule needs 2 replicates at least, and an information to look at.")


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan of evaluations.

    Attributes:
        nodes: Log-SNRs that a replicate visits, each with a pair of noises (eps, -eps).
        replicates: Independent replicates of the whole rule; from 2 on there is an interval over them.
        enough: When further replicates are drawn, and when no more; None draws none.
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

    def looks(self) -> Iterator[int]:
        """Go through the numbers of replicates after which it is asked whether they are enough."""
        if self.enough is None:
            yield self.replicates
            return
        most = max(self.enough.most_replicates, self.replicates)
        count = min(most, max(self.replicates, FIRST_LOOK))
        while count < most:
            yield count
            count = min(most, count + count // 2)
        yield count

    @property
    def passes(self) -> int:
        """Network passes a prompt and image before any further replicate."""
        return 2 * self.nodes * self.replicates
