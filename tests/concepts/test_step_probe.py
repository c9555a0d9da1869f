"""Probes of one step: they read what is there, nothing where nothing is, and refuse a class never seen."""

from __future__ import annotations

import pytest
import torch

from biaskit.concepts.step_probe import fit_step_probe
from biaskit.errors import RequestError

CLASSES = ("old", "young", "other")


def rows(shift, classes=2, count=240, width=20):
    rng = torch.Generator().manual_seed(1)
    labels = torch.arange(count) % classes
    found = torch.randn(count, width, generator=rng)
    found[torch.arange(count), labels] += shift
    return found, labels


@pytest.mark.parametrize("classes", [2, 3])
def test_a_planted_attribute_is_read_and_nothing_is_read_from_noise(classes):
    read = fit_step_probe(*rows(4.0, classes), CLASSES[:classes], 500.0)
    silent = fit_step_probe(*rows(0.0, classes), CLASSES[:classes], 500.0)
    assert read.auc > 0.9
    assert abs(silent.auc - 0.5) < 0.15
    found, labels = rows(4.0, classes)
    said = read.probe.probabilities(found).argmax(dim=1)
    assert float((said == labels).double().mean()) > 0.8
    assert read.probe.weight.shape == (classes, 20)


def test_a_class_that_is_never_seen_is_named():
    found, labels = rows(1.0)
    with pytest.raises(RequestError, match="'other' was never seen"):
        fit_step_probe(found, labels, CLASSES, 1.0)
