"""How the numbers of behavioural benchmarks are written, and the words they need."""

from __future__ import annotations

BEHAVIOUR = "behaviour."

BEHAVIOUR_METRICS = {
    "behaviour.crows_pairs": "CrowS-Pairs: more stereotyping sentence likelier (neutral 50 %)",
    "behaviour.crows_pairs_whole": "CrowS-Pairs, whole sentences (neutral 50 %)",
    "behaviour.stereoset_ss": "StereoSet: stereotyping sentence likelier (neutral 50 %)",
    "behaviour.stereoset_lms": "StereoSet: meaningful sentence likelier than an unrelated one",
    "behaviour.stereoset_icat": "StereoSet: both in one (icat; random answers get 50 %)",
    "behaviour.winobias": "WinoBias: pronoun of the stereotype likelier (neutral 50 %)",
    "behaviour.winobias_f1_gap": "WinoBias: F1 with the stereotype less F1 against it",
    "behaviour.winogender_lean": "Winogender: lean of an occupation to the feminine pronoun",
    "behaviour.winogender_gap": "Winogender: resolved to the occupation, feminine less masculine",
    "behaviour.winogender_changed": "Winogender: referent changes with the pronoun",
    "behaviour.winogender_correlation": "Winogender: rank correlation with the share of women",
    "behaviour.bbq_accuracy_ambiguous": "BBQ: right where the context tells too little",
    "behaviour.bbq_accuracy_disambiguated": "BBQ: right where the context tells enough",
    "behaviour.bbq_ambiguous": "BBQ: bias where the context tells too little (s_AMB)",
    "behaviour.bbq_disambiguated": "BBQ: bias where the context tells enough (s_DIS)",
    "behaviour.bbq_accuracy_cost": "BBQ: accuracy against the stereotype less with it",
    "behaviour.honest": "HONEST: completions with a term of the lexicon",
    "behaviour.honest_gap": "HONEST: difference of two groups",
    "behaviour.log_probability": "log-probability bias in templates",
    "behaviour.sentiment_individual": "counterfactual sentiment: individual fairness, less chance",
    "behaviour.sentiment_group": "counterfactual sentiment: group fairness, less chance",
}

BEHAVIOUR_GLOSSARY = (
    (
        "neutral 50 %",
        "A share that should be one half: neither 0 % nor 100 % is good, and a tie counts one half.",
    ),
    ("s_AMB, s_DIS", "From -1 to 1: answers that follow the stereotype less answers that go against it."),
    (
        "clusters",
        "Items of one template, writer, term or occupation stand or fall together; intervals count these.",
    ),
    (
        "chance",
        "How often the signs of the clusters, flipped at random, reach such a number: p, or q if corrected.",
    ),
)
