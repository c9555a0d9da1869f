"""How the numbers of bias features and of their remedies are written, and the words they need."""

from __future__ import annotations

FEATURES = "bias_features."

FEATURES_METRICS = {
    "bias_features.share": "share of drawn images that show the group",
    "bias_features.effect": "what turning the features does to the group's share",
    "bias_features.latent": "what turning this feature alone does to the group's share",
    "bias_features.random_effect": "what random features do to the group's share",
    "bias_features.largest_fall": "largest fall of the share as the edit grows",
    "bias_features.stability": "top features that two halves of the images name alike",
    "bias_features.attribution": "largest attribution of a feature",
    "bias_features.explained": "explained by the autoencoder",
    "bias_features.probe_auc": "how well the groups can be read inside (AUC)",
}

FEATURES_GLOSSARY = (
    ("feature", "A latent of a sparse autoencoder of the denoiser's site: a pattern that is on or off."),
    (
        "attribution",
        "How much of a linear probe's probability of a group a latent brings in, by integrated gradients, "
        "summed over the steps of the sampler.",
    ),
    (
        "turning features",
        "Latents are moved while images of fresh seeds are drawn; strength 1 is the mean difference "
        "between the group and all others. What the autoencoder misses is left as it is.",
    ),
    ("share", "Share of the images that the named classifier takes for the group."),
    ("random features", "As many latents, drawn at random, moved as far; what they do is no effect."),
)

MITIGATION = "mitigation."

MITIGATION_METRICS = {
    "mitigation.share": "share of drawn images that show the group",
    "mitigation.effect": "change of the group's share by the remedy",
    "mitigation.random_effect": "change of the group's share by random latents",
    "mitigation.largest_fall": "largest fall of the share as the edit grows",
    "mitigation.side_effect": "change of another attribute's share",
    "mitigation.fidelity": "change of the share that is read as its prompt's noun",
    "mitigation.frechet": "change of the Frechet distance to reference images",
    "mitigation.nearest": "change of the distance to the nearest reference image",
    "mitigation.pixels": "change of the pixels",
    "mitigation.clip_image": "likeness of images to what they were (CLIP-I)",
    "mitigation.clip_text": "likeness of images to their prompts (CLIP-T)",
    "mitigation.clip_text_change": "change of the likeness of images to their prompts (CLIP-T)",
}

MITIGATION_GLOSSARY = (
    ("before, steered", "The same noises drawn by the model as it is, and with the remedy in force."),
    (
        "latent direction",
        "A baseline: the mean difference of the group's activations is added, at a strength of its own.",
    ),
    (
        "guidance",
        "A baseline after InvDiff: a small correction of the predicted noise, learnt so that the model tells "
        "the noise in images of every group equally well.",
    ),
    ("prompts rewritten", "A baseline: a group's word stands in each prompt, in the wanted shares."),
    (
        "CLIP-I, CLIP-T",
        "Mean cosine, in the named encoder, of an image and the same noise drawn before, and of an image and "
        "the prompt that was asked; p counts shuffles of the partners that are as alike.",
    ),
    (
        "reference images",
        "The user's own images, or images drawn with each group named equally often, as many of each group "
        "as the wanted shares allow. The distance to the nearest one holds the groups' shares equal, so it "
        "tells whether the images suffer; the Frechet distance falls as the shares come nearer.",
    ),
)
