"""What every probe offers: it is fitted on many jobs and settings at once and scores held-out rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.sparse import csr_array

Rows: TypeAlias = ndarray | csr_array
"""Activations, one row an example: a dense float32 array (n, d), or latents as a `csr_array` (n, d).

A job of a probe that reads every token holds `biaskit.probing.tokens.Tokens` in their place.
"""


@dataclass(frozen=True, slots=True)
class Setting:
    """One choice of a probe's hyper-parameters.

    Attributes:
        variant: What is reported apart, such as `k=16`; empty where the probe has only one form.
        k: How many coordinates it may use; None for all.
        values: Hyper-parameters that are chosen inside a variant, such as `{"C": 1.0}`; of settings that do
            equally well the one that stands first is taken, so the simplest stands first.
    """

    variant: str = ""
    k: int | None = None
    values: Mapping[str, float | int | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One fit: rows to learn from and rows to score.

    Attributes:
        activations: All rows, dense float32 (n, d) or a `csr_array`; many jobs share one array.
        labels: Labels of all rows, as the probe is told them.
        train: Rows to learn from; scaling, selection and fit see nothing else.
        held_out: Rows to score.
    """

    activations: Rows
    labels: Bool[ndarray, " n"]
    train: Int[ndarray, " a"]
    held_out: Int[ndarray, " b"]


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What a probe said about a job's held-out rows, for each setting.

    Attributes:
        log_odds: Log-odds of the property for each held-out row, in nats; infinite where a probe is certain.
        columns: Coordinates that each setting used, strongest first; None for all of them.
        converged: Whether each setting's solver reached its tolerance.
    """

    log_odds: Float[ndarray, "s b"]
    columns: tuple[Int[ndarray, " _"] | None, ...]
    converged: tuple[bool, ...]


class Probe(Protocol):
    """A frozen dataclass; its fields are its settings.

    Attributes:
        name: Short, stable name, such as `logistic`.
    """

    @property
    def name(self) -> str:
        """Short, stable name, such as `logistic`."""

    def settings(self, rows: int, width: int) -> tuple[Setting, ...]:
        """Return the hyper-parameters to try on at most `rows` training rows of `width` coordinates."""

    def fit(
        self, jobs: Sequence[Job], settings: Sequence[Setting], rng: np.random.Generator
    ) -> Iterator[Fitted]:
        """Fit every setting on every job and yield what each job's held-out rows get, in the jobs' order.

        A job whose training rows hold one class yields log-odds of 0 and `converged` False.
        """
