"""The rows that a probe gets most wrong: what stands behind an AUC below 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from biaskit.concepts.probe_auc import in_order
from biaskit.records.finding import Evidence

if TYPE_CHECKING:
    from biaskit.analyzers.sparse_probing.questions import Question
    from biaskit.probing.evaluation import Evaluation

MOST = 10


def wrong_rows(question: Question, evaluation: Evaluation) -> tuple[Evidence, ...]:
    """Return the ten rows with the smallest share of pairs in order, mean over the folds that test them.

    A row's share is that of the other class's rows it is on the right side of, ties one half; the mean
    over the rows of a class is the AUC. Rows that are always in order are left out.
    """
    sums, counts = np.zeros(len(question.prompts)), np.zeros(len(question.prompts))
    for fold in evaluation.folds:
        test = fold.split.test
        labels = evaluation.problem.labels[test]
        if labels.any() and not labels.all():
            sums[test] += in_order(fold.log_odds, labels)
            counts[test] += 1
    shares = np.divide(sums, counts, out=np.ones_like(sums), where=counts > 0)
    worst = [row for row in np.argsort(shares, kind="stable")[:MOST] if shares[row] < 1.0]
    return tuple(
        Evidence(text=question.prompts[row].text, value=float(shares[row]), filler=_class(question, int(row)))
        for row in worst
    )


def _class(question: Question, row: int) -> str:
    return question.poles[0] if question.problem.labels[row] else question.poles[1]
