"""Minimum description length by an online code: how hard a property is to read, not only how well.

Voita and Titov 2020 (arXiv 2003.12298, section 2.2.2, equation 4, footnote 4): labels are sent in blocks. The
first block costs log2 K bits a row; each next block is coded by a probe fitted on all rows sent before,

    L = t_1 log2 K - sum_i log2 p_i(labels of block i + 1),     compression = n log2 K / L.

A probe that has seen t rows is never believed to be surer than (t + 1) / (t + 2), Laplace's rule of
succession: probes that say 0 or 1 (nearest neighbours) would else pay without bound for one error. The
published probes, which never do, lose at most about 1.4 bits a block by it.

A property that is read from few rows by a simple probe compresses far; one that must be learnt by heart
does not. Labels that say nothing give a compression of about 1, or below.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.special import log_expit

from biaskit.errors import RequestError
from biaskit.probing.probe import Fitted, Job, Probe, Rows, Setting
from biaskit.probing.problem import Problem
from biaskit.records.estimate import Estimate, Interval, Unit
from biaskit.stats.bootstrap import cluster_interval

FRACTIONS = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.0625, 0.125, 0.25, 0.5, 1.0)
"""Ends of the blocks as shares of the rows."""


@dataclass(frozen=True, slots=True, eq=False)
class OnlineCode:
    """What sending the labels took.

    Attributes:
        problem: Whose labels were sent.
        probe: Name of the probe.
        variant: Name of its variant.
        ends: Rows sent after each block, the last one all.
        settings: The setting that coded each block but the first.
        bits: Bits that each row's label took, in the order of the problem's rows.
    """

    problem: Problem
    probe: str
    variant: str
    ends: tuple[int, ...]
    settings: tuple[Setting, ...]
    bits: Float[ndarray, " n"]

    @property
    def length(self) -> float:
        """L, in bits."""
        return float(self.bits.sum())

    @property
    def compression(self) -> float:
        """Length of the uniform code over that of the online code; 1 where the rows say nothing."""
        return len(self.bits) / self.length

    def estimate(self) -> Estimate:
        """Return the compression, with an interval over groups for the probes as they were fitted.

        Bits per row get a cluster-robust t interval over groups, which is turned over into compression. The
        order in which rows were sent, and so what each probe was fitted on, is taken as given.
        """
        groups = len(np.unique(self.problem.groups))
        several = groups > 1 and float(np.ptp(self.bits)) > 0
        return Estimate(
            value=self.compression,
            unit=Unit.ONE,
            n=groups,
            resampling_unit=self.problem.grouping,
            method=f"compression by an online code of {len(self.ends)} blocks, {self.probe}",
            interval=self._interval() if several else None,
            reason="no null is refitted: at 1 the labels cost what a coin costs"
            if several
            else f"a single one of the {self.problem.grouping}, or the same cost for all rows, has no spread",
        )

    def _interval(self) -> Interval:
        """The interval of the bits a row, turned over; the first block is sent raw whatever is read."""
        bits = cluster_interval(self.bits, self.problem.groups)
        raw = self.ends[0] / len(self.bits)
        return bits.model_copy(update={"low": 1 / bits.high, "high": 1 / max(bits.low, raw)})


def online_code(
    activations: Rows,
    problem: Problem,
    probe: Probe,
    rng: np.random.Generator,
    fractions: Sequence[float] = FRACTIONS,
) -> dict[str, OnlineCode]:
    """Send the labels block by block and count the bits.

    Groups are sent whole and in random order: a block ends with the group in which its share of rows is
    reached, so no probe codes a row whose group it was fitted on. Blocks that hold no group are left out.
    Where a variant has several settings, a block is coded by the one that has coded the earlier blocks in
    the fewest bits (of equals the first); the receiver can tell which, so it costs nothing to say.

    Args:
        activations: One row for each row of the problem.
        problem: Whose labels are sent.
        probe: What codes them.
        rng: Source of the order, then of whatever the probe draws.
        fractions: Ends of the blocks, increasing to 1.

    Returns:
        One code for each variant of the probe.

    Raises:
        RequestError: The fractions do not increase to 1, or activations and labels differ in number.
    """
    if list(fractions) != sorted(set(fractions)) or fractions[0] <= 0 or fractions[-1] != 1:
        raise RequestError("The ends of the blocks must increase from above 0 to 1.")
    if activations.shape[0] != len(problem):
        raise RequestError(f"There are {activations.shape[0]} activations and {len(problem)} labels.")
    order, ends = _blocks(problem.groups, fractions, rng)
    blocks = [(order[:start], order[start:end]) for start, end in pairwise(ends)]
    jobs = [Job(activations, problem.labels, sent, block) for sent, block in blocks]
    settings = probe.settings(len(problem), int(activations.shape[1]))
    fits = list(probe.fit(jobs, settings, rng)) if jobs else []
    bits = [_bits(fitted, job) for fitted, job in zip(fits, jobs, strict=True)]
    codes = {}
    for variant, members in _variants(settings).items():
        chosen = _followed([block[members].sum(axis=1) for block in bits])
        row_bits = np.ones(len(problem))
        for job, block, index in zip(jobs, bits, chosen, strict=True):
            row_bits[job.held_out] = block[members[index]]
        used = tuple(settings[members[index]] for index in chosen)
        codes[variant] = OnlineCode(problem, probe.name, variant, tuple(ends), used, row_bits)
    return codes


def _blocks(
    groups: Int[ndarray, " n"], fractions: Sequence[float], rng: np.random.Generator
) -> tuple[Int[ndarray, " n"], list[int]]:
    """The rows in the order they are sent, and how many were sent after each block."""
    names, index = np.unique(groups, return_inverse=True)
    place = rng.permutation(len(names))[index]
    order = np.lexsort((rng.permutation(len(groups)), place))
    whole = np.cumsum(np.bincount(place))
    wanted = np.maximum(np.floor(np.asarray(fractions) * len(groups)), 1)
    return order, sorted({int(whole[np.searchsorted(whole, rows)]) for rows in wanted})


def _bits(fitted: Fitted, job: Job) -> Float[ndarray, "s b"]:
    """-log2 of the probability that each setting gave to each held-out label."""
    surest = float(np.log(len(job.train) + 1))
    odds = np.clip(fitted.log_odds.astype(float), -surest, surest)
    bits: Float[ndarray, "s b"] = -log_expit(np.where(job.labels[job.held_out], odds, -odds)) / np.log(2)
    return bits


def _variants(settings: Sequence[Setting]) -> Mapping[str, list[int]]:
    variants: dict[str, list[int]] = {}
    for index, setting in enumerate(settings):
        variants.setdefault(setting.variant, []).append(index)
    return variants


def _followed(lengths: Sequence[Float[ndarray, " s"]]) -> list[int]:
    """For each block the setting that was shortest on the blocks before it."""
    so_far = np.cumsum([np.zeros_like(lengths[0]), *lengths[:-1]], axis=0) if lengths else np.zeros((0, 1))
    return [int(index) for index in so_far.argmin(axis=1)]
