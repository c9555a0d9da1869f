"""An autoencoder trained on the spot: what it is trained on is not what it is judged on."""

import numpy as np
import pytest
import torch

from biaskit.analyzers.biaslens import BiasLens
from biaskit.analyzers.biaslens.sae_choice import Audited
from biaskit.records.site import Site
from tests.analyzers.biaslens.planted import new_session, some_targets


def test_halves_share_no_group_and_lose_no_row():
    groups = [f"noun{row % 7}" for row in range(35)]
    audited = Audited(Site.parse("resid_post.0"), torch.arange(35.0)[:, None], groups)
    one, other = audited.halves(np.random.default_rng(0))
    assert not set(one.groups) & set(other.groups)
    assert sorted([*one.rows[:, 0].tolist(), *other.rows[:, 0].tolist()]) == list(map(float, range(35)))
    for half in (one, other):
        assert [groups[int(row)] for row in half.rows[:, 0]] == half.groups


@pytest.mark.slow
def test_an_autoencoder_can_be_trained_on_the_spot(model, organism):
    compared = some_targets("sentiment", ("food",))
    lens = BiasLens(
        axes=("sae",),
        autoencoder="train",
        readings=("references given target",),
        random_directions=2,
    )
    found = lens.analyze(new_session(model, compared))
    (fvu,) = (one.estimate for one in found.findings if one.metric == "biaslens.fvu")
    assert fvu.value is not None
    assert fvu.value < 0.5
    assert any("trained on the spot" in note and "not trained on" in note for note in found.notes)
    assert sum(one.metric == "biaslens.latent" for one in found.findings) > 0
