"""Folders and published releases: what is read from them, and what is refused."""

import json

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save_file

from biaskit.concepts.processing import Processing
from biaskit.concepts.sae_catalogue import catalogue
from biaskit.concepts.sae_loading import load_folder, load_published
from biaskit.errors import ModelLoadError, RequestError, SparseAutoencoderMismatchError, UnknownNameError
from biaskit.records.site import Site

sae_lens = pytest.importorskip("sae_lens")

WIDTH, LATENTS = 12, 20


def weights():
    generator = torch.Generator().manual_seed(0)
    shapes = {"W_enc": (WIDTH, LATENTS), "W_dec": (LATENTS, WIDTH), "b_enc": (LATENTS,), "b_dec": (WIDTH,)}
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def configuration(**metadata):
    return {
        "architecture": "standard",
        "d_in": WIDTH,
        "d_sae": LATENTS,
        "dtype": "float32",
        "metadata": {"sae_lens_version": "6.54.12", **metadata},
    }


@pytest.fixture
def folder(tmp_path):
    def write(**metadata):
        (tmp_path / "cfg.json").write_text(json.dumps(configuration(**metadata)))
        save_file(weights(), tmp_path / "sae_weights.safetensors")
        return tmp_path

    return write


@pytest.mark.parametrize(
    "hook_name", ["blocks.1.hook_resid_post", "transformer.h.1", "blocks.2.hook_resid_pre"]
)
def test_a_folder_that_says_where_it_reads(folder, hook_name):
    loaded = load_folder(folder(hook_name=hook_name, model_name="gpt2", prepend_bos=False))
    assert str(loaded.site) in {"resid_post.1", "resid_pre.2"}
    assert (loaded.model_name, loaded.prepend_bos) == ("gpt2", False)
    assert loaded.processing == Processing()
    assert loaded.encode(torch.randn(3, WIDTH)).shape == (3, LATENTS)


def test_a_site_is_never_guessed(folder):
    path = folder()
    with pytest.raises(SparseAutoencoderMismatchError, match="does not say where"):
        load_folder(path)
    assert load_folder(path, site=Site.parse("resid_post.3")).site == Site.parse("resid_post.3")


def test_a_given_site_must_be_the_one_it_was_trained_at(folder):
    path = folder(hook_name="transformer.h.1")
    assert load_folder(path, site=Site.parse("resid_pre.2")).site == Site.parse("resid_pre.2")
    with pytest.raises(SparseAutoencoderMismatchError, match=r"trained at resid_post\.1"):
        load_folder(path, site=Site.parse("resid_post.2"))


def test_a_site_biaskit_does_not_know_can_be_named(folder):
    path = folder(hook_name="backbone.stages.1.norm")
    with pytest.raises(SparseAutoencoderMismatchError, match="not a site"):
        load_folder(path)
    assert load_folder(path, site=Site.parse("resid_post.1")).site == Site.parse("resid_post.1")


def test_centred_weights_ask_for_centred_rows(folder):
    asked = {"center_writing_weights": True}
    loaded = load_folder(folder(hook_name="transformer.h.1", model_from_pretrained_kwargs=asked))
    assert loaded.processing == Processing(centre=True)
    plain = load_folder(folder(hook_name="transformer.h.1", model_from_pretrained_kwargs={"fold_ln": False}))
    assert plain.processing == Processing()


def test_loading_leaves_the_random_state_alone(folder):
    state = torch.get_rng_state()
    load_folder(folder(hook_name="transformer.h.1"))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("missing", ["cfg.json", "sae_weights.safetensors"])
def test_an_incomplete_folder(folder, missing):
    path = folder(hook_name="transformer.h.1")
    (path / missing).unlink()
    with pytest.raises(RequestError, match=missing):
        load_folder(path)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        json.dumps(configuration() | {"architecture": "unheard"}),
        json.dumps(configuration() | {"d_in": 5}),
    ],
)
def test_a_broken_folder(folder, text):
    path = folder(hook_name="transformer.h.1")
    (path / "cfg.json").write_text(text)
    with pytest.raises(RequestError, match="cannot be opened"):
        load_folder(path, site=Site.parse("resid_post.1"))


def test_weights_that_are_not_safetensors(folder):
    path = folder(hook_name="transformer.h.1")
    (path / "sae_weights.safetensors").write_bytes(b"\x80\x04not safe")
    with pytest.raises(RequestError, match="cannot be opened"):
        load_folder(path)


@pytest.fixture(autouse=True)
def hub(tmp_path, monkeypatch):
    """An empty hub cache, with no hub behind it."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.fixture
def cached(hub):
    """The first GPT-2 residual release in a hub-layout cache, in its own old configuration format."""

    def write(repository, sae_id, **settings):
        commit = "0" * 40
        place = hub / f"models--{repository.replace('/', '--')}"
        (place / "refs").mkdir(parents=True, exist_ok=True)
        (place / "refs" / "main").write_text(commit)
        files = place / "snapshots" / commit / sae_id
        files.mkdir(parents=True, exist_ok=True)
        config = {
            "model_name": "gpt2-small",
            "hook_point": sae_id,
            "d_in": WIDTH,
            "d_sae": LATENTS,
            "dtype": "torch.float32",
            **settings,
        }
        (files / "cfg.json").write_text(json.dumps(config))
        save_file(weights(), files / "sae_weights.safetensors")
        save_file({"sparsity": torch.zeros(LATENTS)}, files / "sparsity.safetensors")

    return write


def test_the_first_gpt2_release_reads_centred_rows(cached):
    cached("jbloom/GPT2-Small-SAEs-Reformatted", "blocks.6.hook_resid_pre")
    loaded = load_published("gpt2-small-res-jb", "blocks.6.hook_resid_pre")
    assert loaded.site == Site.parse("resid_pre.6")
    assert loaded.processing == Processing(centre=True)
    assert (loaded.model_name, loaded.prepend_bos) == ("gpt2-small", True)
    given, rows = weights(), 4 + torch.randn(9, WIDTH)
    centred = rows - rows.mean(1, keepdim=True)
    expected = torch.relu((centred - given["b_dec"]) @ given["W_enc"] + given["b_enc"])
    torch.testing.assert_close(loaded.encode(rows), expected, atol=1e-4, rtol=1e-4)
    asked = load_published("gpt2-small-res-jb", "blocks.6.hook_resid_pre", site=Site.parse("resid_post.5"))
    assert asked.site == Site.parse("resid_post.5")


def test_a_scale_that_the_catalogue_knows_is_folded(cached):
    """gemma-2b-res-jb states its factor; latents of raw rows are those of scaled rows."""
    entry = catalogue()["gemma-2b-res-jb"]
    item = next(item for item in entry["saes"] if "norm_scaling_factor" in item)
    cached(
        entry["repo_id"],
        item["path"],
        hook_point=item["id"],
        normalize_activations="expected_average_only_in",
    )
    loaded = load_published("gemma-2b-res-jb", item["id"])
    given, rows = weights(), torch.randn(9, WIDTH)
    scaled = rows * item["norm_scaling_factor"]
    expected = torch.relu((scaled - given["b_dec"]) @ given["W_enc"] + given["b_enc"])
    torch.testing.assert_close(loaded.encode(rows), expected, atol=1e-3, rtol=1e-3)


def test_a_scale_that_nobody_knows_is_asked_for(cached):
    cached(
        "jbloom/GPT2-Small-SAEs-Reformatted",
        "blocks.7.hook_resid_pre",
        normalize_activations="expected_average_only_in",
    )
    loaded = load_published("gpt2-small-res-jb", "blocks.7.hook_resid_pre")
    with pytest.raises(SparseAutoencoderMismatchError, match="names no scale"):
        loaded.encode(torch.randn(9, WIDTH))
    assert loaded.scaled_on(torch.randn(9, WIDTH)).encode(torch.randn(3, WIDTH)).shape == (3, LATENTS)


def test_unknown_names_get_near_ones():
    with pytest.raises(UnknownNameError) as refusal:
        load_published("gpt2-small-res-jp", "blocks.6.hook_resid_pre")
    assert "gpt2-small-res-jb" in refusal.value.near
    with pytest.raises(UnknownNameError) as refusal:
        load_published("gpt2-small-res-jb", "blocks.6.hook_resid_pro")
    assert "blocks.6.hook_resid_pre" in refusal.value.near


def test_a_release_that_is_not_in_the_cache_says_what_to_do_offline():
    with pytest.raises(ModelLoadError, match="cannot be reached") as refusal:
        load_published("gemma-2b-res-jb", "blocks.12.hook_resid_post")
    assert "local folder" in refusal.value.fix


def test_pickled_releases_are_refused():
    with pytest.raises(RequestError, match="pickles"):
        load_published("qwen-scope-3-1.7b-base-w32k-l50", "layer0")
