"""The measurements: a profile over sites, baselines and latents at one site, the hard regimes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array, vstack

from biaskit.analyzers.sparse_probing.bench import Place
from biaskit.analyzers.sparse_probing.methods import ATTENTION, LOGISTIC, dense, k_sparse
from biaskit.analyzers.sparse_probing.results import LATENTS, NEURONS, RESIDUAL, Result, Results
from biaskit.errors import RequestError
from biaskit.probing import regimes
from biaskit.probing.evaluation import Task
from biaskit.records.site import Site, SiteKind

if TYPE_CHECKING:
    from biaskit.analyzers.sparse_probing.bench import Bench
    from biaskit.analyzers.sparse_probing.questions import Question
    from biaskit.analyzers.sparse_probing.reading import Reader
    from biaskit.concepts.sae_source import View
    from biaskit.probing.probe import Probe, Rows
    from biaskit.probing.selectors import Selector
    from biaskit.probing.split import Split

REGIMES = {
    "scarcity": regimes.scarcity,
    "imbalance": regimes.imbalance,
    "label-noise": regimes.label_noise,
}
LEVELS = {"scarcity": regimes.SIZES, "imbalance": regimes.RATIOS, "label-noise": regimes.FLIPS}
SHIFT = "shift"
REGIME_KS = (16, 128)
"""The numbers of latents that the published study carries through its hard regimes."""


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """What is probed, and where.

    Attributes:
        reader: Reads the prompts.
        questions: What is told apart.
        sites: Every site of the profile.
        focus: The site at which methods are compared.
        view: The autoencoder of that site.
        latents: Every question's latents; nothing where no autoencoder fits.
    """

    reader: Reader
    questions: tuple[Question, ...]
    sites: tuple[Site, ...]
    focus: Site
    view: View
    latents: tuple[Place, ...] = ()

    def residual(self, site: Site) -> list[Place]:
        """Return every question's rows at one site."""
        return [self.at(site, question) for question in self.questions]

    def at(self, site: Site, question: Question) -> Place:
        """Return one question's rows at one site."""
        kind = NEURONS if site.kind is SiteKind.MLP_POST else RESIDUAL
        return Place(question, kind, site, self.reader.rows(question, site))

    def focused(self, focus: Site) -> Subject:
        """Return the same subject with its methods compared at `focus`, and its latents encoded there."""
        autoencoder, read = self.view.autoencoder, self.reader.latents
        if autoencoder is None:
            return replace(self, focus=focus)
        latents = tuple(Place(one, LATENTS, focus, read(one, autoencoder)) for one in self.questions)
        return replace(self, focus=focus, latents=latents)

    def tokens(self) -> list[Place]:
        """Return every question's activations at every token of the focus site."""
        return [
            Place(one, RESIDUAL, self.focus, self.reader.tokens(one, self.focus)) for one in self.questions
        ]


def profile(bench: Bench, subject: Subject, sites: Sequence[Site]) -> list[Result]:
    """Judge the logistic probe at every site, all fits at once."""
    places = [place for site in sites for place in subject.residual(site)]
    return bench.judge(places, dense(), "probing every site")


def baselines(bench: Bench, subject: Subject, names: Sequence[str]) -> Iterator[Result]:
    """Judge the other dense probes at the focus site."""
    places = subject.residual(subject.focus)
    for name in names:
        if name == LOGISTIC:
            continue
        own = subject.tokens() if name == ATTENTION else places
        yield from bench.judge(own, dense(name), f"probing by {name}")


def paths(bench: Bench, places: Sequence[Place], probe: Probe) -> list[Result]:
    """Judge the k-sparse probe at every k."""
    return bench.judge(places, probe, "probing few coordinates") if places else []


def too_wide(places: Sequence[Place], ks: Sequence[int]) -> list[str]:
    """Say which numbers of coordinates are above the width of a view, and so left out."""
    widths = {place.view: int(place.rows.shape[1]) for place in places}
    left = {view: [k for k in ks if k > width] for view, width in widths.items()}
    return [
        f"The {view} view has {widths[view]:,} coordinates; left out there: k = {', '.join(map(str, above))}."
        for view, above in left.items()
        if above
    ]


def hard_regimes(
    bench: Bench,
    places: Mapping[str, Sequence[Place]],
    probes: Mapping[str, Probe],
    names: Sequence[str],
    repeats: int,
) -> Results:
    """Judge the logistic probe and the latents' under each regime, on the same divisions.

    Args:
        bench: Source of generators and inner folds.
        places: The questions' rows by view.
        probes: The probe of each view.
        names: Regimes: scarcity, imbalance, label-noise.
        repeats: How many times the rows are drawn anew.
    """
    results = Results()
    for regime in names:
        divided = _divided(bench, places, regime, repeats, results)
        for view, own in places.items():
            kept = [place for place in own if place.question.name in divided]
            tasks = [Task(one.rows, one.question.problem, divided[one.question.name]) for one in kept]
            if tasks:
                results.found += bench.judge_tasks(kept, tasks, probes[view], regime=regime)
    return results


def _divided(
    bench: Bench, places: Mapping[str, Sequence[Place]], regime: str, repeats: int, results: Results
) -> dict[str, tuple[Split, ...]]:
    """Divide every question's rows once, so that all views are judged on the same divisions."""
    questions = {place.question.name: place.question for own in places.values() for place in own}
    divided: dict[str, tuple[Split, ...]] = {}
    for name, question in questions.items():
        rng = bench.session.rng(f"sparse-probing/{regime}/{name}")
        try:
            splits = REGIMES[regime](question.problem, repeats, rng)
        except RequestError as error:
            results.caveats.append(f"{name}: {regime} was not measured. {error.what}")
            continue
        if not splits:
            results.caveats.append(f"{name}: {regime} was not measured. The rows allow none of its levels.")
            continue
        divided[name] = splits
        said = regimes.left_out(splits, LEVELS[regime], repeats)
        if said:
            results.caveats.append(f"{name}, {regime}: {said}")
    return divided


def shifted(bench: Bench, subject: Subject, probes: Mapping[str, Probe]) -> Results:
    """Judge probes trained on a data set's own texts on its shifted texts, which share no group."""
    results = Results()
    for question in subject.questions:
        if question.shifted is None:
            continue
        try:
            joined, split = regimes.shift(question.problem, question.shifted.problem, same_groups=True)
        except RequestError as error:
            results.caveats.append(f"{question.name}: the shift was not measured. {error.what}")
            continue
        for view, rows in _both(subject, question, question.shifted).items():
            place = Place(question, view, subject.focus, rows)
            task = Task(rows, joined, (split,))
            results.found += bench.judge_tasks([place], [task], probes[view], regime=SHIFT)
    return results


def _both(subject: Subject, question: Question, elsewhere: Question) -> dict[str, Rows]:
    """Rows of a question's own and shifted texts, one below the other, by view."""
    site, autoencoder = subject.focus, subject.view.autoencoder
    read = subject.reader.rows
    rows: dict[str, Rows] = {RESIDUAL: np.concatenate([read(question, site), read(elsewhere, site)])}
    if autoencoder is not None:
        parts = [subject.reader.latents(one, autoencoder) for one in (question, elsewhere)]
        rows[LATENTS] = csr_array(vstack(parts, format="csr"))
    return rows


def regime_probes(selector: Selector) -> dict[str, Probe]:
    """Return the probe of each view in the hard regimes; the latents' uses the published numbers of k."""
    return {
        RESIDUAL: dense(),
        LATENTS: k_sparse(selector, REGIME_KS),
    }
