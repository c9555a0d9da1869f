"""Can a sensitive attribute be read from activations that should not carry it, before and after erasure?

An eraser that linear probes cannot get past may leave what a non-linear probe still reads, so both stand side
by side, and a floor of shuffled labels under them.

By default the eraser is fitted on the very rows the probes are fitted on, as in the publications. LEACE then
leaves a linear probe nothing at all to fit, and its AUC of one half is partly by construction. With `apart`
the training groups are halved: the eraser is fitted on one half and the probes on the other, which asks
whether somebody with rows of their own could read the attribute.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from biaskit.concepts.erasure import Eraser, InlpFitter, fit_leace, mean_projection
from biaskit.errors import RequestError
from biaskit.probing.controls import shuffled
from biaskit.probing.evaluation import Evaluation, Task, evaluate
from biaskit.probing.probe import Probe
from biaskit.probing.problem import Problem
from biaskit.probing.split import InnerRule, Split
from biaskit.probing.splits import GroupFolds


class Erasure(StrEnum):
    """What is done to the activations before they are probed."""

    NONE = "none"
    MEAN_PROJECTION = "mean projection"
    LEACE = "leace"
    INLP = "inlp"
    SHUFFLED = "labels shuffled"
    """Nothing is erased, but the labels are shuffled over groups: the floor."""


@dataclass(frozen=True, slots=True, eq=False)
class Leak:
    """What one probe reads after one erasure.

    Attributes:
        erasure: What was done before.
        evaluation: The probe on all splits; `evaluation.estimate()` is its AUC with an interval.
        ranks: Dimensions taken away on each split.
    """

    erasure: Erasure
    evaluation: Evaluation
    ranks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LeakageTest:
    """Settings of a leakage test.

    Attributes:
        erasures: What to try, in order.
        inner: How the probes' settings are chosen.
        apart: Whether eraser and probes are fitted on different halves of the training groups.
        inlp_iterations: Most directions that INLP takes away.
    """

    erasures: tuple[Erasure, ...] = tuple(Erasure)
    inner: InnerRule = field(default_factory=GroupFolds)
    apart: bool = False
    inlp_iterations: int = 35

    def run(self, task: Task, probes: Sequence[Probe], rng: np.random.Generator) -> tuple[Leak, ...]:
        """Fit each eraser on each split's training rows, erase all rows with it, and probe.

        The test rows are touched by no fit. All erasures meet the same splits, the same inner folds and, for
        probes that draw, the same draws.

        Args:
            task: Dense activations, the attribute as the problem, and splits between groups.
            probes: Linear and non-linear ones.
            rng: Source of seeds, inner folds and shuffles.

        Returns:
            One leak for each erasure, probe and variant, in this order.

        Raises:
            RequestError: The activations are sparse, or training rows are too few to divide.
        """
        if not isinstance(task.activations, ndarray):
            raise RequestError(
                "Erasure needs dense activations, and these are sparse latents.",
                fix="Test the residual stream, or make the latents dense.",
            )
        seeds = rng.integers(2**31, size=len(task.splits))
        floor = replace(task, problem=shuffled(task.problem, rng))
        leaks: list[Leak] = []
        for erasure in self.erasures:
            subject = floor if erasure is Erasure.SHUFFLED else task
            leaks += self._leaks(erasure, subject, probes, seeds)
        return tuple(leaks)

    def _leaks(
        self, erasure: Erasure, task: Task, probes: Sequence[Probe], seeds: Int[ndarray, " s"]
    ) -> list[Leak]:
        ranks, parts = [], []
        for split, seed in zip(task.splits, seeds.tolist(), strict=True):
            fitted_on, probed = self._halves(task.problem, split, np.random.default_rng(seed))
            rows, rank = self._erased(erasure, task, fitted_on)
            ranks.append(rank)
            part = Task(rows, task.problem, (probed,))
            parts.append([self._read(part, probe, np.random.default_rng(seed)) for probe in probes])
        joined = [_joined([part[number] for part in parts]) for number in range(len(probes))]
        return [Leak(erasure, one, tuple(ranks)) for by_variant in joined for one in by_variant]

    def _read(self, task: Task, probe: Probe, rng: np.random.Generator) -> dict[str, Evaluation]:
        return evaluate(task, probe, self.inner, rng, optimism=False)

    def _halves(
        self, problem: Problem, split: Split, rng: np.random.Generator
    ) -> tuple[Int[ndarray, " e"], Split]:
        """Rows the eraser is fitted on, and the division the probes get."""
        if not self.apart:
            return split.train, split
        halves = GroupFolds(2).folds(problem.labels, problem.groups, split.train, rng)
        if not halves:
            raise RequestError(
                f"The training rows of '{problem.name}' cannot be halved with both classes on both sides.",
                fix=f"Give more {problem.grouping}, or fit eraser and probes on the same rows.",
            )
        mine, theirs = halves[0]
        return mine, replace(split, train=theirs)

    def _erased(
        self, erasure: Erasure, task: Task, rows: Int[ndarray, " e"]
    ) -> tuple[Float[ndarray, "n d"], int]:
        activations = torch.from_numpy(np.asarray(task.activations))
        eraser = self._eraser(
            erasure, activations[rows], task.problem.labels[rows], task.problem.groups[rows]
        )
        if eraser is None:
            return np.asarray(task.activations), 0
        return eraser(activations).numpy(), eraser.rank

    def _eraser(
        self,
        erasure: Erasure,
        rows: Float[torch.Tensor, "e d"],
        labels: Bool[ndarray, " e"],
        groups: Int[ndarray, " e"],
    ) -> Eraser | None:
        """The eraser; None where nothing is to be erased."""
        told = torch.from_numpy(labels)
        if erasure is Erasure.LEACE:
            return fit_leace(rows, told.double())
        if erasure is Erasure.INLP:
            return InlpFitter(iterations=self.inlp_iterations).fit(rows, told.long(), groups).eraser
        if erasure is Erasure.MEAN_PROJECTION:
            means = rows[told].double().mean(dim=0), rows[~told].double().mean(dim=0)
            return mean_projection((means[0] - means[1])[None], (means[0] + means[1]) / 2)
        return None


def _joined(parts: Sequence[Mapping[str, Evaluation]]) -> list[Evaluation]:
    """The evaluations of one split each, by variant, as one evaluation of all splits."""
    return [
        replace(first, folds=tuple(fold for part in parts for fold in part[variant].folds))
        for variant, first in parts[0].items()
    ]
