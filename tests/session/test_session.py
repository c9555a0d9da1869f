"""A session reads through its store and gives each label a random stream of its own."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from biaskit.hooks.pooling import Pooling
from biaskit.hooks.store import ActivationStore
from biaskit.records.prompt import Prompt
from biaskit.records.site import Site
from biaskit.session import Session

SITE = Site.parse("resid_post.2")


class Model:
    subject = SimpleNamespace(fingerprint="f", dtype="float32")

    def __init__(self):
        self.poolings = []

    def activations(self, prompts, sites, pooling):
        self.poolings.append(pooling)
        return {site: torch.tensor([[float(len(p.text)), 1.0] for p in prompts]) for site in sites}


@pytest.fixture
def session():
    return Session(model=Model(), comparisons=(), store=ActivationStore(), seed=3)


def test_activations_are_captured_once_and_come_back_in_order(session):
    prompts = [Prompt("aaa"), Prompt("a"), Prompt("aaa")]
    for _ in range(2):
        found = session.activations(prompts, [SITE], Pooling.MEAN)
        assert found[SITE][:, 0].tolist() == [3.0, 1.0, 3.0]
    assert session.model.poolings == [Pooling.MEAN]


def test_progress_hears_of_each_shard(session):
    told = []

    class Told:
        def track(self, items, label, total=None):
            told.append(total)
            yield from items

    told_to = Session(session.model, (), ActivationStore(shard_rows=2), progress=Told())
    told_to.activations([Prompt(str(number)) for number in range(5)], [SITE])
    assert told == [3]


def test_the_same_label_gives_the_same_stream_and_another_label_another(session):
    assert np.array_equal(session.rng("a").random(8), session.rng("a").random(8))
    assert not np.array_equal(session.rng("a").random(8), session.rng("b").random(8))
    first, again = (torch.rand(8, generator=session.torch_rng("a")) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, torch.rand(8, generator=session.torch_rng("b")))


def test_the_seed_moves_every_stream(session):
    other = Session(session.model, (), session.store, seed=4)
    assert not np.array_equal(session.rng("a").random(8), other.rng("a").random(8))


def test_streams_leave_the_global_state_alone(session):
    numpy_before, torch_before = np.random.get_state()[1].copy(), torch.random.get_rng_state()  # noqa: NPY002
    session.rng("a").random()
    torch.rand(1, generator=session.torch_rng("a"))
    assert np.array_equal(np.random.get_state()[1], numpy_before)  # noqa: NPY002
    assert torch.equal(torch.random.get_rng_state(), torch_before)
