"""The bench on which probes are judged: the same splits and inner folds for whatever is compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from biaskit.analyzers.sparse_probing.results import Result
from biaskit.errors import RequestError
from biaskit.probing.evaluation import Task, evaluate_many
from biaskit.probing.splits import GroupFolds, nested_splits

if TYPE_CHECKING:
    from biaskit.analyzers.sparse_probing.questions import Question
    from biaskit.probing.probe import Probe, Rows
    from biaskit.probing.problem import Problem
    from biaskit.probing.split import Split
    from biaskit.records.site import Site
    from biaskit.session import Session


@dataclass(frozen=True, slots=True)
class Folds:
    """How rows are divided.

    Attributes:
        repeats: How many times all rows are divided anew.
        outer: Folds per repeat, whose test rows judge a probe.
        inner: Folds inside the training rows, which choose its settings.
    """

    repeats: int
    outer: int
    inner: int


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """The rows of one question at one place.

    Attributes:
        question: What is told apart.
        view: What the rows are: `residual`, `latents`, `neurons` or `text`.
        site: Where in the model; None for the text itself.
        rows: The rows.
    """

    question: Question
    view: str
    site: Site | None
    rows: Rows


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """Judges probes at places, always on the same divisions of a question's rows.

    Attributes:
        session: Source of the generators and of the progress bar.
        folds: How rows are divided.
        splits: The divisions of each question, by its name.
    """

    session: Session
    folds: Folds
    splits: Mapping[str, tuple[Split, ...]]

    @classmethod
    def of(
        cls, session: Session, questions: Sequence[Question], folds: Folds
    ) -> tuple[Bench, tuple[str, ...]]:
        """Divide the rows of every question; returns the bench and what had to give way, in sentences.

        A question whose rows cannot be divided is left out, with the reason.

        Raises:
            RequestError: No question can be divided.
        """
        splits: dict[str, tuple[Split, ...]] = {}
        notes: list[str] = []
        failures: list[RequestError] = []
        for question in questions:
            rng = session.rng(f"sparse-probing/splits/{question.name}")
            try:
                divided = nested_splits(question.problem, folds.repeats, folds.outer, rng)
            except RequestError as error:
                failures.append(error)
                notes.append(f"{question.name}: not probed. {error.what}")
                continue
            splits[question.name] = divided.splits
            notes.extend(divided.notes)
        if failures and not splits:
            raise failures[0]
        return cls(session, folds, splits), tuple(notes)

    def judge(self, places: Sequence[Place], probe: Probe, label: str, control: str = "") -> list[Result]:
        """Judge a probe at every place; one result for each place and variant of the probe."""
        tasks = [Task(one.rows, one.question.problem, self.splits[one.question.name]) for one in places]
        # All fits are handed over at once, so there is one step to report.
        batches = self.session.progress.track([tasks], label)
        return [found for batch in batches for found in self.judge_tasks(places, batch, probe, control)]

    def judge_tasks(
        self,
        places: Sequence[Place],
        tasks: Sequence[Task],
        probe: Probe,
        control: str = "",
        regime: str = "",
    ) -> list[Result]:
        """Judge a probe on tasks of the caller's own, one for each place."""
        rng = self.session.rng("sparse-probing/probes")
        judged = evaluate_many(tasks, probe, GroupFolds(self.folds.inner), rng)
        return [
            Result(place.question, place.view, place.site, evaluation, control, regime)
            for place, by_variant in zip(places, judged, strict=True)
            for evaluation in by_variant.values()
        ]

    def once(self, problem: Problem, rng: np.random.Generator) -> tuple[Split, ...]:
        """Divide another labelling of a question's rows, once; nothing where its classes cannot be."""
        try:
            return nested_splits(problem, 1, self.folds.outer, rng).splits
        except RequestError:
            return ()
