"""Images of one cluster all choose or all judge, and so a layer that suits some clusters is not flattered."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from biaskit.errors import RequestError
from biaskit.records.estimate import Unit
from biaskit.saliency.choosing import Choosing, choose
from biaskit.saliency.faithfulness import Faithfulness
from biaskit.saliency.per_image import PerImage
from biaskit.saliency.sides import Given, clusters_of
from biaskit.stats.proportions import wilson
from tests.saliency.conftest import Staged

LAYERS, CLUSTERS, EACH = 12, 12, 8
OWNERS = np.repeat(np.arange(CLUSTERS), EACH)
SETS = 60


def given(owners):
    return Given(torch.zeros(len(owners), 1, 1, 1), torch.zeros(len(owners)).long(), np.array(owners))


@pytest.mark.parametrize(
    "sizes", [[8] * 12, [40, 20, 9, 5, 5, 4, 2, 1, 1, 1], [50, 6, 6], [30, 30], [1] * 30]
)
def test_a_cluster_lies_on_one_side_and_about_a_third_chooses(sizes):
    owners = np.repeat(np.arange(len(sizes)), sizes)
    for seed in range(20):
        mixed = np.random.default_rng(seed).permutation(owners)
        first, rest = given(mixed).rows(len(mixed), np.random.default_rng(seed))
        assert sorted([*first.tolist(), *rest.tolist()]) == list(range(len(mixed)))
        assert not set(mixed[first]) & set(mixed[rest])
        assert len(set(mixed[rest])) >= min(2, len(sizes) - 1)
        assert abs(len(first) - len(mixed) // 3) <= max(sizes) / 2 or len(sizes) <= 3


def test_clusters_of_one_image_are_divided_as_images_are():
    alone = Given(torch.zeros(40, 1, 1, 1), torch.zeros(40).long(), None)
    one, other = (part.rows(30, np.random.default_rng(5)) for part in (alone, given(range(40))))
    assert all(torch.equal(*pair) for pair in zip(one, other, strict=True))


def test_what_cannot_be_divided_is_refused():
    with pytest.raises(RequestError, match="one cluster"):
        given([3] * 9).rows(9, np.random.default_rng(0))
    with pytest.raises(RequestError, match="2 clusters for 9"):
        clusters_of(("a", "b"), 9)


@pytest.fixture
def flattered(monkeypatch):
    """Return how often the agreement of the best layer is said to differ from its true mean, which is 0.

    No layer is more faithful than another; each suits some clusters and not others.
    """

    class Suited:
        def __init__(self, classifier, pixels, targets, settings):
            self.owners = pixels[:, 0, 0, 0].long().numpy()

        def agreement(self, maps):
            return PerImage(maps.suits[self.owners], Unit.ONE, "made up")

        def faithfulness(self, maps):
            return Faithfulness(*[self.agreement(maps)] * 4)

    def count(clusters):
        wrong = 0
        for seed in range(SETS):
            rng = np.random.default_rng(seed)
            effects = rng.normal(size=(LAYERS, CLUSTERS))

            def made(classifier, pixels, score, candidates, effects=effects):
                dead = torch.zeros(len(pixels), dtype=torch.bool)
                return {
                    one: SimpleNamespace(dead=dead, zero_gradient=dead, suits=effects[one.site.layer])
                    for one in candidates
                }

            monkeypatch.setattr("biaskit.saliency.choosing.maps_of", made)
            model = Staged([nn.Identity()] * LAYERS, [(4, 4)] * LAYERS)
            pixels = torch.tensor(OWNERS, dtype=torch.float)[:, None, None, None].expand(-1, 2, 4, 4)
            asked = Choosing("hires-cam", sites=LAYERS, clusters=clusters)
            targets = torch.zeros(len(pixels), dtype=torch.long)
            wrong += choose(model, pixels, targets, asked, rng=rng).judged.agreement.null.p <= 0.05
        return wilson(wrong, SETS, 0.99)

    monkeypatch.setattr("biaskit.saliency.choosing.Trial", Suited)
    return count


def test_the_best_of_many_layers_is_judged_by_clusters_that_did_not_choose_it(flattered):
    assert flattered(tuple(map(str, OWNERS))).low <= 0.05


def test_image_by_image_it_is_flattered(flattered):
    assert flattered(()).low > 0.05
