"""How the numbers of a head that was fitted again are written, and the words they need."""

from __future__ import annotations

RETRAINING = "retraining."

RETRAINING_METRICS = {
    "retraining.worst_group": "accuracy of the worst group, held-out images",
    "retraining.accuracy": "accuracy over all held-out images",
    "retraining.accuracy_change": "change of the accuracy over all images",
    "retraining.hard_group_change": "change of the accuracy of the group that failed most",
    "retraining.shuffled": "accuracy of the worst group after refits to shuffled groups",
}

RETRAINING_GLOSSARY = (
    ("before, retrained", "The classifier as it is, and with its head fitted again; the features stay."),
    ("refit without groups", "A baseline: the head fitted on the same images, every image counting alike."),
    ("group", "Images of one class with one value of the attribute."),
    (
        "group that failed most",
        "Chosen on the images that heads are fitted on, so that its change on held-out images is not picked.",
    ),
)
