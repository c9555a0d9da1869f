"""Does the encoder share the bias: does it call an image by its context where label and context disagree?

Slices found in the space of an encoder that has learnt the same shortcut are slices of the encoder. A
context's home is the class that is over-represented in it, where that is beyond chance: a context that says
nothing about the label is no bias to share, however much the encoder's answers depend on it. Where an image's
label is not its context's home, the encoder's zero-shot answer is compared with what it says of images of the
same label in other contexts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy import stats

from biaskit.errors import RequestError
from biaskit.records.estimate import Null

DRAWS = 999
NOWHERE = -1
_LEAST_GAP = 0.1
_LEVEL = 0.05
_HOME_LEVEL = 0.01


@dataclass(frozen=True, slots=True)
class SharedBias:
    """How far zero-shot answers follow the context, on images where label and context disagree.

    Attributes:
        follows: Share of them that are called by their context's home class.
        expected: Share of images of the same labels in other contexts that are called so.
        n: How many images disagree.
        null: Contexts shuffled within each label.
    """

    follows: float
    expected: float
    n: int
    null: Null

    @property
    def gap(self) -> float:
        """How much more often an answer is the context's than it would be elsewhere, -1 to 1."""
        return self.follows - self.expected

    @property
    def warning(self) -> str | None:
        """One sentence where the encoder shares the bias (p at most .05, gap at least .1), else None."""
        if self.null.p > _LEVEL or self.gap < _LEAST_GAP:
            return None
        return (
            f"The encoder shares the bias: of {self.n} images whose label and context disagree it calls "
            f"{self.follows:.0%} by their context, against {self.expected:.0%} elsewhere "
            f"(p = {self.null.p:.3f}); slices found with it may be its own."
        )


def shares_bias(
    answers: Int[ndarray, " n"],
    labels: Int[ndarray, " n"],
    contexts: Sequence[str],
    rng: np.random.Generator,
    homes: Mapping[str, int] | None = None,
) -> SharedBias:
    """Test whether an encoder's zero-shot answers follow the context rather than the label.

    gap = mean over disagreeing images of [answer = home(context)] - r, where r is the rate of that answer
    among images of the same label in contexts with another home; one-sided permutation test with contexts
    shuffled within each label, which keeps the encoder's errors on each class as they are.

    Args:
        answers: The class nearest to each image, argmax_k cos(image, text of class k).
        labels: The true class of each.
        contexts: An attribute of each; an empty cell is missing and left out.
        rng: Source of the shuffles.
        homes: The home class of each context, where other images, such as training ones, say it (`homes_of`);
            None: the images at hand say it, which they cannot where contexts are spread evenly.

    Raises:
        RequestError: The columns differ in length, no context has a home, or label and context disagree
            nowhere.
    """
    if not len(answers) == len(labels) == len(contexts):
        raise RequestError("Answers, labels and contexts must have one entry an image each.")
    known = np.array([bool(context) for context in contexts], dtype=bool)
    names, codes = np.unique(np.array(contexts, dtype=object)[known].astype(str), return_inverse=True)
    labels, answers = labels[known], answers[known]
    if homes is not None:
        at_home = np.array([homes.get(str(name), NOWHERE) for name in names], dtype=np.int64)
    else:
        at_home = _homes(labels, codes, len(names)) if len(names) else labels
    found = _follow(answers, labels, at_home[codes])
    if found is None:
        raise RequestError(
            "Label and context disagree on no image, no label lies in two contexts, or contexts say nothing "
            "about the label.",
            fix="Give images in which they disagree: without them nothing tells label and context apart.",
        )
    hits = 0
    for _ in range(DRAWS):
        drawn = _follow(answers, labels, at_home[_shuffled(codes, labels, rng)])
        hits += drawn is not None and drawn[0] - drawn[1] >= found[0] - found[1] - 1e-12
    kind = f"contexts shuffled within each label, {DRAWS} shuffles"
    return SharedBias(*found[:2], n=int(found[2]), null=Null(p=(1 + hits) / (DRAWS + 1), kind=kind))


def homes_of(labels: Int[ndarray, " n"], contexts: Sequence[str]) -> dict[str, int]:
    """Return for each context the class that is over-represented in it the most, beyond chance.

    P(as many of the class or more) among a context's images, hypergeometric, is at most .01 divided by the
    number of contexts and classes; `NOWHERE` where it is not.
    """
    known = np.array([bool(context) for context in contexts], dtype=bool)
    names, codes = np.unique(np.array(contexts, dtype=object)[known].astype(str), return_inverse=True)
    if not len(names):
        return {}
    return dict(zip(map(str, names), _homes(labels[known], codes, len(names)).tolist(), strict=True))


def zero_shot(images: Float[ndarray, "n d"], classes: Float[ndarray, "k d"]) -> Int[ndarray, " n"]:
    """Return the class whose text lies nearest to each image; rows have length 1."""
    nearest: Int[ndarray, " n"] = np.argmax(images @ classes.T, axis=1)
    return nearest


def _homes(labels: Int[ndarray, " n"], codes: Int[ndarray, " n"], contexts: int) -> Int[ndarray, " c"]:
    """Return each context's home: the class whose share in it exceeds its share overall the most."""
    classes = int(labels.max()) + 1
    table = np.zeros((contexts, classes), dtype=np.int64)
    np.add.at(table, (codes, labels), 1)
    inside, overall = table.sum(axis=1), table.sum(axis=0)
    most = (table / inside[:, None] - overall / table.sum()).argmax(axis=1)
    as_many = stats.hypergeom.sf(table[np.arange(contexts), most] - 1, table.sum(), overall[most], inside)
    homes: Int[ndarray, " c"] = np.where(as_many <= _HOME_LEVEL / table.size, most, NOWHERE)
    return homes


def _follow(
    answers: Int[ndarray, " n"], labels: Int[ndarray, " n"], homes: Int[ndarray, " n"]
) -> tuple[float, float, int] | None:
    """Return the rate of following, the rate expected, and n, weighted by label and home alike."""
    follows = expected = 0.0
    n = 0
    for label in np.unique(labels):
        own = labels == label
        for home in np.unique(homes[own]):
            inside, elsewhere = own & (homes == home), own & (homes != home)
            if home in {label, NOWHERE} or not elsewhere.any():
                continue
            count = int(inside.sum())
            follows += float((answers[inside] == home).sum())
            expected += count * float((answers[elsewhere] == home).mean())
            n += count
    return (follows / n, expected / n, n) if n else None


def _shuffled(
    codes: Int[ndarray, " n"], labels: Int[ndarray, " n"], rng: np.random.Generator
) -> Int[ndarray, " n"]:
    """Shuffle contexts within each label, which keeps the table of labels and contexts."""
    drawn = codes.copy()
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        drawn[rows] = codes[rng.permutation(rows)]
    return drawn
