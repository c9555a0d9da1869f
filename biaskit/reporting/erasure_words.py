"""Words for the numbers a text remedy is judged by."""

from collections.abc import Mapping

ERASURE = "erasing."

BEFORE_AFTER: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "gap": (
        "gap of held-out words",
        {"gap_before": "before", "gap_after": "after", "gap_change": "change"},
    ),
    "left": ("left of the gap", {"gap_left": "after"}),
    "neutral": ("gap of neutral words", {"gap_neutral": "before"}),
    "leakage": (
        "read by a probe ({group})",
        {"leakage_before": "before", "leakage_after": "after", "leakage_change": "change"},
    ),
    "kl": ("neutral text, KL", {"kl": "change"}),
    "neutral_logprob": ("log-probability of neutral text", {"neutral_logprob": "change"}),
    "recognition": ("stated poles recognised", {"recognition": "change"}),
    "extrinsic": (
        "untuned: {group}",
        {"extrinsic_before": "before", "extrinsic_after": "after", "extrinsic_change": "change"},
    ),
}
"""Rows of the table of a remedy: its words, and which metric stands in which column."""

ERASURE_METRICS = {
    "erasing.gap_before": "gap of held-out words without the remedy",
    "erasing.gap_neutral": "gap of neutral words without the remedy",
    "erasing.gap_after": "gap of held-out words with the remedy",
    "erasing.gap_change": "change of the gap by the remedy",
    "erasing.gap_left": "left of the gap with the remedy",
    "erasing.random_left": "left of the gap with random changes",
    "erasing.shuffled_left": "left of the gap with refits to shuffled labels",
    "erasing.leakage_before": "leakage without the remedy: the association read by a probe",
    "erasing.leakage_after": "leakage with the remedy: the association read by a probe",
    "erasing.leakage_change": "change of what a probe reads of the association",
    "erasing.kl": "change of neutral text (KL)",
    "erasing.kl_rank": "change of neutral text (KL), among random changes",
    "erasing.random_kl": "change of neutral text by random changes (KL)",
    "erasing.neutral_logprob": "change of the log-probability of neutral text",
    "erasing.recognition": "change of how often a stated pole is recognised",
    "erasing.dose_rise": "steepest rise of the gap as the strength grows",
    "erasing.extrinsic_before": "untuned measure without the remedy",
    "erasing.extrinsic_after": "untuned measure with the remedy",
    "erasing.extrinsic_change": "change of an untuned measure",
    "erasing.overcorrected": "targets that turned round",
}
