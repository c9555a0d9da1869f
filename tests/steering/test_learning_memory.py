"""Training on streamed activations holds no more rows with four times the images: rows are counted."""

from __future__ import annotations

import weakref

import pytest
from models import tiny_pipelines as tiny

from biaskit import models
from biaskit.protocols import Sampling
from biaskit.records.audit_spec import Subject
from biaskit.records.site import Site
from biaskit.steering import learning
from biaskit.steering.learning import Learning, learn
from biaskit.steering.trajectories import Place

BATCH, STEPS, BUFFER = 16, 2, 48
PLACE = Place(Site.parse("bottleneck"), "map", Sampling(STEPS))


class Counted:
    """A model that follows the rows that were read while it drew, and counts those that are still held."""

    def __init__(self, model):
        self.model, self.seen, self.most, self.draws = model, [], 0, 0

    def __getattr__(self, name):
        return getattr(self.model, name)

    def draw(self, prompts, seeds, sampling, edits):
        drawn = self.model.draw(prompts, seeds, sampling, edits)
        self.seen += [weakref.ref(rows) for look in edits.values() for rows in look.kept.values()]
        self.draws += 1
        held = [rows for one in self.seen if (rows := one()) is not None]
        self.most = max(self.most, sum(len(rows) for rows in held))
        return drawn


@pytest.fixture
def counted(monkeypatch):
    def run(images):
        sizes = []

        class Watched(learning._Buffer):
            def take(self, rows):
                super().take(rows)
                sizes.append(len(self.rows))

        monkeypatch.setattr(learning, "_Buffer", Watched)
        model = Counted(models.load(tiny.stable_diffusion(), subject=Subject(model="tiny", batch_size=BATCH)))
        how = Learning(images=images, latents=8, active=2, passes=0.1, batch=16, buffer=BUFFER)
        learn(model, PLACE, ["the nurse"], how)
        return model.most, max(sizes), model.draws

    return run


def test_four_times_the_images_hold_no_more_rows(counted):
    (few, buffer, draws), (many, longer, more) = counted(64), counted(256)
    assert (draws, more) == (4 + 2, 16 + 3), "held-out images are drawn too"
    assert buffer == longer == BUFFER
    # The last batch of training, one of the held-out images, and what is being measured of the one before.
    assert max(few, many) <= (2 * STEPS + 1) * BATCH
