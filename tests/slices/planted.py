"""Data whose slices are known: classes x contexts with a context that misleads the classifier."""

from dataclasses import dataclass

import numpy as np

from biaskit.slices.observations import Observations


@dataclass
class Planted:
    seen: Observations
    groups: np.ndarray  # class * contexts + context
    minority: np.ndarray  # numbers of the groups on which the classifier fails


def planted(rng, counts, misled, *, followed=0.98, width=48, context=3.0, label=1.5, axes=0):
    """Embeddings of a tiny text-image encoder: a direction for the class, one for the context, unit noise.

    counts: images of each class in each context; misled: the class that each context stands for. Directions
    are drawn from `axes`, so that two draws with the same seed share them.
    """
    classes, contexts = counts.shape
    shared = np.random.default_rng(axes)
    class_axes = np.linalg.qr(shared.standard_normal((width, classes)))[0].T * label
    context_axes = np.linalg.qr(shared.standard_normal((width, contexts)))[0].T * context
    groups = np.repeat(np.arange(counts.size), counts.ravel())
    labels, where = groups // contexts, groups % contexts
    embeddings = class_axes[labels] + context_axes[where] + rng.standard_normal((len(groups), width))
    said = np.where(rng.random(len(groups)) < followed, misled[where], labels)
    logits = 0.8 * rng.standard_normal((len(groups), classes)) + 4 * np.eye(classes)[said]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    order = rng.permutation(len(groups))
    seen = Observations(embeddings[order], labels[order], probabilities[order])
    minority = np.flatnonzero(misled[np.arange(counts.size) % contexts] != np.arange(counts.size) // contexts)
    return Planted(seen, groups[order], minority)


def four_by_four(rng, **settings):
    """4 classes x 4 contexts: each class has one context of its own and 25 images in each of the others."""
    return planted(rng, np.full((4, 4), 25) + 275 * np.eye(4, dtype=int), np.arange(4), **settings)


def two_by_four(rng, **settings):
    """2 classes x 4 contexts, two for each class; 25 images in each context of the other class."""
    counts = np.full((2, 4), 25)
    counts[0, :2] = counts[1, 2:] = 300
    return planted(rng, counts, np.array([0, 0, 1, 1]), **settings)


def unrelated(rng, n=240, classes=2, width=8, accuracy=0.8):
    """Errors that fall anywhere: a classifier that follows no context."""
    labels = rng.integers(classes, size=n)
    wrong = (labels + rng.integers(1, classes, size=n)) % classes
    said = np.where(rng.random(n) < accuracy, labels, wrong)
    logits = rng.standard_normal((n, classes)) + 3 * np.eye(classes)[said]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    embeddings = rng.standard_normal((n, width)) + 2 * np.eye(width)[rng.integers(3, size=n)]
    return Observations(embeddings, labels, probabilities)
