"""An autoencoder trained on TransformerLens's centred weights must read centred rows of the plain model.

The proof runs on a GPT-2 whose tokens and MLPs write an offset that LayerNorm removes: TransformerLens
computes the same next-token probabilities from a stream without it.
"""

from dataclasses import replace

import pytest
import torch

from biaskit.concepts.processing import Processing, expected_norm_scale
from biaskit.concepts.sae_loading import load_folder
from biaskit.concepts.sae_training import SaeTraining, TrainedOn, train
from biaskit.records.site import Site

transformers = pytest.importorskip("transformers")
transformer_lens = pytest.importorskip("transformer_lens")
from transformer_lens.pretrained.weight_conversions import convert_gpt2_weights  # noqa: E402

WIDTH, TOKENS = 32, 50
SITE = Site.parse("resid_post.0")


@pytest.fixture(scope="module")
def plain_model():
    torch.manual_seed(0)
    config = transformers.GPT2Config(n_layer=2, n_embd=WIDTH, n_head=2, n_positions=16, vocab_size=TOKENS)
    model = transformers.GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        model.transformer.wte.weight += 0.05 * torch.randn(TOKENS, 1)
        for block in model.transformer.h:
            block.mlp.c_proj.weight += 0.05 * torch.randn(4 * WIDTH, 1)
    return model


@pytest.fixture(scope="module")
def processed_model(plain_model):
    model = transformer_lens.HookedTransformer(
        transformer_lens.HookedTransformerConfig(
            n_layers=2,
            d_model=WIDTH,
            n_ctx=16,
            d_head=WIDTH // 2,
            n_heads=2,
            d_mlp=4 * WIDTH,
            d_vocab=TOKENS,
            act_fn="gelu_new",
            normalization_type="LN",
            eps=plain_model.config.layer_norm_epsilon,
        )
    )
    weights = convert_gpt2_weights(plain_model, model.cfg)
    model.load_and_process_state_dict(weights, fold_ln=True, center_writing_weights=True)
    return model


@pytest.fixture(scope="module")
def streams(plain_model, processed_model):
    """The same texts' residual rows in both models, and the largest difference of their predictions."""
    tokens = torch.randint(0, TOKENS, (600, 12), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        plain = plain_model(tokens, output_hidden_states=True)
        logits, cache = processed_model.run_with_cache(tokens, names_filter="blocks.0.hook_resid_post")
    gap = (plain.logits.log_softmax(-1) - logits.log_softmax(-1)).abs().max()
    rows = plain.hidden_states[1].reshape(-1, WIDTH)
    return rows, cache["blocks.0.hook_resid_post"].reshape(-1, WIDTH), float(gap)


@pytest.fixture(scope="module")
def autoencoder(streams, tmp_path_factory):
    """Trained on the processed stream, saved, and loaded again from its configuration alone."""
    folder = tmp_path_factory.mktemp("centred")
    settings = SaeTraining(d_sae=256, k=16, steps=300, batch=512, learning_rate=5e-3)
    train(streams[1], settings, TrainedOn(SITE, "plain", prepend_bos=False, centred=True)).save(folder)
    return load_folder(folder)


def test_the_processed_model_is_the_same_model_with_a_centred_stream(streams):
    plain, processed, gap = streams
    assert gap < 1e-4
    assert plain.var(0).sum() > 3 * processed.var(0).sum()
    torch.testing.assert_close(Processing(centre=True)(plain), processed, atol=1e-6, rtol=0)


def test_centring_gives_the_processed_fvu_and_its_absence_does_not(streams, autoencoder):
    plain, processed, _ = streams
    assert autoencoder.processing == Processing(centre=True)
    unprocessed = replace(autoencoder, processing=Processing())
    truth = unprocessed.fvu(processed)
    centred, raw = autoencoder.fvu(plain), unprocessed.fvu(plain)
    assert truth.value < 0.02
    assert centred.value == pytest.approx(truth.value, rel=1e-3)
    assert raw.interval.low > 10 * centred.interval.high
    torch.testing.assert_close(autoencoder.encode(plain), unprocessed.encode(processed), atol=1e-4, rtol=1e-3)


def test_the_scale_brings_rows_to_the_expected_norm():
    rows = 7 * torch.randn(500, 16)
    scaled = Processing(scale=expected_norm_scale(rows))(rows)
    assert float(scaled.norm(dim=1).mean()) == pytest.approx(4, rel=1e-5)
    torch.testing.assert_close(Processing()(rows), rows)
