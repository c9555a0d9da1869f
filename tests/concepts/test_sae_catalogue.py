"""The default autoencoder of known models, looked up in sae-lens's own catalogue."""

import subprocess
import sys

import pytest

from biaskit.concepts.sae_catalogue import SAFE_LOADERS, catalogue, default_release, plain_model_name
from biaskit.records.site import Site

pytest.importorskip("sae_lens")


def chosen(model, site):
    found = default_release(model, Site.parse(site))
    return None if found is None else (found.release, found.sae_id)


@pytest.mark.parametrize(
    ("model", "site", "release", "sae_id"),
    [
        ("gpt2", "resid_post.6", "gpt2-small-resid-post-v5-32k", "blocks.6.hook_resid_post"),
        ("gpt2", "resid_pre.6", "gpt2-small-res-jb", "blocks.6.hook_resid_pre"),
        (
            "google/gemma-2-2b",
            "resid_post.25",
            "gemma-scope-2b-pt-res-canonical",
            "layer_25/width_16k/canonical",
        ),
        (
            "google/gemma-2-9b",
            "resid_post.41",
            "gemma-scope-9b-pt-res-canonical",
            "layer_41/width_16k/canonical",
        ),
        (
            "google/gemma-2-9b-it",
            "resid_post.20",
            "gemma-scope-9b-it-res-canonical",
            "layer_20/width_16k/canonical",
        ),
        ("meta-llama/Llama-3.1-8B", "resid_post.31", "llama_scope_lxr_8x", "l31r_8x"),
        ("meta-llama/Meta-Llama-3.1-8B", "resid_post.31", "llama_scope_lxr_8x", "l31r_8x"),
        (
            "EleutherAI/pythia-70m-deduped",
            "resid_post.3",
            "pythia-70m-deduped-res-sm",
            "blocks.3.hook_resid_post",
        ),
        ("mistralai/Mistral-7B-v0.1", "resid_post.15", "mistral-7b-res-wg", "blocks.16.hook_resid_pre"),
    ],
)
def test_known_models(model, site, release, sae_id):
    assert chosen(model, site) == (release, sae_id)


@pytest.mark.parametrize(
    ("model", "site"),
    [
        ("organism:reviews", "resid_post.1"),
        ("gpt2", "mlp_out.3"),
        ("gpt2", "resid_post.12"),
        ("gpt2-xl", "resid_post.3"),
    ],
)
def test_nothing_is_chosen_where_nothing_fits(model, site):
    assert chosen(model, site) is None


def test_every_choice_exists_is_safe_to_open_and_says_why():
    models = {plain_model_name(entry["model"]) for entry in catalogue().values()}
    found = [default_release(model, Site.parse("resid_post.12")) for model in sorted(models)]
    chosen_ones = [choice for choice in found if choice is not None]
    assert len(chosen_ones) > 10
    for choice in chosen_ones:
        entry = catalogue()[choice.release]
        assert choice.sae_id in {item["id"] for item in entry["saes"]}
        assert entry.get("conversion_func") in SAFE_LOADERS
        assert choice.release in choice.note
        assert "chosen among" in choice.note or "the only one" in choice.note


def test_model_names_lose_owner_and_case():
    assert plain_model_name("openai-community/GPT2") == "gpt2-small"
    assert plain_model_name("google/gemma-2-2b") == "gemma-2-2b"


def test_looking_up_does_not_import_sae_lens():
    code = (
        "import sys; from biaskit.concepts.sae_catalogue import default_release; "
        "from biaskit.records.site import Site; default_release('gpt2', Site.parse('resid_post.6')); "
        "sys.exit('sae_lens' in sys.modules or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
