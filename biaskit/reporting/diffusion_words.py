"""How the numbers of text-to-image audits are written, and the words they need."""

from __future__ import annotations

DIFFUSION = "diffusion_pid."

DIFFUSION_METRICS = {
    "diffusion_pid.gap": "how much better images fit one group",
    "diffusion_pid.gap_beyond_neutral": "how much better images fit one group, beyond neutral nouns",
    "diffusion_pid.log_odds_beyond_neutral": "how much likelier one group is, beyond neutral nouns",
    "diffusion_pid.error_gap": "how much worse images of one group are denoised",
    "diffusion_pid.redundancy_gap": "what target and group say alike, gap between groups",
    "diffusion_pid.log_odds": "how much likelier one group is, given the target",
    "diffusion_pid.share_drawn": "share of images that the model takes for the group",
    "diffusion_pid.mi": "what the target's word says of its images",
    "diffusion_pid.cmi": "what the word adds to the rest of the prompt",
    "diffusion_pid.redundancy": "what both words say",
    "diffusion_pid.uniqueness": "what one word alone says",
    "diffusion_pid.synergy": "what two words say only together",
    "diffusion_pid.intervention": "agreement of maps with what changes without the word",
    "diffusion_pid.prior_dominance": "where the published redundancy is one word's information",
}

DIFFUSION_GLOSSARY = (
    (
        "information of a word",
        "How much likelier the model finds the image when the prompt has the word: a log-ratio, in nats. "
        "Noise is added to the image, and the model tells the noise with the word and without.",
    ),
    (
        "gap",
        "Information of the first group's word less that of the second's, given the target: above 0, images "
        "that the model draws for the target look more like the first group.",
    ),
    (
        "likelier, given the target",
        "Log-odds that the model gives the two groups for this target, read on images drawn with the group "
        "named: a group that it would have drawn anyway adds little.",
    ),
    (
        "beyond neutral nouns",
        "The target's number less the mean of nouns that name no occupation, such as 'guest'. What a model "
        "does with every noun cancels; chance is one more neutral noun lying as far out.",
    ),
    ("redundancy", "What each of two words says by itself, as far as it is the same."),
    ("uniqueness", "What a word says that the other does not."),
    ("synergy", "What two words say only when they stand together, as 'baseball' and 'bat'."),
    ("log-SNR", "How noisy an image is: log of signal over noise, in nats; far left is noise alone."),
    (
        "chance",
        "How often groups exchanged within the templates reach such a gap: p, or q if corrected.",
    ),
)
