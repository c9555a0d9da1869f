"""Representation audit: which groups a text-to-image model draws for each target."""

from biaskit.analyzers.representation.analyzer import Representation as Representation
