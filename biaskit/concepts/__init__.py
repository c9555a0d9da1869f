"""Concept directions, erasure and sparse autoencoders: tensors and modules only, no model adapter."""
