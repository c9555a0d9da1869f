"""The frozen wrapper against plain restatements of what each configuration asks for."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from biaskit.concepts.latents import carrying_latents
from biaskit.concepts.processing import Processing
from biaskit.concepts.sae_loading import wrap
from biaskit.concepts.sae_training import SaeTraining, TrainedOn, train
from biaskit.concepts.sparse_autoencoder import SparseAutoencoder
from biaskit.errors import ActivationError, RequestError, SparseAutoencoderMismatchError
from biaskit.records.site import Site
from tests.concepts.planted import WIDTH, plant

sae_lens = pytest.importorskip("sae_lens")

SITE = Site.parse("resid_post.1")
LATENTS = 32


def module(architecture="standard", **settings):
    """An untrained inference autoencoder with random biases."""
    classes = {
        "standard": (sae_lens.StandardSAE, sae_lens.StandardSAEConfig),
        "topk": (sae_lens.TopKSAE, sae_lens.TopKSAEConfig),
        "transcoder": (sae_lens.Transcoder, sae_lens.TranscoderConfig),
    }
    build, config = classes[architecture]
    made = build(config(d_in=WIDTH, d_sae=LATENTS, **settings))
    generator = torch.Generator().manual_seed(6)
    with torch.no_grad():
        for weights in made.parameters():
            weights.copy_(0.3 * torch.randn(weights.shape, generator=generator))
    made.cfg.metadata.hook_name = "blocks.1.hook_resid_post"
    return made


def rows(count=50):
    return 3 + torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(7))


def encoded(made, inputs):
    """ReLU((x - b_dec) W_enc + b_enc), restated."""
    shift = made.b_dec if made.cfg.apply_b_dec_to_input else 0
    return torch.relu((inputs - shift) @ made.W_enc + made.b_enc).detach()


@pytest.mark.parametrize("apply_b_dec_to_input", [True, False])
def test_without_normalisation(apply_b_dec_to_input):
    made = module(apply_b_dec_to_input=apply_b_dec_to_input)
    autoencoder, latents = wrap(made, "it"), encoded(made, rows())
    torch.testing.assert_close(autoencoder.encode(rows()), latents)
    torch.testing.assert_close(autoencoder.decode(latents), (latents @ made.W_dec + made.b_dec).detach())
    assert (autoencoder.d_in, autoencoder.d_sae, autoencoder.site) == (WIDTH, LATENTS, SITE)


def test_constant_norm_rescale_is_applied_and_undone_by_row():
    made = module(normalize_activations="constant_norm_rescale")
    scale = WIDTH**0.5 / rows().norm(dim=1, keepdim=True)
    latents = encoded(made, rows() * scale)
    autoencoder = wrap(made, "it")
    torch.testing.assert_close(autoencoder.encode(rows()), latents)
    expected = (latents @ made.W_dec + made.b_dec).detach() / scale
    torch.testing.assert_close(autoencoder.reconstruct(rows()), expected)
    torch.testing.assert_close(autoencoder.encode(rows() * 9), latents)


def test_layer_norm_is_applied_and_undone_by_row():
    made = module(normalize_activations="layer_norm")
    mean, spread = rows().mean(1, keepdim=True), rows().std(1, keepdim=True)
    latents = encoded(made, (rows() - mean) / (spread + 1e-5))
    autoencoder = wrap(made, "it")
    torch.testing.assert_close(autoencoder.encode(rows()), latents)
    expected = (latents @ made.W_dec + made.b_dec).detach() * spread + mean
    torch.testing.assert_close(autoencoder.reconstruct(rows()), expected)


def test_rows_of_one_batch_do_not_lend_their_norm_to_another():
    autoencoder = wrap(module(normalize_activations="layer_norm"), "it")
    first = autoencoder.reconstruct(rows())
    autoencoder.encode(100 * rows())
    torch.testing.assert_close(autoencoder.reconstruct(rows()), first)
    with pytest.raises(RequestError, match="reconstruct"):
        autoencoder.decode(autoencoder.encode(rows()))


def test_expected_average_norm_is_refused_until_its_scale_is_known():
    made = module(normalize_activations="expected_average_only_in")
    autoencoder = wrap(made, "it")
    with pytest.raises(SparseAutoencoderMismatchError, match="names no scale"):
        autoencoder.encode(rows())
    scaled = autoencoder.scaled_on(rows())
    scale = WIDTH**0.5 / float(rows().norm(dim=1).mean())
    latents = encoded(made, rows() * scale)
    torch.testing.assert_close(scaled.encode(rows()), latents, rtol=1e-4, atol=1e-5)
    expected = (latents @ made.W_dec + made.b_dec).detach() / scale
    torch.testing.assert_close(scaled.reconstruct(rows()), expected, rtol=1e-4, atol=1e-5)
    assert scaled.scaled_on(5 * rows()) is scaled


def test_statistics_that_are_not_saved_are_refused():
    with pytest.raises(SparseAutoencoderMismatchError, match="covariance_whitening"):
        wrap(module(normalize_activations="covariance_whitening"), "it")


@pytest.mark.parametrize("rescale", [True, False])
def test_topk_and_its_dictionary(rescale):
    made = module("topk", k=4, rescale_acts_by_decoder_norm=rescale)
    autoencoder = wrap(made, "it")
    before = ((rows() - made.b_dec) @ made.W_enc + made.b_enc).detach()
    lengths = made.W_dec.detach().norm(dim=1)
    before = before * lengths if rescale else before
    kept = torch.zeros_like(before).scatter(1, before.topk(4).indices, before.topk(4).values).relu()
    torch.testing.assert_close(autoencoder.encode(rows()), kept)
    decoded = autoencoder.decode(torch.eye(LATENTS)) - autoencoder.decode(torch.zeros(1, LATENTS))
    torch.testing.assert_close(autoencoder.dictionary, decoded, rtol=1e-4, atol=1e-5)


def test_dictionary_is_in_raw_units_under_a_scale():
    made = module(normalize_activations="expected_average_only_in")
    autoencoder = wrap(made, "it").scaled_on(rows())
    decoded = autoencoder.decode(torch.eye(LATENTS)) - autoencoder.decode(torch.zeros(1, LATENTS))
    torch.testing.assert_close(autoencoder.dictionary, decoded, rtol=1e-4, atol=1e-5)


def test_batches_do_not_matter():
    autoencoder = wrap(module(), "it")
    many = rows(2500)
    torch.testing.assert_close(autoencoder.encode(many)[2040:2060], autoencoder.encode(many[2040:2060]))


def test_refuses_transcoders_wrong_widths_and_rows_that_are_not_numbers():
    with pytest.raises(SparseAutoencoderMismatchError, match="transcoder"):
        wrap(module("transcoder", d_out=WIDTH, apply_b_dec_to_input=False), "it")
    autoencoder = wrap(module(), "it")
    with pytest.raises(SparseAutoencoderMismatchError, match=f"reads {WIDTH} dimensions"):
        autoencoder.encode(torch.randn(5, WIDTH + 1))
    with pytest.raises(ActivationError):
        autoencoder.encode(torch.full((2, WIDTH), float("inf")))


def test_a_row_of_zeros_has_no_norm_to_rescale_by():
    autoencoder = wrap(module(normalize_activations="constant_norm_rescale"), "it")
    with pytest.raises(ActivationError, match="latents"):
        autoencoder.encode(torch.zeros(1, WIDTH))


def test_the_module_is_frozen():
    autoencoder = wrap(module(), "it")
    assert not any(weights.requires_grad for weights in autoencoder.module.parameters())
    assert not autoencoder.encode(rows().requires_grad_()).requires_grad


@pytest.fixture(scope="module")
def trained(planted) -> SparseAutoencoder:
    settings = SaeTraining(d_sae=64, k=3, steps=600, batch=512, learning_rate=1e-2)
    return train(planted.rows, settings, TrainedOn(SITE, "planted", prepend_bos=False))


def test_a_fitting_autoencoder_passes_its_check(trained):
    held_out = plant(2000, seed=5).rows
    estimate = trained.check(held_out, SITE)
    assert estimate.value < 0.1
    assert estimate.interval.low < estimate.value < estimate.interval.high
    assert trained.check(held_out, Site.parse("resid_pre.2")).value == estimate.value


def test_an_autoencoder_of_another_site_or_model_is_refused(trained):
    held_out = plant(2000, seed=5).rows
    with pytest.raises(SparseAutoencoderMismatchError, match=r"reads resid_post\.1, but resid_post\.2"):
        trained.check(held_out, Site.parse("resid_post.2"))
    with pytest.raises(SparseAutoencoderMismatchError, match="does not fit") as refusal:
        trained.check(0.02 * held_out + 3, SITE)
    assert "not below 1" in refusal.value.why
    with pytest.raises(SparseAutoencoderMismatchError, match=r"not below 0\.001"):
        trained.check(held_out, SITE, bound=0.001)
    with pytest.raises(SparseAutoencoderMismatchError, match="cannot be computed"):
        trained.check(held_out[:1].expand(4, -1), SITE)


def test_fvu_is_that_of_the_plain_formula(trained):
    held_out = plant(500, seed=8).rows
    left = ((held_out - trained.reconstruct(held_out)) ** 2).sum()
    spread = ((held_out - held_out.mean(0)) ** 2).sum()
    assert trained.fvu(held_out).value == pytest.approx(float(left / spread), rel=1e-4)
    assert trained.fvu(held_out, [str(row % 50) for row in range(500)]).n == 50


def test_a_planted_latent_is_the_one_that_carries_the_difference(trained):
    """Target rows all hold atom 7, control rows never: the latent found must decode to that atom."""
    truth = plant(6000, seed=11)
    holds = truth.latents[:, 7] > 0
    target, control = trained.encode(truth.rows[holds]), trained.encode(truth.rows[~holds])
    found = carrying_latents(target, control, top=3)
    atom = torch.nn.functional.normalize(trained.dictionary[found[0].index], dim=0)
    assert float(atom @ truth.atoms[7]) > 0.9
    assert found[0].standardised > 1.5
    assert found[0].share_target > 0.9
    assert found[0].share_control < 0.1
    assert abs(found[1].standardised) < 0.5 * found[0].standardised


def test_centring_is_part_of_encoding(trained):
    centred = replace(trained, processing=Processing(centre=True))
    offset = torch.randn(50, 1)
    torch.testing.assert_close(centred.encode(rows() + offset), centred.encode(rows()), atol=1e-4, rtol=1e-3)
    assert not torch.allclose(trained.encode(rows() + offset), trained.encode(rows()), atol=1e-2)
    assert centred.processed(rows()).mean(1).abs().max() < 1e-6


def test_architectures_that_need_a_sequence_are_refused():
    config = SimpleNamespace(
        architecture=lambda: "temporal", reshape_activations="none", metadata=SimpleNamespace()
    )
    with pytest.raises(SparseAutoencoderMismatchError, match="temporal"):
        wrap(SimpleNamespace(cfg=config), "it")
