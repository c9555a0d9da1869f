"""Training on the spot: it finds a planted dictionary, the same for a seed, and leaves nothing changed."""

import json

import pytest
import torch

from biaskit.concepts import sae_training
from biaskit.concepts.reconstruction import mean_l0
from biaskit.concepts.sae_loading import load_folder
from biaskit.concepts.sae_training import SaeTraining, TrainedOn, train
from biaskit.errors import ActivationError, RequestError
from biaskit.records.site import Site
from tests.concepts.planted import ATOMS, WIDTH, plant

pytest.importorskip("sae_lens")

SITE = Site.parse("resid_post.1")
SOURCE = TrainedOn(SITE, "planted", prepend_bos=True)


@pytest.mark.parametrize("architecture", ["topk", "batchtopk"])
def test_finds_a_planted_dictionary(planted, architecture, capsys):
    settings = SaeTraining(d_sae=64, k=3, architecture=architecture, steps=600, batch=512, learning_rate=1e-2)
    trained = train(planted.rows, settings, SOURCE)
    held_out = plant(2000, seed=5).rows
    found = torch.nn.functional.normalize(trained.dictionary, dim=1)
    best = (planted.atoms @ found.T).max(dim=1).values
    assert (best > 0.9).sum() >= 0.95 * ATOMS
    assert trained.fvu(held_out).value < 0.12
    assert mean_l0(trained.encode(held_out)) == pytest.approx(3, abs=0.5)
    assert capsys.readouterr() == ("", "")


def test_the_loop_is_that_of_the_library(planted):
    """The same trainer run by its own `fit`, which draws a progress bar, gives the same autoencoder."""
    settings = SaeTraining(d_sae=16, k=2, steps=40, batch=64)
    ours = train(planted.rows, settings, SOURCE)
    torch.default_generator.manual_seed(settings.seed)
    trainer = sae_training._trainer(planted.rows, settings, sae_training._metadata(SOURCE))
    trainer.data_provider = sae_training._batches(planted.rows, settings)
    theirs = trainer.fit()
    with torch.no_grad():
        latents = theirs.encode(planted.rows[:200])
        decoded = theirs.decode(latents)
    torch.testing.assert_close(ours.encode(planted.rows[:200]), latents, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(ours.reconstruct(planted.rows[:200]), decoded, atol=1e-4, rtol=1e-4)


def test_same_seed_same_weights_and_no_trace_outside(planted):
    settings = SaeTraining(d_sae=16, k=2, steps=20, batch=64, seed=3)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    one = train(planted.rows, settings, SOURCE)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    torch.randn(100)
    with torch.no_grad():
        other = train(planted.rows, settings, SOURCE)
    assert torch.equal(one.dictionary, other.dictionary)
    assert torch.equal(one.encode(planted.rows[:50]), other.encode(planted.rows[:50]))
    again = train(planted.rows, SaeTraining(d_sae=16, k=2, steps=20, batch=64, seed=4), SOURCE)
    assert not torch.equal(one.dictionary, again.dictionary)


def test_result_does_not_depend_on_the_unit_of_the_rows(planted):
    settings = SaeTraining(d_sae=32, k=3, steps=100, batch=256)
    plain = train(planted.rows, settings, SOURCE)
    scaled = train(50 * planted.rows, settings, SOURCE)
    assert scaled.fvu(50 * planted.rows).value == pytest.approx(plain.fvu(planted.rows).value, rel=0.02)


def test_saved_with_all_that_loading_must_know(planted, tmp_path):
    trained = train(planted.rows, SaeTraining(d_sae=16, k=2, steps=20, batch=64), SOURCE)
    trained.save(tmp_path)
    metadata = json.loads((tmp_path / "cfg.json").read_text())["metadata"]
    assert metadata["hook_name"] == "blocks.1.hook_resid_post"
    loaded = load_folder(tmp_path)
    assert (loaded.site, loaded.model_name, loaded.prepend_bos) == (SITE, "planted", True)
    assert torch.equal(loaded.encode(planted.rows[:50]), trained.encode(planted.rows[:50]))
    assert torch.equal(loaded.reconstruct(planted.rows[:50]), trained.reconstruct(planted.rows[:50]))


def test_fewer_rows_than_a_batch():
    rows = torch.randn(10, WIDTH)
    assert train(rows, SaeTraining(d_sae=8, k=1, steps=3, batch=64), SOURCE).d_in == WIDTH


@pytest.mark.parametrize("wrong", [{"k": 0}, {"k": 99}, {"steps": 0}, {"batch": 0}])
def test_refuses_settings_that_cannot_be_trained(planted, wrong):
    with pytest.raises(RequestError, match="cannot be trained"):
        train(planted.rows, SaeTraining(**{"d_sae": 8, "k": 2} | wrong), SOURCE)


def test_refuses_rows_that_are_not_numbers(planted):
    rows = planted.rows.clone()
    rows[0, 0] = float("nan")
    with pytest.raises(ActivationError):
        train(rows, SaeTraining(d_sae=8, k=2, steps=2), SOURCE)
