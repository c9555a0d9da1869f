"""Pipelines as denoisers: exact levels and conversions, batches that do not matter, refusals with reasons."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, FlowMatchEulerDiscreteScheduler, LCMScheduler
from models import tiny_pipelines as tiny
from PIL import Image

from biaskit import models
from biaskit.errors import ActivationError, ModelLoadError, RequestError, TextTooLongError, UnknownNameError
from biaskit.hooks.capture import capture
from biaskit.hooks.edit import edit
from biaskit.models.denoising_channel import channel_of
from biaskit.models.denoising_families import Flux
from biaskit.organisms.oracles import Mixture, OracleDenoiser, OracleNetwork, stable_diffusion_log_snrs
from biaskit.protocols import DenoisingModel, Sampling
from biaskit.records.audit_spec import Subject
from biaskit.records.probe_set import Modality
from biaskit.records.site import Site

FAMILIES = {
    "sd": tiny.stable_diffusion,
    "sd-v": lambda: tiny.stable_diffusion("v_prediction"),
    "sdxl": tiny.stable_diffusion_xl,
    "sd3": tiny.stable_diffusion_3,
    "dit": tiny.dit,
    "ddpm": tiny.ddpm,
    "classes": lambda: tiny.ddpm(num_class_embeds=3),
}
PROMPTS = {"dit": ["", "cow"], "ddpm": ["", ""], "classes": ["0", "2"]}


@pytest.fixture(scope="module", params=FAMILIES)
def family(request):
    settings = Subject(model="tiny", batch_size=4)
    return request.param, models.load(FAMILIES[request.param](), subject=settings)


@pytest.fixture(scope="module")
def sd():
    return models.load(tiny.stable_diffusion(), subject=Subject(model="tiny", batch_size=4))


def noisy(model, rows, seed=0):
    return torch.randn(rows, *model.shape, generator=torch.Generator().manual_seed(seed))


def predicted(model, prompts, image=None, level=500):
    rows = len(prompts)
    image = noisy(model, 1).expand(rows, -1, -1, -1) if image is None else image
    return model.predict_noise(image, torch.full((rows,), level), model.encode_prompts(prompts))


def test_every_family_predicts_noise_whatever_the_batch(family):
    name, model = family
    assert isinstance(model, DenoisingModel)
    assert model.modality is Modality.TEXT_TO_IMAGE
    prompts = PROMPTS.get(name, ["", "the nurse"])
    found = predicted(model, prompts)
    assert found.shape == (2, *model.shape)
    assert found.dtype == torch.float32
    many = predicted(model, prompts * 3)
    assert (many.reshape(3, 2, *model.shape) - found).abs().max() <= 1e-5 * found.abs().max()
    if name != "ddpm":
        assert (found[0] != found[1]).any(), "the prompt changes something"


def test_levels_ascend_and_end_where_training_did(family):
    _, model = family
    assert (model.log_snrs.diff() > 0).all()
    assert model.log_snrs.dtype == torch.float64
    assert len(model.log_snrs) == 1000


def test_stable_diffusion_levels_are_the_published_ones(sd):
    assert sd.log_snrs[[0, -1]].tolist() == pytest.approx([-5.364, 7.069], abs=1e-3)
    assert sd.shape == (4, 8, 8)


def test_a_row_of_zero_signal_is_no_level():
    scheduler = DDIMScheduler(rescale_betas_zero_snr=True, prediction_type="v_prediction")
    levels = channel_of(scheduler)
    assert len(levels.log_snrs) == len(levels.timesteps) <= 1000
    assert torch.isfinite(levels.log_snrs).all()


MIXTURE = Mixture(
    {"": (0, 1), "one": (1,)},
    torch.tensor([0.5, 0.5], dtype=torch.float64),
    torch.tensor([[-1.0] * 4, [0.5] * 4], dtype=torch.float64),
    torch.tensor([[0.2] * 4, [0.4] * 4], dtype=torch.float64),
)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample", "flow"])
def test_every_kind_of_prediction_becomes_the_same_noise(prediction):
    """An oracle in the call signature of diffusers, through the conversions of the adapter."""
    if prediction == "flow":
        scheduler = FlowMatchEulerDiscreteScheduler()
    else:
        scheduler = DDPMScheduler(
            beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, prediction_type=prediction
        )
    levels = channel_of(scheduler)
    network = OracleNetwork(MIXTURE, prediction, stable_diffusion_log_snrs())
    oracle = OracleDenoiser(MIXTURE, (1, 2, 2), levels.log_snrs)
    image = torch.randn(5, 1, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    at = torch.tensor([0, 200, 500, 800, 999])
    text = network.encode(["one"] * 5)
    raw = network(levels.to_network(image, at), levels.timesteps[at], text).sample
    wanted = oracle.predict_noise(image, at, oracle.encode_prompts(["one"] * 5))
    # Betas are float32 in diffusers, which moves a log-SNR by about 1e-6.
    assert torch.allclose(
        levels.to_noise(raw, image, at).float(), wanted, atol=2e-4 if prediction == "sample" else 2e-5
    )


def test_a_prompt_that_is_too_long_is_not_cut(sd):
    with pytest.raises(TextTooLongError, match=f"at most {tiny.LIMIT}"):
        sd.encode_prompts(["a photo of the nurse " * 10])


def test_a_model_without_text_says_so():
    model = models.load(tiny.ddpm())
    assert not model.takes_text
    with pytest.raises(RequestError, match="takes no text"):
        model.encode_prompts(["a cow"])


def test_classes_are_named_and_the_missing_none_is_told():
    with pytest.raises(UnknownNameError, match="cow"):
        models.load(tiny.dit()).encode_prompts(["cov"])
    with pytest.raises(RequestError, match="no unconditional case"):
        models.load(tiny.ddpm(num_class_embeds=3)).encode_prompts([""])


def test_images_become_latents_and_back(sd):
    picture = Image.fromarray(np.full((40, 30, 3), 128, dtype=np.uint8))
    latents = sd.encode_images([picture, picture])
    assert latents.shape == (2, *sd.shape)
    assert (latents[0] == latents[1]).all(), "the posterior's mode, not a sample"
    assert sd.decode(latents).shape == (2, 3, 16, 16)
    plain = models.load(tiny.ddpm())
    assert plain.decode(plain.encode_images([picture])) == pytest.approx(128 / 255, abs=0.01)


def test_a_seed_draws_the_same_image_in_any_company(sd):
    sampling = Sampling(steps=2)
    one = sd.draw(["the nurse"], [7], sampling)
    many = sd.draw(["the cow"] * 5 + ["the nurse"], [1, 2, 3, 4, 5, 7], sampling)
    assert one.pixels.shape == (1, 3, 16, 16)
    assert torch.allclose(one.latents[0], many.latents[-1], atol=1e-4)
    assert 0 <= float(many.pixels.min()) <= float(many.pixels.max()) <= 1


def test_reading_and_editing_by_nothing_change_no_bit(sd):
    plain = predicted(sd, ["", "the nurse"])
    points = {site: sd.locate(site) for site in sd.sites()}
    kinds = {str(site).partition(".")[0] for site in points}
    assert {"bottleneck", "cross_attn", "conv_out"} <= kinds
    with capture(sd.module, points) as seen:
        read = predicted(sd, ["", "the nurse"])
    assert set(seen) == set(points)
    assert (read == plain).all()
    bottleneck = sd.locate(Site.parse("bottleneck"))
    with edit(sd.module, {bottleneck: lambda activation: activation}):
        assert (predicted(sd, ["", "the nurse"]) == plain).all()
    with edit(sd.module, {bottleneck: lambda activation: activation + 1}):
        assert (predicted(sd, ["", "the nurse"]) != plain).any()
    assert (predicted(sd, ["", "the nurse"]) == plain).all(), "nothing is left behind"


def test_an_edit_reaches_both_halves_of_a_guided_batch(sd):
    """Under guidance diffusers doubles the batch: first the unconditional half, then the conditional one."""
    rows = []

    def watch(activation):
        rows.append(len(activation))
        return activation

    with edit(sd.module, {sd.locate(Site.parse("bottleneck")): watch}):
        sd.draw(["the nurse"] * 3, [1, 2, 3], Sampling(steps=2, guidance=5.0))
    assert rows == [6, 6]


def test_a_site_that_is_not_there_is_named(sd):
    with pytest.raises(UnknownNameError, match="site"):
        sd.locate(Site.parse("resid_post.1"))


def test_noise_that_is_no_number_stops_the_run():
    pipeline = tiny.stable_diffusion()
    with torch.no_grad():
        next(pipeline.unet.conv_out.parameters()).fill_(float("nan"))
    with pytest.raises(ActivationError):
        predicted(models.load(pipeline), ["", "the nurse"])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: tiny.stable_diffusion(time_cond_proj_dim=8), "time_cond_proj_dim"),
        (lambda: tiny.stable_diffusion(scheduler=LCMScheduler(steps_offset=1)), "LCMScheduler"),
    ],
)
def test_distilled_models_are_refused_with_the_evidence(make, said):
    with pytest.raises(ModelLoadError, match=said):
        models.load(make())


def test_a_flux_that_is_told_the_guidance_is_refused():
    network, pipeline = tiny.flux(distilled=True)
    pipeline.transformer = network
    with pytest.raises(ModelLoadError, match="guidance_embeds"):
        Flux(pipeline)


def test_flux_packs_and_unpacks_its_latents():
    network, pipeline = tiny.flux()
    pipeline.transformer = network
    family = Flux(pipeline)
    text = {"states": torch.zeros(2, 5, 16), "pooled": torch.zeros(2, 16)}
    image = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        found = family.raw(image, torch.tensor([500.0, 900.0]), text)
        network.forward = lambda hidden_states, **_: type("Output", (), {"sample": hidden_states})()
        assert (family.raw(image, torch.tensor([500.0, 900.0]), text) == image).all()
    assert found.shape == image.shape


def test_an_unknown_prediction_type_is_refused():
    scheduler = DDPMScheduler()
    scheduler.register_to_config(prediction_type="score")
    with pytest.raises(ModelLoadError, match="'score'"):
        channel_of(scheduler)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("pipelines") / "tiny"
    tiny.stable_diffusion().save_pretrained(place)
    return place


def test_a_folder_opens_as_the_pipeline_that_was_saved(folder, sd):
    model = models.load(str(folder), subject=Subject(model="x", batch_size=4))
    assert (predicted(model, ["", "the nurse"]) == predicted(sd, ["", "the nurse"])).all()
    assert model.subject.architecture == "StableDiffusionPipeline"
    assert len(model.subject.fingerprint) == 64
    assert model.folder == folder


def test_a_folder_without_one_of_its_text_encoders_opens(tmp_path):
    """As Stable Diffusion 3 is often kept without its T5."""
    pipeline = tiny.stable_diffusion_3()
    pipeline.save_pretrained(tmp_path / "sd3")
    model = models.load(str(tmp_path / "sd3"), subject=Subject(model="x", batch_size=4))
    wanted = models.load(pipeline, subject=Subject(model="x", batch_size=4))
    prompts = ["", "the nurse"]
    assert (predicted(model, prompts) == predicted(wanted, prompts)).all()


def test_a_fingerprint_tells_models_apart(folder, sd):
    assert sd.subject.fingerprint != models.load(tiny.stable_diffusion("v_prediction")).subject.fingerprint


def test_a_folder_without_a_scheduler_or_with_pickles_is_refused(folder, tmp_path):
    place = tmp_path / "broken"
    shutil.copytree(folder, place)
    (place / "scheduler" / "scheduler_config.json").unlink()
    with pytest.raises(ModelLoadError, match="scheduler_config"):
        models.load(str(place))
    for weights in place.glob("*/*.safetensors"):
        weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(ModelLoadError, match="safetensors"):
        models.load(str(place))


def test_words_are_those_one_can_ask_about(sd):
    assert sd.words('A cow, and a "giraffe".') == ("A", "cow", "and", "a", "giraffe")


def test_half_precision_has_a_twin_in_float32(folder):
    half = models.load(str(folder), subject=Subject(model=str(folder), dtype="bfloat16"))
    twin = half.in_float32()
    assert (half.dtype, twin.dtype) == (torch.bfloat16, torch.float32)
    noisy = torch.randn(2, *half.shape, generator=torch.Generator().manual_seed(0))
    levels = torch.tensor([100, 900])
    text = half.encode_prompts(["a nurse", ""])
    apart = half.predict_noise(noisy, levels, text) - twin.predict_noise(noisy, levels, text)
    assert 0 < float(apart.abs().max()) < 0.2
    assert half.dtype == torch.bfloat16, "the model itself stays as it was"
