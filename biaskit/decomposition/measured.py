"""What was measured on some images, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy import stats

from biaskit.decomposition.contrast import Contrast
from biaskit.records.estimate import Interval

SHARE_OF_TAIL = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Pointwise:
    """One kind of information, image by image.

    Attributes:
        values: In nats; one row an image, one column a contrast, then replicates; NaN where an image was
            known well enough before.
        level: Confidence level of intervals.
    """

    values: Float[ndarray, "n c r"]
    level: float

    @property
    def mean(self) -> Float[ndarray, "n c"]:
        """Mean over replicates."""
        return np.asarray(np.nanmean(self.values, axis=2))

    @property
    def half_width(self) -> Float[ndarray, "n c"]:
        """Half the width of the t interval over replicates; infinite where there is one replicate."""
        return half_widths(self.values, self.level)

    def interval(self, image: int, contrast: int) -> Interval | None:
        """Return the t interval over replicates of one image; None where there is one replicate."""
        half, count = float(self.half_width[image, contrast]), int(self.replicates[image])
        if not np.isfinite(half):
            return None
        value = float(self.mean[image, contrast])
        return Interval(
            low=value - half,
            high=value + half,
            level=self.level,
            method=f"t({count - 1}) over {count} replicates of the integration rule",
        )

    @property
    def replicates(self) -> Int[ndarray, " n"]:
        """How many replicates each image has."""
        counted: Bool[ndarray, "n r"] = ~np.isnan(self.values[:, 0])
        return np.asarray(counted.sum(axis=1))


def half_widths(values: Float[ndarray, "n c r"], level: float) -> Float[ndarray, "n c"]:
    """Half the width of a t interval over the last axis, `t s / sqrt(r)`; infinite where r is 1."""
    counts = (~np.isnan(values)).sum(axis=2)
    few = counts < 2
    spread = np.where(few, 0.0, np.nanvar(values, axis=2) * counts / np.maximum(counts - 1, 1))
    critical = stats.t.ppf((1 + level) / 2, np.maximum(counts - 1, 1))
    return np.where(few, np.inf, critical * np.sqrt(spread / np.maximum(counts, 1)))


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """Informations pixel by pixel of the latent, in nats a pixel, means over replicates.

    Attributes:
        standard: Signed.
        orthogonal: Never negative.
    """

    standard: Float[ndarray, "n c h w"]
    orthogonal: Float[ndarray, "n c h w"]


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """Integrands over log-SNR, means over replicates within each stratum of the rule.

    Attributes:
        log_snrs: Mean log-SNR of each stratum.
        errors: Denoising error of each image under each prompt, summed over the latent.
        differences: Squared difference of the predictions of each contrast.
    """

    log_snrs: Float[ndarray, " k"]
    errors: Float[ndarray, "n p k"]
    differences: Float[ndarray, "n c k"]


@dataclass(frozen=True, slots=True, eq=False)
class Tails:
    """What of the orthogonal information lies outside the trained log-SNRs, to leading order, in nats.

    Attributes:
        low: Below them.
        high: Above them.
    """

    low: Float[ndarray, "n c"]
    high: Float[ndarray, "n c"]


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Informations of some images under some contrasts of prompts.

    Attributes:
        prompts: The prompts, as they were given.
        contrasts: What was compared with what.
        standard: log p(x | added) - log p(x | given) on the trained log-SNRs: signed, adds up along chains.
        orthogonal: The squared difference of predictions, integrated: never negative and much less noisy; its
            average over images of the added prompt is that of `standard`, its single values are not.
        curves: The integrands.
        tails: What lies outside the trained log-SNRs.
        maps: Pixel by pixel, where it was asked for.
        passes: Rows that the network was given.
    """

    prompts: tuple[str, ...]
    contrasts: tuple[Contrast, ...]
    standard: Pointwise
    orthogonal: Pointwise
    curves: Curves
    tails: Tails
    maps: Maps | None
    passes: int

    def remarks(self) -> tuple[str, ...]:
        """Say what share of the information the trained levels miss, where it is above 1 %."""
        inside = self.orthogonal.mean.sum(axis=0)
        outside = (self.tails.low + self.tails.high).sum(axis=0)
        return tuple(
            f"About {share:.0%} of what '{self.prompts[pair.added]}' says over '{self.prompts[pair.given]}' "
            "lies outside the noise levels that the model was trained on; it is not in the figures."
            for pair, share in zip(self.contrasts, _shares(inside, outside), strict=True)
            if share > SHARE_OF_TAIL
        )


def _shares(inside: Sequence[float] | ndarray, outside: Sequence[float] | ndarray) -> list[float]:
    whole = np.asarray(inside) + np.asarray(outside)
    return [float(out / total) if total > 0 else 0.0 for out, total in zip(outside, whole, strict=True)]
