"""The controls beside every figure: what a probe reaches where there is nothing to read inside the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from biaskit.analyzers.sparse_probing.bench import Place
from biaskit.analyzers.sparse_probing.methods import dense, k_sparse
from biaskit.analyzers.sparse_probing.results import TEXT, Result, Results
from biaskit.errors import RequestError
from biaskit.probing import controls
from biaskit.probing.evaluation import Task, evaluate
from biaskit.probing.input_only import BagOfWords, text_lengths, word_counts
from biaskit.probing.selectors import RandomCoordinates
from biaskit.probing.splits import GroupFolds, template_splits

if TYPE_CHECKING:
    from biaskit.analyzers.sparse_probing.bench import Bench
    from biaskit.analyzers.sparse_probing.measure import Subject
    from biaskit.probing.evaluation import Evaluation
    from biaskit.probing.k_sparse import KSparse
    from biaskit.probing.probe import Probe
    from biaskit.probing.problem import Problem

SHUFFLED, RANDOM, TWIN = "shuffled labels", "random coordinates", "random weights"
BAG, LENGTH = "bag of words", "length"
SHUFFLED_KS = (1, 16, 128)
MOST_SPARSE_SHUFFLES = 5
"""Shuffles of the path over k, which costs as much as all other shuffles; it is a floor and not a test."""


@dataclass(frozen=True, slots=True, eq=False)
class Floors:
    """Judges the controls on the same rows, splits and probes as what they stand beside.

    Attributes:
        bench: The divisions.
        subject: What is probed.
        sparse: The probe of few latents.
        shuffles: How often labels are shuffled.
    """

    bench: Bench
    subject: Subject
    sparse: KSparse
    shuffles: int

    def measure(self, names: Sequence[str]) -> Results:
        """Judge the named controls; what cannot be judged is said in the caveats."""
        known: dict[str, Callable[[Results], Iterator[Result]]] = {
            "shuffled-labels": self._shuffled,
            "random-coordinates": self._random_coordinates,
            "random-weights": self._random_weights,
            "bag-of-words": self._bag_of_words,
            "length": self._lengths,
        }
        results = Results()
        for name in names:
            if name in known:
                results.found += list(known[name](results))
        return results

    def _shuffled(self, _results: Results) -> Iterator[Result]:
        """Shuffle the labels of whole groups, then select, choose and fit as before, many times over.

        The dense probe is fitted at every site, so that a choice among sites can be repeated.
        """
        few = k_sparse(
            self.sparse.selector, [k for k in self.sparse.ks if k in SHUFFLED_KS] or self.sparse.ks
        )
        subject, track = self.subject, self.bench.session.progress.track
        for question in track(subject.questions, "probing shuffled labels"):
            places = [subject.at(site, question) for site in subject.sites]
            yield from self._shuffles(places, dense(), self.shuffles)
        for place in track(subject.latents, "shuffling for the latents"):
            yield from self._shuffles([place], few, min(self.shuffles, MOST_SPARSE_SHUFFLES))

    def _shuffles(self, places: Sequence[Place], probe: Probe, count: int) -> list[Result]:
        """Judge the places of one question on the same shuffles; what cannot be divided is left out."""
        problem = places[0].question.problem
        rng = self.bench.session.rng(f"sparse-probing/shuffled/{places[0].question.name}")
        drawn = [
            (shuffled, splits)
            for shuffled in (controls.shuffled(problem, rng) for _ in range(count))
            if (splits := self.bench.once(shuffled, rng))
        ]
        pairs = [(place, Task(place.rows, *one)) for place in places for one in drawn]
        own, tasks = [place for place, _ in pairs], [task for _, task in pairs]
        return self.bench.judge_tasks(own, tasks, probe, SHUFFLED)

    def _random_coordinates(self, _results: Results) -> Iterator[Result]:
        places = self.subject.latents or self.subject.residual(self.subject.focus)
        probe = k_sparse(RandomCoordinates(), self.sparse.ks)
        yield from self.bench.judge(places, probe, "probing random coordinates", RANDOM)

    def _random_weights(self, results: Results) -> Iterator[Result]:
        """Read the same texts through a twin with random weights, at every site."""
        reader = self.subject.reader
        try:
            twin = reader.session.model.reinitialised(reader.session.seed)
        except RequestError as error:
            results.caveats.append(f"The random-weights control was not run. {error.what}")
            return
        own = replace(self.subject, reader=reader.twin(twin))
        own.reader.capture(own.questions, own.sites)
        places = [place for site in own.sites for place in own.residual(site)]
        yield from self.bench.judge(places, dense(), "probing random weights", TWIN)

    def _bag_of_words(self, results: Results) -> Iterator[Result]:
        places = []
        for one in self.subject.questions:
            try:
                counts = word_counts([prompt.text for prompt in one.prompts])
            except RequestError as error:
                results.caveats.append(f"{one.name}: the bag-of-words control was not run. {error.what}")
                continue
            places.append(Place(one, TEXT, None, counts))
        if places:
            yield from self.bench.judge(places, BagOfWords(), "reading the words alone", BAG)

    def _lengths(self, _results: Results) -> Iterator[Result]:
        places = [
            Place(one, TEXT, None, text_lengths([prompt.text for prompt in one.prompts]))
            for one in self.subject.questions
        ]
        yield from self.bench.judge(places, dense(), "reading the length alone", LENGTH)


def control_task(bench: Bench, place: Place) -> tuple[Evaluation, Evaluation] | None:
    """Judge a question and Hewitt and Liang's control task, split by template; None without templates."""
    question, session = place.question, bench.session
    if question.problem.crossed is None:
        return None
    rng = session.rng(f"sparse-probing/control-task/{question.name}")
    control = controls.control_task(question.problem, rng)
    splits = template_splits(question.problem, bench.folds.repeats, bench.folds.outer, rng).splits
    probe, inner = dense(), GroupFolds(bench.folds.inner)

    def judged(problem: Problem) -> Evaluation:
        task = Task(place.rows, problem, splits)
        return evaluate(task, probe, inner, session.rng("sparse-probing/control-task"))[""]

    return judged(controls.by_template(question.problem)), judged(control)
