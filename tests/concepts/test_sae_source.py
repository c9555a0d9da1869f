"""Which autoencoder a choice in words means."""

import pytest
import torch

from biaskit.concepts import sae_source
from biaskit.concepts.sae_catalogue import default_release
from biaskit.concepts.sae_source import find_autoencoder
from biaskit.concepts.sae_training import SaeTraining, TrainedOn, train
from biaskit.errors import SparseAutoencoderMismatchError
from biaskit.records.site import Site

SITE, OTHER = Site.parse("resid_post.0"), Site.parse("resid_post.1")


@pytest.fixture
def saved(tmp_path):
    """A model folder with an autoencoder of its own for `SITE`."""
    source = TrainedOn(SITE, "toy", prepend_bos=False)
    trained = train(torch.randn(64, 8), SaeTraining(d_sae=16, k=4, steps=2), source)
    trained.save(tmp_path / "saes" / str(SITE))
    return tmp_path


def test_none_is_none():
    found, note = find_autoencoder("none", SITE, "toy")
    assert found is None
    assert "asked for" in note


def test_auto_takes_the_folders_own_before_any_published_one(saved, monkeypatch):
    monkeypatch.setattr(sae_source, "load_published", None)
    found, note = find_autoencoder("auto", SITE, "gpt2", saved)
    assert found is not None
    assert found.site == SITE
    assert "own for resid_post.0" in note


def test_auto_without_any_says_so(saved):
    found, note = find_autoencoder("auto", OTHER, "toy", saved)
    assert found is None
    assert "toy at resid_post.1" in note


def test_auto_falls_back_on_the_published_one(monkeypatch):
    site = Site.parse("resid_pre.8")
    loaded = object()
    asked = []

    def load(release, sae_id, *, site):
        asked.append((release, sae_id, site))
        return loaded

    monkeypatch.setattr(sae_source, "load_published", load)
    found, note = find_autoencoder("auto", site, "gpt2")
    published = default_release("gpt2", site)
    assert found is loaded
    assert published.note in note
    assert asked == [(published.release, published.sae_id, site)]


def test_a_folder_by_its_path(saved):
    found, note = find_autoencoder(str(saved / "saes" / str(SITE)), SITE, "toy")
    assert found is not None
    assert str(saved) in note


def test_a_release_and_its_id(monkeypatch):
    monkeypatch.setattr(
        sae_source, "load_published", lambda release, sae_id, *, site: (release, sae_id, site)
    )
    assert find_autoencoder("some:blocks.0.x", SITE, "toy")[0] == ("some", "blocks.0.x", SITE)


def test_what_is_neither_is_refused():
    with pytest.raises(SparseAutoencoderMismatchError, match="neither a folder nor"):
        find_autoencoder("no-such-thing", SITE, "toy")
