"""Association tests over word vectors: WEAT, SEAT, CEAT and their published forms (numpy and scipy)."""

from __future__ import annotations

from biaskit.association.cosine import associations, unit_rows
from biaskit.association.crossed import CrossedSets, interaction
from biaskit.association.intersectional_words import IntersectionalWord, intersectional_words
from biaskit.association.levels import SetLevels, levels
from biaskit.association.random_effects import RandomEffects, random_effects
from biaskit.association.two_sets import TwoSets, compare_sets
from biaskit.association.word_test import WordTest, read_word_tests

__all__ = [
    "CrossedSets",
    "IntersectionalWord",
    "RandomEffects",
    "SetLevels",
    "TwoSets",
    "WordTest",
    "associations",
    "compare_sets",
    "interaction",
    "intersectional_words",
    "levels",
    "random_effects",
    "read_word_tests",
    "unit_rows",
]
