"""What was measured, in the order in which it was measured: the source of findings, figures and table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from biaskit.analyzers.sparse_probing.questions import Question
    from biaskit.probing.evaluation import Evaluation
    from biaskit.records.site import Site

RESIDUAL, LATENTS, NEURONS, TEXT = "residual", "latents", "neurons", "text"
DENSE = frozenset({RESIDUAL, NEURONS})
"""Views of which every coordinate is a model's own; what latents are compared with."""


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """One probe on one question at one place.

    Attributes:
        question: What was told apart.
        view: What the probe saw: `residual`, `latents`, `neurons` or `text`.
        site: Where in the model; None for the text itself.
        evaluation: What it reached, with every fold.
        control: Which control this is, such as `shuffled labels`; empty for a measurement.
        regime: The hard regime, such as `scarcity`; empty for the whole data.
    """

    question: Question
    view: str
    site: Site | None
    evaluation: Evaluation
    control: str = ""
    regime: str = ""

    @property
    def k(self) -> int | None:
        """How many coordinates the probe may use; None for all."""
        return self.evaluation.folds[0].k


@dataclass(slots=True)
class Results:
    """All results of a run.

    Attributes:
        found: The results, in order.
        notes: What was chosen, one sentence each.
        caveats: What was left out, cut or put together, one sentence each.
    """

    found: list[Result] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    caveats: list[str] = field(default_factory=list)

    def where(
        self,
        question: Question | None = None,
        *,
        view: str | None = None,
        probe: str | None = None,
        control: str = "",
        regime: str = "",
    ) -> Iterator[Result]:
        """Yield the results that match; by default those of measurements on the whole data."""
        for result in self.found:
            if (
                (question is None or result.question is question)
                and view in (None, result.view)
                and probe in (None, result.evaluation.probe)
                and (result.control, result.regime) == (control, regime)
            ):
                yield result


def mean_validation(evaluation: Evaluation) -> float:
    """Return the mean validation AUC over splits; below any AUC where there is none."""
    known = [fold.validation_auc for fold in evaluation.folds if fold.validation_auc is not None]
    return float(np.mean(known)) if known else -1.0
