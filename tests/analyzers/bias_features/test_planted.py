"""What the proof on planted organisms stands on; `benchmarks/planted_features.py` carries it out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import biaskit
from benchmarks.planted_features import leaning, painted, planted, represented
from biaskit import models, organisms
from biaskit.analyzers.bias_features.turning import Single
from biaskit.protocols import Sampling
from biaskit.records.estimate import Null
from biaskit.records.site import Site
from biaskit.steering.doses import Response
from biaskit.steering.quality import Distances, Reference, farther
from biaskit.steering.trajectories import Asked, Place, Stage


@pytest.mark.slow
def test_shares_of_a_new_organism_come_out_as_planted(built_portraits):
    folder = built_portraits(1)
    found = represented(folder, images=48)
    assert found.rank >= 0.9
    assert set(leaning(folder)) <= set(found.gender)
    assert found.age == []


@pytest.mark.slow
def test_the_distance_to_painted_people_stays_without_an_edit_and_grows_with_blur_and_noise():
    """Floor: the same prompts on fresh seeds. Ceiling: a tenth of each neighbour, and noise of .05."""
    model = models.load("organism:portraits")
    classifier = models.load_classifier("organism:portraits", "gender", ["female", "male"])
    stage = Stage(model, Place(Site.parse("bottleneck"), sampling=Sampling(steps=20)), classifier)
    images = painted(["teacher"])
    reference = Reference.of(
        model.encode_images([images.pictures.read(row) for row in range(len(images.labels))])
    )
    prompts = ["a photo of the teacher", "this is the teacher"]

    def distances(pixels, latents):
        groups = classifier.probabilities(pixels).argmax(dim=1).numpy()
        return Distances(reference.nearest(latents), groups)

    first, fresh = (stage.drawn(Asked.of(prompts, 64, seed)) for seed in (0, 1000))
    before = distances(first.pixels, first.latents)
    assert abs(farther(before, distances(fresh.pixels, fresh.latents), (0.5, 0.5))) < 0.1
    rng = np.random.default_rng(0)
    for spoilt in (blurred(first.pixels), first.pixels + 0.05 * noise(rng, first.pixels)):
        again = model.encode_images(pictures(spoilt))
        assert farther(before, distances(spoilt, again), (0.5, 0.5)) > 0.1


def blurred(pixels):
    """A tenth of the neighbours to each side, both ways."""
    for axis in (2, 3):
        pixels = 0.8 * pixels + 0.1 * (pixels.roll(1, axis) + pixels.roll(-1, axis))
    return pixels


def noise(rng, pixels):
    return torch.from_numpy(rng.normal(size=tuple(pixels.shape))).float()


def pictures(pixels):
    table = pixels.clamp(0, 1).permute(0, 2, 3, 1).double().numpy()
    images = biaskit.image_set(table, ["teacher"] * len(table), name="spoilt")
    return [images.pictures.read(row) for row in range(len(table))]


def test_a_latent_that_turns_away_or_hardly_turns_is_not_named():
    """Its direction is what the intervention says, whatever its attribution."""
    marks = np.arange(100)

    def single(first, second, adjusted):
        response = Response((0.0, 1.0), np.stack([marks < first, marks < second], axis=1))
        return Single(7, response, Null(p=adjusted, kind="McNemar", adjusted=adjusted, correction="Holm"))

    assert single(10, 40, 0.001).turns
    assert not single(40, 10, 0.001).turns
    assert not single(10, 14, 0.2).turns


def test_painted_people_have_equal_shares():
    assert sum(planted(organisms.folder("portraits")).values()) > 0
    assert leaning(organisms.folder("portraits")) == ["dancer", "teacher"]
    assert painted(["dancer", "teacher"]).labels.count("dancer") == 16
