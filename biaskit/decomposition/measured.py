"""What was measured on some images, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from numpy import ndarray
from scipy import stats

from biaskit.decomposition.contrast import Contrast
from biaskit.errors import RequestError
from biaskit.records.estimate import Interval
from biaskit.stats.bootstrap import cluster_interval

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
            degrees_of_freedom=count - 1,
        )

    def over_images(self, contrast: int, clusters: Shaped[ndarray, " n"] | None = None) -> Interval:
        """Return the t interval of the mean over images; its middle is the mean.

        Images vary, and so do their replicates; the spread of images holds both, as each image has levels
        and noise of its own (not so where a plan shares them).

        Args:
            contrast: Which contrast.
            clusters: What each image belongs to, such as its template, where such images stand or fall
                together; None takes each for itself.

        Raises:
            RequestError: There are fewer than two images or clusters.
        """
        values = self.mean[:, contrast]
        members = np.arange(len(values)) if clusters is None else np.asarray(clusters)
        if len(members) != len(values) or len(np.unique(members)) < 2:
            raise RequestError(
                f"An interval over {len(values)} images needs a cluster for each, and two clusters at least."
            )
        return cluster_interval(values, members, level=self.level)

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
        losses: Half the denoising error under each prompt (the second axis), integrated over the trained
            log-SNRs: -log p(x | prompt) but for a part that no prompt changes.
        curves: The integrands.
        tails: What lies outside the trained log-SNRs.
        maps: Pixel by pixel, where it was asked for.
        passes: Rows that the network was given.
    """

    prompts: tuple[str, ...]
    contrasts: tuple[Contrast, ...]
    standard: Pointwise
    orthogonal: Pointwise
    losses: Pointwise
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
