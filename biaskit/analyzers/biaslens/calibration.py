"""No axis speaks before it has been calibrated by intervention.

A step of +-a u is added to neutral controls' activations; the slope of the behaviour in a, in nats per
unit of activation, stands beside the slopes of 20 random axes of equal length. Beyond all of them, the
axis is oriented: its projection times the slope is a score in nats, turned where the slope is negative.
Otherwise it says nothing about this behaviour, whatever it separates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from biaskit.analyzers.biaslens.measured import centred
from biaskit.analyzers.biaslens.read_point import log_odds, logprobs_with
from biaskit.stats.bootstrap import two_way_interval

if TYPE_CHECKING:
    from biaskit.analyzers.biaslens.measured import Measured
    from biaskit.concepts.pole_tokens import PoleTokens
    from biaskit.records.estimate import Interval
    from biaskit.session import Session

RANDOM_AXES = 20
CONTROLS = 12


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """What moving neutral controls along an axis does to the behaviour.

    Attributes:
        slope: Change of the log-odds for one unit along the axis, in nats; the mean over stems and controls.
        interval: Its two-way clustered interval.
        random: The slopes of random axes of equal length.
        by_stem: The slope in each stem, averaged over controls.
    """

    slope: float
    interval: Interval
    random: Float[ndarray, " r"]
    by_stem: Float[ndarray, " g"]

    @property
    def oriented(self) -> bool:
        """Tell whether the slope is larger in size than every random axis's and its interval leaves out 0."""
        return abs(self.slope) > np.abs(self.random).max() and 0.0 not in self.interval

    @property
    def turned(self) -> bool:
        """Tell whether the axis is oriented and points at the second pole."""
        return self.oriented and self.slope < 0


class Calibrator:
    """Moves the same neutral controls along one axis after another, at the reported point."""

    def __init__(self, session: Session, measured: Measured, tokens: PoleTokens) -> None:
        """Draw the controls and the random axes, and read where the controls are.

        Args:
            session: The model and its store.
            measured: The reading, references given the target.
            tokens: The next tokens that stand for the poles.
        """
        self._session, self._measured, self._tokens = session, measured, tokens
        prompts = measured.grid.prompts
        self._cells = measured.activations.double()
        self._columns = _drawn(session, measured)
        self._base = self._cells[:, self._columns].flatten(0, 1)
        stems, fillers = measured.grid.shape
        self._prompts = [
            prompts[stem * fillers + column] for stem in range(stems) for column in self._columns
        ]
        self._step = 0.5 * float((self._base - self._base.mean(0)).norm(dim=1).mean())
        generator = session.torch_rng("biaslens/calibration")
        axes = torch.randn(RANDOM_AXES, self._base.shape[1], generator=generator, dtype=torch.float64)
        self._random = np.array([self._slopes(torch.nn.functional.normalize(a, dim=0)).mean() for a in axes])

    def calibrate(self, axis: Float[Tensor, " d"]) -> Calibration:
        """Return the slope of the behaviour along a unit axis, beside the random ones."""
        cells = self._slopes(axis)
        return Calibration(float(cells.mean()), two_way_interval(cells), self._random, cells.mean(axis=1))

    def scores(self, axis: Float[Tensor, " d"], calibration: Calibration) -> Float[ndarray, "g n"]:
        """Return the projection on the axis times its slope, centred on the controls, in nats."""
        projected = (self._cells @ axis.double()).numpy() * calibration.slope
        return centred(projected, self._measured.nouns.controls)

    def _slopes(self, axis: Float[Tensor, " d"]) -> Float[ndarray, "g c"]:
        up, down = (
            log_odds(
                logprobs_with(
                    self._session.model,
                    self._prompts,
                    self._measured.point,
                    (self._base + sign * self._step * axis.double()).float(),
                    self._tokens.all,
                ),
                len(self._tokens.first),
            )
            for sign in (1, -1)
        )
        return ((up - down) / (2 * self._step)).view(len(self._measured.grid.stems), -1).numpy()


def _drawn(session: Session, measured: Measured) -> Int[ndarray, " c"]:
    controls = np.asarray(measured.nouns.controls)
    rng = session.rng("biaslens/calibration/controls")
    return np.sort(rng.choice(controls, size=min(CONTROLS, len(controls)), replace=False))
