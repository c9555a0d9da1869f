"""Slices sought in masked images, recognised in whole ones."""

import numpy as np

from biaskit.slices.baselines import KMeans
from biaskit.slices.discovery_null import discovery_null
from biaskit.slices.held_out import HeldOut
from biaskit.slices.in_whole_images import InWholeImages
from biaskit.slices.observations import Observations

WIDTH = 4


def drawn(rng, planted, n=240):
    """Masked images that show what was said beside whole ones that hold the context, if it matters at all."""
    labels = rng.integers(0, 2, n)
    context = rng.integers(0, 2, n)
    wrong = rng.random(n) < (0.9 * context if planted else 0.3)
    said = np.where(wrong, 1 - labels, labels)
    masked = 4.0 * np.eye(WIDTH)[said] + rng.standard_normal((n, WIDTH))
    whole = 4.0 * np.eye(WIDTH)[2 + context] + rng.standard_normal((n, WIDTH))
    probabilities = np.eye(2)[said] * 0.8 + 0.1
    return Observations(np.concatenate([masked, whole], axis=1), labels, probabilities)


def smallest_p(seed, planted, slicer):
    rng = np.random.default_rng(seed)
    return discovery_null(slicer, drawn(rng, planted), HeldOut(drawn(rng, planted)), rng, 19).p


def test_masks_that_show_the_prediction_raise_no_alarm_and_a_planted_context_is_found():
    recognised = InWholeImages(KMeans(2, WIDTH), WIDTH)
    alarms = sum(smallest_p(seed, planted=False, slicer=recognised) <= 0.05 for seed in range(20))
    assert alarms <= 4
    found = sum(smallest_p(seed, planted=True, slicer=recognised) <= 0.05 for seed in range(5))
    assert found == 5


def test_in_the_masked_images_themselves_every_null_is_an_alarm():
    class Masked:
        name = "masked"

        def fit(self, seen, rng):
            return KMeans(2, WIDTH).fit(seen, rng)

    def masked_only(seen):
        return Observations(seen.embeddings[:, :WIDTH], seen.labels, seen.probabilities)

    rng = np.random.default_rng(0)
    p = discovery_null(
        Masked(),
        masked_only(drawn(rng, planted=False)),
        HeldOut(masked_only(drawn(rng, planted=False))),
        rng,
        19,
    ).p
    assert p <= 0.05
