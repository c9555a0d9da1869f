"""Bias features: which latents of a denoiser turn a group, and whether they cause what it draws."""

from biaskit.analyzers.bias_features.analyzer import BiasFeatures as BiasFeatures
