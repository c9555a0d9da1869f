"""How the numbers of image audits are written, and the words they need."""

from __future__ import annotations

VISION = "vig_bias."

VISION_METRICS = {
    "vig_bias.accuracy": "accuracy",
    "vig_bias.accuracy_gap": "accuracy: best group less worst",
    "vig_bias.accuracy_ratio": "accuracy: worst group over best",
    "vig_bias.accuracy_worst": "accuracy of the worst group",
    "vig_bias.region_flips": "flips when the region is erased, no control",
    "vig_bias.region_flips_gap": "flips when the region is erased: most less fewest",
    "vig_bias.region_flips_worst": "flips when the region is erased: fewest of a group",
    "vig_bias.map_agreement": "maps: agreement with occlusion",
    "vig_bias.map_deletion": "maps: deletion, gain over random order",
    "vig_bias.map_insertion": "maps: insertion, gain over random order",
    "vig_bias.maps_without_a_place": "maps that point nowhere",
    "vig_bias.slice_gap": "accuracy: rest of the class less slice",
    "vig_bias.keyword_score": "keyword: nearer to mistakes",
    "vig_bias.keyword_gap": "accuracy: without the word less with it",
    "vig_bias.reliance": "flips when the region is erased",
    "vig_bias.follows_region": "follows another class's region",
    "vig_bias.precision_at_10": "known groups among the ten strongest",
    "vig_bias.grounding_gain": "what grounding gains in precision",
    "vig_bias.remedy_worst_group": "worst group after a new head",
    "vig_bias.remedy_gap": "best less worst group after a new head",
    "vig_bias.remedy_accuracy_change": "accuracy after a new head less before",
}

VISION_GLOSSARY = (
    ("slice", "Images of a class that lie together and on which the model may fail; found on other images."),
    (
        "map, heat map",
        "How much each place of the image speaks for the class that was predicted, against the others.",
    ),
    ("agreement", "Rank correlation of a map with what covering each place does to the score; 0 is chance."),
    ("grounded", "Cut down to the share of the pixels that the map ranks highest, before slices are sought."),
    (
        "region",
        "What the mask keeps. Its effect is given less that of a region of the same size and form elsewhere.",
    ),
    ("remedy", "The model's last layer fitted again, by the rule that is named; the rest stays as it is."),
    (
        "chance",
        "How often the named null, such as shuffled errors, reaches such a number: p, or q if corrected.",
    ),
)
