"""Association tests on what a model holds of words: WEAT, SEAT, CEAT, done on words as the unit."""

from biaskit.analyzers.association.analyzer import Association

__all__ = ["Association"]
