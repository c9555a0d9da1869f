"""The null of a discovery where the same object is in several images."""

import numpy as np
import pytest

from biaskit.slices.baselines import KMeans
from biaskit.slices.discovery_null import discovery_null, within_classes
from biaskit.slices.held_out import HeldOut
from biaskit.slices.observations import Observations
from biaskit.stats.proportions import wilson

OBJECTS, VIEWS, WIDTH = 24, 6, 4
SETS = 40


def objects(rng):
    """Images of a few objects, alike in embedding and, as a rule, in whether they are taken for another."""
    labels = np.repeat(np.arange(OBJECTS) % 2, VIEWS)
    clusters = np.repeat(np.arange(OBJECTS), VIEWS)
    embeddings = 3 * rng.standard_normal((OBJECTS, WIDTH))[clusters] + rng.standard_normal(
        (len(labels), WIDTH)
    )
    hard = (rng.random(OBJECTS) < 0.25)[clusters]
    wrong = rng.random(len(labels)) < np.where(hard, 0.9, 0.02)
    probabilities = np.eye(2)[np.where(wrong, 1 - labels, labels)] * 0.8 + 0.1
    return Observations(embeddings, labels, probabilities), clusters


def alarms(sets, *, together):
    """How often a slice is found at the declared rate of 0.1 where hard objects lie anywhere."""
    count = 0
    for seed in range(sets):
        rng = np.random.default_rng(seed)
        (seen, _), (held, clusters) = objects(rng), objects(rng)
        judged = HeldOut(held, clusters=clusters if together else None)
        count += discovery_null(KMeans(4, WIDTH), seen, judged, rng, 9).p <= 0.1
    return count


def test_hard_objects_are_no_slice_where_their_images_are_kept_together():
    assert wilson(alarms(SETS, together=True), SETS).low <= 0.1


def test_shuffled_image_by_image_they_are():
    assert wilson(alarms(SETS, together=False), SETS).low > 0.1


@pytest.mark.parametrize("sizes", [[3, 3, 3, 3], [1, 5, 2, 4]])
def test_whole_clusters_change_places_within_their_class(sizes):
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.arange(4), sizes)
    labels = np.repeat([0, 0, 1, 1], sizes)
    mixed = rng.permutation(len(labels))
    order = within_classes(labels[mixed], rng, clusters[mixed])
    assert sorted(order) == list(range(len(labels)))
    assert (labels[mixed][order] == labels[mixed]).all()
    if len(set(sizes)) == 1:
        came_from = clusters[mixed][order]
        assert all(len(set(came_from[clusters[mixed] == one])) == 1 for one in range(4))


def test_every_order_of_clusters_occurs():
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.arange(3), 2)
    orders = {tuple(clusters[within_classes(np.zeros(6, int), rng, clusters)][::2]) for _ in range(100)}
    assert len(orders) == 6
