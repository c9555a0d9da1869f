"""The probes and selectors by the names that settings give them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from biaskit.probing.attention import AttentionPooling
from biaskit.probing.boosting import GradientBoosting
from biaskit.probing.k_sparse import KSparse
from biaskit.probing.knn import NearestNeighbours
from biaskit.probing.lasso import LassoLogistic
from biaskit.probing.logistic import Logistic
from biaskit.probing.mean_difference import MeanDifferenceProbe
from biaskit.probing.mlp import SmallMlp
from biaskit.probing.pca import PcaLogistic
from biaskit.probing.selectors import FixedList, FStatistic, L1Path, MeanDifference, RandomCoordinates

if TYPE_CHECKING:
    from biaskit.probing.probe import Probe
    from biaskit.probing.selectors import Selector

INVERSE_PENALTIES = (1e-3, 1e-2, 0.1, 1.0, 10.0)
"""C of the dense logistic probe, strongest penalty first: of equals the simplest is taken."""
SPARSE_PENALTIES = (1e-2, 1.0)

LOGISTIC, ATTENTION = "logistic", "attention"
PROBES: dict[str, Callable[[], Probe]] = {
    LOGISTIC: lambda: Logistic(inverse_penalties=INVERSE_PENALTIES),
    "mean-difference": MeanDifferenceProbe,
    "lasso": LassoLogistic,
    "pca": PcaLogistic,
    "knn": NearestNeighbours,
    "boosting": lambda: GradientBoosting(depths=(3,)),
    "xgboost": lambda: GradientBoosting(depths=(3,), engine="xgboost"),
    "mlp": lambda: SmallMlp(penalties=(1.0,)),
    ATTENTION: AttentionPooling,
}
"""Probes of the dense residual stream, each a baseline of the latents; the costly ones have one setting."""

WORDS = {
    "logistic": "logistic regression",
    "mean-difference": "mean difference",
    "lasso-logistic": "L1 logistic regression",
    "pca-logistic": "PCA and logistic regression",
    "nearest-neighbours": "nearest neighbours",
    "gradient-boosting": "gradient boosting",
    "small-mlp": "small MLP",
    "attention-pooling": "attention pooling",
    "published-logistic": "logistic regression, as published",
    "published-pca": "PCA and logistic regression, as published",
    "published-neighbours": "nearest neighbours, as published",
    "published-trees": "boosted trees, as published",
    "published-network": "small network, as published",
    "published-sparse": "SAE latents, as published",
    "bag-of-words": "logistic regression on word counts",
}
"""Names of probes as a reader meets them."""

SELECTORS: dict[str, Callable[[], Selector]] = {
    "mean-difference": lambda: MeanDifference(scaling="sd"),
    "mean-difference-raw": lambda: MeanDifference(scaling="raw"),
    "mean-difference-nonzero": lambda: MeanDifference(scaling="nonzero-mean"),
    "f-statistic": FStatistic,
    "l1-path": L1Path,
    "random": RandomCoordinates,
}
FIXED = "fixed"


def in_words(probe: str) -> str:
    """Return a probe's name as a reader meets it."""
    return WORDS.get(probe, probe)


def dense(name: str = LOGISTIC) -> Probe:
    """Return the probe of all coordinates by that name."""
    return PROBES[name]()


def selector(name: str, columns: Sequence[int]) -> Selector:
    """Return the selector of that name; `fixed` takes `columns` in their order."""
    return FixedList(tuple(columns)) if name == FIXED else SELECTORS[name]()


def k_sparse(chosen: Selector, ks: Sequence[int]) -> KSparse:
    """Return the probe of the k coordinates that `chosen` ranks first, for every k."""
    return KSparse(chosen, tuple(ks), inverse_penalties=SPARSE_PENALTIES)
