"""Sparse probing: where is a property encoded, in how many latents, and do SAE latents help?

After "Are Sparse Autoencoders Useful? A Case Study in Sparse Probing" (Kantamneni et al. 2025, arXiv
2502.16681), whose protocol is the preset `paper`. The default differs where that protocol leaks: selection,
scaling and settings stay inside the folds, folds keep groups whole, and ties are counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from biaskit.analyzers.sparse_probing.bench import Bench, Folds
from biaskit.analyzers.sparse_probing.contest import cells_table, contest
from biaskit.analyzers.sparse_probing.descriptions import descriptions
from biaskit.analyzers.sparse_probing.findings import Scribe
from biaskit.analyzers.sparse_probing.floors import Floors
from biaskit.analyzers.sparse_probing.leak import ERASERS, leakage, leakage_test
from biaskit.analyzers.sparse_probing.long_table import judged_table, long_table
from biaskit.analyzers.sparse_probing.measure import (
    REGIMES,
    Subject,
    baselines,
    hard_regimes,
    paths,
    profile,
    regime_probes,
    shifted,
    too_wide,
)
from biaskit.analyzers.sparse_probing.methods import FIXED, LOGISTIC, PROBES, SELECTORS, k_sparse, selector
from biaskit.analyzers.sparse_probing.pictures import figures
from biaskit.analyzers.sparse_probing.published import published_protocol
from biaskit.analyzers.sparse_probing.questions import questions
from biaskit.analyzers.sparse_probing.reading import Reader, chosen_sites, open_view
from biaskit.analyzers.sparse_probing.results import DENSE, LATENTS, RESIDUAL, Results, mean_validation
from biaskit.analyzers.sparse_probing.summary import below_chance, readable, sentences, unread
from biaskit.analyzers.sparse_probing.text_table import TextTable
from biaskit.errors import RequestError, UnknownNameError
from biaskit.hooks.pooling import Pooling
from biaskit.records.calibration import Planting
from biaskit.records.finding import Analysis, Finding
from biaskit.records.probe_set import Modality
from biaskit.records.site import Site

if TYPE_CHECKING:
    from biaskit.analyzers.sparse_probing.bench import Place
    from biaskit.analyzers.sparse_probing.questions import Asked
    from biaskit.concepts.sae_source import View
    from biaskit.probing.k_sparse import KSparse
    from biaskit.records.table import Cell, Table
    from biaskit.session import Session

CONTROLS = (
    "shuffled-labels",
    "random-coordinates",
    "random-weights",
    "bag-of-words",
    "length",
    "control-task",
    "description-length",
)
FEWEST_ROWS = 16


@dataclass(frozen=True, slots=True)
class SparseProbing:
    """Nested probing of concepts, reference pairs and labelled texts, with the controls beside every figure.

    Attributes:
        preset: `nested`, or `paper` for the published protocol beside it.
        sites: Where the model is read, such as `resid_post.6` or `mlp_post.3` (neurons); the embedding and
            the residual stream after every block if empty.
        pooling: Tokens that are read: `last`, `span` (the word in the template's slot), `mean` or `max`.
        probes: Baselines at the site where methods are compared, such as logistic, pca, knn, boosting, mlp.
        selector: What ranks coordinates inside the folds: mean-difference, mean-difference-raw,
            mean-difference-nonzero, f-statistic, l1-path, random, or fixed, which takes `columns`.
        columns: Coordinates for the selector `fixed`, strongest first.
        ks: How many coordinates the sparse probe may use.
        repeats: How many times the rows are divided anew.
        folds: Folds per repeat.
        inner_folds: Folds inside the training rows, which choose the settings.
        regimes: Hard regimes: scarcity, imbalance, label-noise.
        regime_repeats: How many times a regime's rows are drawn anew.
        controls: Controls beside the figures.
        shuffles: How often labels are shuffled; with 19 or more, p can reach 0.05.
        erasers: What is tried against a sensitive attribute's leakage: mean-projection, leace, inlp.
        erase_apart: Whether eraser and probes are fitted on different groups, as a stranger's would be.
        autoencoder: `auto`, `none`, a folder, or `release:id` of sae-lens's catalogue.
        most_rows: Most rows of one question.
    """

    name: ClassVar[str] = "sparse-probing"
    modality: ClassVar[Modality] = Modality.TEXT
    unit: ClassVar[str] = "auc"
    nulls: ClassVar[tuple[str, ...]] = (
        "shuffled labels, with selection and settings inside the folds",
        "no difference between two probes on the same folds",
    )
    limitations: ClassVar[tuple[str, ...]] = (
        "A probe shows that a property can be read, not that the model uses it.",
        "A concept is told from neutral words in the same templates; other templates or words may differ.",
        "What a linear probe no longer reads after erasure, another probe may.",
        "The latents that are ranked first can change with the autoencoder's training seed.",
    )
    planting: ClassVar[Planting] = Planting(
        metric="sparse_probing.auc",
        plant="labels",
        lean={
            "probes": ["logistic"],
            "ks": [1],
            "controls": ["shuffled-labels"],
            "regimes": [],
            "erasers": [],
            "autoencoder": "none",
        },
        quick={"sites": ["resid_post.2"], "repeats": 1, "folds": 3, "inner_folds": 2},
    )

    full: ClassVar[dict[str, int]] = {"repeats": 5, "shuffles": 99, "regime_repeats": 5, "most_rows": 8192}

    preset: Literal["nested", "paper"] = "nested"
    sites: tuple[str, ...] = ()
    pooling: Literal["last", "span", "mean", "max"] = "last"
    probes: tuple[str, ...] = ("logistic", "mean-difference", "pca", "knn", "boosting", "mlp")
    selector: str = "mean-difference"
    columns: tuple[int, ...] = ()
    ks: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
    repeats: int = 2
    folds: int = 5
    inner_folds: int = 3
    regimes: tuple[str, ...] = tuple(REGIMES)
    regime_repeats: int = 3
    controls: tuple[str, ...] = CONTROLS
    shuffles: int = 20
    erasers: tuple[str, ...] = tuple(ERASERS)
    erase_apart: bool = False
    autoencoder: str = "auto"
    most_rows: int = 1024

    def __post_init__(self) -> None:
        """Refuse settings that name nothing.

        Raises:
            UnknownNameError: A probe, selector, regime, control, eraser, pooling, preset or site kind is not
                known.
            RequestError: A count is too small, or `fixed` has no columns.
        """
        known = {
            "preset": ((self.preset,), ("nested", "paper")),
            "pooling": ((self.pooling,), tuple(map(str, Pooling))),
            "probe": (self.probes, tuple(PROBES)),
            "selector": ((self.selector,), (*SELECTORS, FIXED)),
            "regime": (self.regimes, tuple(REGIMES)),
            "control": (self.controls, CONTROLS),
            "eraser": (self.erasers, tuple(ERASERS)),
        }
        for kind, (given, allowed) in known.items():
            for name in given:
                if name not in allowed:
                    raise UnknownNameError(kind, name, allowed)
        for name in self.sites:
            Site.parse(name)
        self._check_counts()

    def _check_counts(self) -> None:
        if (
            min(self.repeats, self.regime_repeats, self.shuffles, *self.ks) < 1
            or min(self.folds, self.inner_folds) < 2
        ):
            raise RequestError(
                "repeats, regime_repeats, shuffles and ks must be at least 1, folds and inner_folds 2."
            )
        if self.most_rows < FEWEST_ROWS:
            raise RequestError(f"most_rows must be at least {FEWEST_ROWS}.")
        if (self.selector == FIXED) != bool(self.columns):
            raise RequestError(
                "The selector 'fixed' and columns go together.", fix="Give both, such as columns=17,204."
            )
        if LOGISTIC not in self.probes:
            raise RequestError("probes must hold 'logistic', which every other figure is read against.")

    def analyze(self, session: Session) -> Analysis:
        """Return what every probe reaches, the controls beside it, and whether latents help.

        Raises:
            RequestError: There is nothing to tell apart, or no question's rows can be divided.
            UnknownNameError: The model has no site of that name; near names are given.
        """
        asked = questions(session, self.most_rows)
        return _Run(self, session, asked).analysis()

    def sparse_probe(self) -> KSparse:
        """Return the probe of few coordinates."""
        return k_sparse(selector(self.selector, self.columns), self.ks)


class _Run:
    """One run on its way through the analyzer."""

    def __init__(self, settings: SparseProbing, session: Session, asked: Asked) -> None:
        self._settings, self._session = settings, session
        folds = Folds(settings.repeats, settings.folds, settings.inner_folds)
        self._bench, notes = Bench.of(session, asked.questions, folds)
        self._questions = tuple(one for one in asked.questions if one.name in self._bench.splits)
        self._results = Results(caveats=[*asked.notes, *notes])
        self._sites = chosen_sites(session.model, settings.sites)
        self._reader = Reader(session, Pooling(settings.pooling))
        self._sentences: list[str] = []
        self._judged: list[tuple[Cell, ...]] = []
        self._texts = TextTable()
        self._cells: list[tuple[Cell, ...]] = []
        self._published: tuple[Table, ...] = ()

    def analysis(self) -> Analysis:
        """Measure everything, then write it down."""
        subject = self._measure()
        found = list(self._findings(subject))
        settings = self._settings
        said = [*sentences(self._questions, found), *unread(self._questions, found)]
        said += [*self._sentences, *below_chance(found)]
        return Analysis(
            analyzer=settings.name,
            settings={
                key: list(value) if isinstance(value, tuple) else value
                for key, value in asdict(settings).items()
            },
            findings=tuple(found),
            summary=tuple(said),
            caveats=tuple(dict.fromkeys(self._results.caveats)),
            notes=tuple(dict.fromkeys(self._results.notes)),
            limitations=settings.limitations,
            tables=self._tables(),
            figures=tuple(figures(self._results, self._questions, self._sites, readable(found))),
        )

    def _tables(self) -> tuple[Table, ...]:
        own = long_table(self._results.found), judged_table(self._judged)
        return (*own, *self._texts.tables(), *cells_table(self._cells), *self._published)

    def _measure(self) -> Subject:
        """Capture once, then judge every probe and control."""
        self._reader.capture(self._questions, self._sites)
        view = open_view(self._reader, self._questions, self._settings.autoencoder, self._sites)
        self._results.notes.append(view.note)
        subject = Subject(self._reader, self._questions, self._sites, self._sites[-1], view)
        self._results.found += profile(self._bench, subject, self._sites)
        subject = subject.focused(self._focus(view))
        sparse = self._settings.sparse_probe()
        self._results.found += baselines(self._bench, subject, self._settings.probes)
        latents, residual = subject.latents, subject.residual(subject.focus)
        self._results.notes += too_wide([*latents, *residual], sparse.ks)
        self._results.found += paths(self._bench, latents, sparse)
        self._results.found += paths(self._bench, residual, sparse)
        self._add(
            Floors(self._bench, subject, sparse, self._settings.shuffles).measure(self._settings.controls)
        )
        self._hard(subject, {RESIDUAL: residual} | ({LATENTS: latents} if latents else {}))
        return subject

    def _hard(self, subject: Subject, places: Mapping[str, Sequence[Place]]) -> None:
        probes = regime_probes(selector(self._settings.selector, self._settings.columns))
        names, repeats = self._settings.regimes, self._settings.regime_repeats
        self._add(hard_regimes(self._bench, places, probes, names, repeats))
        self._add(shifted(self._bench, subject, probes))

    def _add(self, results: Results) -> None:
        self._results.found += results.found
        self._results.notes += results.notes
        self._results.caveats += results.caveats

    def _focus(self, view: View) -> Site:
        """Return the autoencoder's site, else the one that reads best on validation rows."""
        if view.autoencoder is not None:
            return view.autoencoder.site
        by_site: dict[Site, list[float]] = {}
        for result in self._results.where():
            if result.site is not None and result.view in DENSE:
                by_site.setdefault(result.site, []).append(mean_validation(result.evaluation))
        best = max(by_site, key=lambda site: sum(by_site[site]), default=self._sites[-1])
        known = any(score >= 0 for scores in by_site.values() for score in scores)
        why = "where logistic regression reads best on validation rows"
        why = why if known else "the first site, as there are no inner folds to choose on"
        self._results.notes.append(f"Methods are compared at {best}, {why}.")
        return best

    def _findings(self, subject: Subject) -> Iterator[Finding]:
        given = subject.view.autoencoder is not None or len(self._sites) == 1
        scribes = [
            Scribe(self._results, question, subject.focus, given, self._judged, self._texts)
            for question in self._questions
        ]
        for scribe in scribes:
            yield from scribe.findings()
            yield from descriptions(self._bench, subject, scribe, self._settings.controls)
        for regime in ("", *self._settings.regimes):
            rng = self._session.rng(f"sparse-probing/contest/{regime}")
            found = contest(self._results, subject.focus, regime, rng)
            if found is not None:
                self._sentences.extend(found.sentences)
                self._cells.extend(found.rows)
                yield from found.findings
        if self._settings.erasers:
            yield from self._leakage(subject)
        if self._settings.preset == "paper":
            to_the_letter = published_protocol(self._session, subject)
            self._add(to_the_letter.results)
            self._sentences.extend(to_the_letter.sentences)
            self._cells.extend(to_the_letter.cells)
            self._published = to_the_letter.tables
            yield from to_the_letter.findings

    def _leakage(self, subject: Subject) -> Iterator[Finding]:
        settings = self._settings
        test = leakage_test(settings.erasers, settings.inner_folds, apart=settings.erase_apart)
        found = leakage(self._bench, subject, test)
        self._add(found.results)
        self._sentences.extend(found.sentences)
        yield from found.findings
