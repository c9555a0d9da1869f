"""Attention pooling: a probe that chooses which tokens to read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from biaskit.errors import RequestError
from biaskit.probing.one_by_one import one_by_one
from biaskit.probing.probe import Fitted, Job, Setting
from biaskit.probing.tokens import Tokens

# Texts read at once.
_BATCH = 256
_STOPPING_SHARE = 0.2
# Nats of log-loss that the last tenth of the passes may still gain.
_GAIN = 0.01


@dataclass(frozen=True, slots=True)
class AttentionPooling:
    """Log-odds sum_t softmax(q . a_t)_t (v . a_t) + b over the tokens of a text.

    The query q, the value v and b start at 0, which is the mean over the tokens, and are trained together by
    Adam on the mean log-loss. A fifth of the training rows, drawn at random within each class, is set aside,
    and the weights of the pass that did best on it are kept; it has converged when the last tenth of
    the passes gained less than 0.01 nats there. Where a class is too small for that, the last weights are
    kept and it has not converged. Source: Kantamneni et al., arXiv 2502.16681.

    Attributes:
        rate: Learning rate of Adam.
        epochs: Passes over the training rows.
        standardise: Centre and scale each coordinate by the tokens of the training rows.
    """

    rate: float = 0.02
    epochs: int = 200
    standardise: bool = True
    name: ClassVar[str] = "attention-pooling"

    def settings(self, rows: int, width: int) -> tuple[Setting, ...]:  # noqa: ARG002 - the protocol's shape
        """Return the one setting: there is nothing to choose."""
        return (Setting(),)

    def fit(
        self, jobs: Sequence[Job], settings: Sequence[Setting], rng: np.random.Generator
    ) -> Iterator[Fitted]:
        """Fit each job, whose activations are `Tokens`, and yield its held-out rows' log-odds; see `Probe`.

        Raises:
            RequestError: A job's activations are not `Tokens`.
        """
        for job in jobs:
            _tokens(job)
        return one_by_one(jobs, settings, rng, self._fit_one)

    def _fit_one(self, job: Job, settings: Sequence[Setting], seed: int) -> Fitted:
        texts = _Texts.of(job, standardise=self.standardise)
        rng = np.random.default_rng(seed)
        learn, stop = _divided(job, rng)
        weights = _Weights.start(texts.mean.shape[0])
        converged = self._train(texts, weights, (learn, stop), rng)
        with torch.inference_mode():
            log_odds = texts.log_odds(weights, job.held_out).double().numpy()
        return Fitted(
            log_odds=np.tile(log_odds, (len(settings), 1)),
            columns=(None,) * len(settings),
            converged=(converged,) * len(settings),
        )

    def _train(
        self,
        texts: _Texts,
        weights: _Weights,
        rows: tuple[Int[ndarray, " l"], Int[ndarray, " s"]],
        rng: np.random.Generator,
    ) -> bool:
        """Train in place and say whether the last passes no longer gained on the rows set aside."""
        learn, stop = rows
        optimizer = torch.optim.Adam(weights.parts, lr=self.rate)
        best, kept = [np.inf], weights.copies()
        for _ in range(self.epochs):
            self._pass(texts, weights, rng.permutation(learn), optimizer)
            with torch.inference_mode():
                loss = float(texts.loss(weights, stop)) if len(stop) else np.inf
            if loss < best[-1] or not len(stop):
                kept = weights.copies()
            best.append(min(loss, best[-1]))
        weights.restore(kept)
        return len(stop) > 0 and best[-1 - self.epochs // 10] - best[-1] < _GAIN

    def _pass(
        self, texts: _Texts, weights: _Weights, rows: Int[ndarray, " l"], optimizer: torch.optim.Adam
    ) -> None:
        for start in range(0, len(rows), _BATCH):
            optimizer.zero_grad()
            texts.loss(weights, rows[start : start + _BATCH]).backward()  # type: ignore[no-untyped-call]  # torch's own
            optimizer.step()


@dataclass(frozen=True, slots=True, eq=False)
class _Weights:
    query: Float[Tensor, " d"]
    value: Float[Tensor, " d"]
    bias: Float[Tensor, ""]

    @classmethod
    def start(cls, width: int) -> _Weights:
        return cls(*(torch.zeros(size, requires_grad=True) for size in [(width,), (width,), ()]))

    @property
    def parts(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.query, self.value, self.bias

    def copies(self) -> list[Tensor]:
        return [part.detach().clone() for part in self.parts]

    def restore(self, copies: list[Tensor]) -> None:
        with torch.no_grad():
            for part, copy in zip(self.parts, copies, strict=True):
                part.copy_(copy)


@dataclass(frozen=True, slots=True, eq=False)
class _Texts:
    """All rows of a job, and how a coordinate is scaled."""

    values: Float[ndarray, "n t d"]
    mask: Bool[ndarray, "n t"]
    labels: Bool[ndarray, " n"]
    mean: Float[Tensor, " d"]
    scale: Float[Tensor, " d"]

    @classmethod
    def of(cls, job: Job, *, standardise: bool) -> _Texts:
        tokens = _tokens(job)
        width = tokens.shape[1]
        mean, scale = torch.zeros(width), torch.ones(width)
        if standardise:
            mean, scale = _moments(tokens.values, tokens.mask, job.train)
        return cls(tokens.values, tokens.mask, job.labels, mean, scale)

    def loss(self, weights: _Weights, rows: Int[ndarray, " b"]) -> Float[Tensor, ""]:
        """Mean log-loss over rows, in nats."""
        labels = torch.from_numpy(self.labels[rows]).float()
        return binary_cross_entropy_with_logits(self.log_odds(weights, rows), labels)

    def log_odds(self, weights: _Weights, rows: Int[ndarray, " b"]) -> Float[Tensor, " b"]:
        """Read the rows, a batch at a time."""
        batches = [self._batch(weights, rows[at : at + _BATCH]) for at in range(0, len(rows), _BATCH)]
        return torch.cat(batches) if batches else torch.zeros(0)

    def _batch(self, weights: _Weights, rows: Int[ndarray, " b"]) -> Float[Tensor, " b"]:
        mask = torch.from_numpy(self.mask[rows])
        # Padding may hold anything, NaN too, so it is replaced rather than multiplied by 0.
        tokens = torch.where(mask[..., None], torch.from_numpy(self.values[rows]), self.mean)
        tokens = (tokens - self.mean) * self.scale
        attention = (tokens @ weights.query).masked_fill(~mask, -torch.inf).softmax(dim=1)
        return (attention * (tokens @ weights.value)).sum(dim=1) + weights.bias


def _tokens(job: Job) -> Tokens:
    if isinstance(job.activations, Tokens):
        return job.activations
    raise RequestError(
        "Attention pooling reads the activations of every token; these are pooled already.",
        fix="Hand it Tokens, or choose another probe.",
    )


def _moments(
    values: Float[ndarray, "n t d"], mask: Bool[ndarray, "n t"], train: Int[ndarray, " a"]
) -> tuple[Float[Tensor, " d"], Float[Tensor, " d"]]:
    """Mean and inverse standard deviation over the training rows' tokens; 0 where a column is constant."""
    count, total, squares = 0, np.zeros(values.shape[2]), np.zeros(values.shape[2])
    origin = values[train[0]][mask[train[0]]][0].astype(np.float64)
    for row in train:
        # Measured from one of the tokens: no cancellation where the mean is large, exactly 0 where constant.
        tokens = values[row][mask[row]] - origin
        count += len(tokens)
        total += tokens.sum(axis=0)
        squares += (tokens**2).sum(axis=0)
    variance = np.maximum(squares / count - (total / count) ** 2, 0.0)
    scale = np.divide(1.0, np.sqrt(variance), out=np.zeros_like(variance), where=squares > 0)
    return torch.from_numpy(origin + total / count).float(), torch.from_numpy(scale).float()


def _divided(job: Job, rng: np.random.Generator) -> tuple[Int[ndarray, " l"], Int[ndarray, " s"]]:
    """Divide the training rows into those to learn from and those to stop by, a fifth of each class."""
    labels = job.labels[job.train]
    classes = [rng.permutation(job.train[labels == side]) for side in (False, True)]
    counts = [round(_STOPPING_SHARE * len(members)) for members in classes]
    if not all(counts):
        return job.train, job.train[:0]
    learn = [members[count:] for members, count in zip(classes, counts, strict=True)]
    stop = [members[:count] for members, count in zip(classes, counts, strict=True)]
    return np.concatenate(learn), np.concatenate(stop)
