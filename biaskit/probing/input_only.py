"""Probes that see the text and not the model: what words and length alone give away.

A property that is read from the bag of words as well as from activations need not be encoded by the model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import CountVectorizer

from biaskit.errors import RequestError
from biaskit.probing.logistic import Logistic
from biaskit.probing.probe import Fitted, Job, Probe, Rows, Setting


def word_counts(texts: Sequence[str]) -> csr_array:
    """Count the words of each text, lower case, one column a word (numbers and single letters included).

    The columns are the words of all texts, so that all jobs share one matrix; `BagOfWords` shows a probe
    those alone that its training rows hold. Nothing else is fitted: no frequency threshold, no weighting.

    Raises:
        RequestError: No text holds a word.
    """
    counter = CountVectorizer(token_pattern=r"(?u)\b\w+\b", dtype=np.float32)
    try:
        counts = counter.fit_transform(texts)
    except ValueError as error:
        raise RequestError("No text holds a word to count.", fix="Give texts with words.") from error
    return csr_array(counts)


def text_lengths(texts: Sequence[str]) -> Float[ndarray, "n 1"]:
    """Return the logarithm of one plus the number of characters of each text, one column for any probe."""
    return np.log1p(np.array([[len(text)] for text in texts], dtype=np.float32))


@dataclass(frozen=True, slots=True)
class BagOfWords:
    """A probe on word counts, whose vocabulary is that of each job's training rows.

    Words that no training row holds are cut before the probe sees the rows, so an unseen word cannot move a
    held-out row, whatever the probe does with constant columns.

    Attributes:
        probe: What reads the counts; L2 logistic regression on raw counts unless said otherwise.
    """

    probe: Probe = field(default_factory=lambda: Logistic(standardise=False))

    @property
    def name(self) -> str:
        """Short, stable name."""
        return "bag-of-words"

    def settings(self, rows: int, width: int) -> tuple[Setting, ...]:
        """Return the settings of the probe that reads the counts."""
        return self.probe.settings(rows, width)

    def fit(
        self, jobs: Sequence[Job], settings: Sequence[Setting], rng: np.random.Generator
    ) -> Iterator[Fitted]:
        """Fit on the training rows' words; see `Probe.fit`. Columns are reported as those of all words."""
        seen = [_seen(job.activations, job.train) for job in jobs]
        cut = [_cut(job, words) for job, words in zip(jobs, seen, strict=True)]
        for fitted, words in zip(self.probe.fit(cut, settings, rng), seen, strict=True):
            columns = [words if chosen is None else words[chosen] for chosen in fitted.columns]
            yield replace(fitted, columns=tuple(columns))


def _seen(activations: Rows, train: Int[ndarray, " a"]) -> Int[ndarray, " w"]:
    """Columns that some training row holds; the first one where none holds any."""
    held = np.flatnonzero(np.asarray(abs(activations[train]).sum(axis=0)).ravel())
    return held if held.size else np.zeros(1, dtype=np.int64)


def _cut(job: Job, words: Int[ndarray, " w"]) -> Job:
    """The job's own rows and the words of its training rows."""
    rows = np.concatenate([job.train, job.held_out])
    places = np.split(np.arange(len(rows)), [len(job.train)])
    return Job(job.activations[rows][:, words], job.labels[rows], *places)
