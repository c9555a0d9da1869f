"""How the numbers of representation audits are written, and the words they need."""

from __future__ import annotations

REPRESENTATION = "representation."

REPRESENTATION_METRICS = {
    "representation.share": "share of images that show the group",
    "representation.lean": "share of the group less the reference's",
    "representation.fd": "distance of shares from the reference (FD), debiased",
    "representation.fd_squared": "distance from the reference, squared and unbiased",
    "representation.inequality": "unevenness of shares (B), less chance",
    "representation.corrected_share": "share once the classifier's errors are taken out",
    "representation.named": "control: seen where the prompt names the group",
    "representation.hallucination": "captions: words beyond or missing (Jaccard)",
    "representation.added_words": "captions: words not asked for",
    "representation.missing_words": "captions: words asked for and not said",
    "representation.distribution_bias": "captions: distribution bias (B_D) at equal sizes",
    "representation.effective_words": "captions: effective number of further words",
    "representation.miss_rate": "images that a blank text fits better than their prompt",
    "representation.clip_text": "likeness of images to their prompts (CLIP-T)",
    "representation.error_gap": "denoising loss: worst group found less best",
    "representation.error_association": "groups found by loss and groups shown: Cramer's V",
}

REPRESENTATION_GLOSSARY = (
    (
        "share of images",
        "Of the images drawn for a target, how many the classifier takes for the group; the intervals of all "
        "groups of a target hold at once.",
    ),
    (
        "FD",
        "Fairness discrepancy: how far a target's shares lie from the reference, 0 for the same shares, 0.71 "
        "where two groups are due equal shares and one gets all. What few images add by chance is taken out.",
    ),
    (
        "reference",
        "The shares that a target is compared with: equal ones, or those of neutral nouns in the same "
        "prompts.",
    ),
    (
        "B",
        "Mean difference between the shares of two groups; 1 where one of two groups gets all. It does not "
        "compare between different numbers of groups.",
    ),
    ("chance", "How often a model that follows the reference leans so far: p, corrected for all targets."),
    (
        "distribution bias",
        "B_D: how flat the counts of further words in captions are; small means that few words return again "
        "and again. It grows with the number of words, so it is shown for equal numbers.",
    ),
    (
        "denoising loss",
        "How badly the model tells the noise in an image, over all noise levels, in nats: high where an "
        "image is unlikely to the model.",
    ),
)
