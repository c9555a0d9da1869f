"""Edits of latents: what they add is what decoding says, what the autoencoder misses stays, 0 is nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from biaskit.concepts.feature_reader import FeatureReader
from biaskit.concepts.sae_training import SaeTraining, TrainedOn, train
from biaskit.concepts.saved_edit import load_edit, save_edit
from biaskit.concepts.site_autoencoder import Explained, SiteAutoencoder, SiteRecord, explained_variance
from biaskit.concepts.site_edit import EditRecord, SiteEdit, direction_edit
from biaskit.concepts.site_rows import as_activation, rows_of
from biaskit.errors import RequestError, SparseAutoencoderMismatchError
from biaskit.hooks.moments import Moment
from biaskit.records.site import Site

SITE = Site.parse("bottleneck")
NOW = Moment(step=1, timestep=400.0, seeds=(1, 2, 3))
FEATURES = (3, 0, 7)


def rows(count=256, width=12):
    rng = torch.Generator().manual_seed(5)
    return torch.randn(count, 4, generator=rng) @ torch.randn(4, width, generator=rng) + 0.5


@pytest.fixture(scope="module", params=["topk", "batchtopk"])
def sae(request):
    settings = SaeTraining(d_sae=16, k=4, architecture=request.param, steps=60, batch=64)
    return train(rows(), settings, TrainedOn(SITE, "tiny", False))


def edit(sae, kind, strength=1.0, layout="map", **further):
    record = EditRecord(
        kind=kind, model="f" * 64, site=SITE, layout=layout, strength=strength, features=FEATURES, **further
    )
    amounts = torch.tensor([[[0.5, -1.0, 2.0], [1.0, 1.0, -0.5]]])
    reader = FeatureReader.of(sae, FEATURES)
    return SiteEdit(record, sae.dictionary[list(FEATURES)], torch.tensor([800.0, 300.0]), amounts, reader)


def test_a_reader_reads_what_the_autoencoder_does(sae):
    read = FeatureReader.of(sae, FEATURES)(rows())
    torch.testing.assert_close(read, sae.encode(rows())[:, list(FEATURES)], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", ["scale", "add", "clamp"])
def test_an_edit_adds_the_difference_of_what_is_decoded(sae, kind):
    """h + D(z') - D(z), so what the autoencoder misses stays; amounts are those of the nearest step."""
    activation = rows(3).reshape(3, 3, 2, 2)
    latents = sae.encode(rows(3))
    changed, a = latents.clone(), torch.tensor([1.0, 1.0, -0.5])
    old = latents[:, list(FEATURES)]
    steps = {"scale": old * a, "add": a, "clamp": a - old}
    changed[:, list(FEATURES)] = old + 0.7 * steps[kind]
    expected = rows(3) + sae.decode(changed) - sae.decode(latents)
    found = edit(sae, kind, 0.7)(activation, NOW)
    torch.testing.assert_close(found.flatten(1), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", ["scale", "add", "clamp"])
def test_nothing_is_touched_at_strength_0_or_outside_the_window(sae, kind):
    activation = rows(3).reshape(3, 3, 2, 2)
    assert edit(sae, kind, 0.0)(activation, NOW) is activation
    assert edit(sae, kind).within(0, 399)(activation, NOW) is activation
    assert edit(sae, kind).within(400, 400)(activation, NOW) is not activation


def test_a_guided_batch_is_edited_in_both_halves_alike(sae):
    activation = rows(6).reshape(6, 3, 2, 2)
    guided = edit(sae, "add")(activation, replace(NOW, copies=2)) - activation
    assert torch.allclose(guided, guided[:1].expand_as(guided), atol=1e-6)


def balanced(sae, shares, count):
    plain = edit(sae, "add")
    record = plain.record.model_copy(update={"kind": "balance", "shares": shares, "classes": ("a", "b")})
    amounts = torch.cat([plain.amounts, -plain.amounts])
    return replace(plain, record=record, amounts=amounts), replace(NOW, seeds=tuple(range(count)))


def test_balancing_deals_classes_by_seed_in_the_shares_asked(sae):
    change, moment = balanced(sae, (0.3, 0.7), 200)
    activation = rows(200).reshape(200, 3, 2, 2)
    dealt = change.dealt(moment.seeds)
    assert abs(float((dealt == 0).double().mean()) - 0.3) < 0.02
    moved = (change(activation, moment) - activation).flatten(1)
    for number in (0, 1):
        assert torch.allclose(moved[dealt == number], moved[dealt == number][:1], atol=1e-5)
    with pytest.raises(RequestError, match="one share a class"):
        balanced(sae, (0.3, 0.3), 5)


@pytest.mark.parametrize("shape", [(2, 12, 3, 3), (2, 9, 12)])
def test_places_of_maps_and_of_tokens_are_rows(sae, shape):
    activation = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    laid = rows_of(activation, "place")
    assert laid.shape == (18, 12)
    assert torch.equal(as_activation(laid, "place", activation), activation)
    moment = replace(NOW, seeds=(1, 2))
    for kind in ("add", "scale"):
        found = rows_of(edit(sae, kind, layout="place")(activation, moment), "place")
        old = sae.encode(laid)
        change = torch.zeros_like(old)
        a = torch.tensor([1.0, 1.0, -0.5])
        change[:, list(FEATURES)] = a if kind == "add" else a * old[:, list(FEATURES)]
        expected = laid + sae.decode(old + change) - sae.decode(old)
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", ["scale", "add", "clamp"])
def test_a_saved_edit_does_the_same_and_fits_its_model_alone(sae, kind, tmp_path):
    made = edit(sae, kind, 0.5).within(10, 900)
    save_edit(made, tmp_path / "some" / "edit.safetensors")
    read = load_edit(tmp_path / "some" / "edit.safetensors", "f" * 64)
    assert read.record == made.record
    activation = rows(3).reshape(3, 3, 2, 2)
    assert torch.equal(read(activation, NOW), made(activation, NOW))
    with pytest.raises(RequestError, match="another model"):
        load_edit(tmp_path / "some" / "edit.safetensors", "0" * 64)


def test_what_is_no_edit_is_refused(tmp_path):
    with pytest.raises(RequestError, match="no edit"):
        load_edit(tmp_path / "none.safetensors", "f")
    (tmp_path / "broken.safetensors").write_bytes(b"nothing")
    with pytest.raises(RequestError, match="no edit"):
        load_edit(tmp_path / "broken.safetensors", "f")
    save_file({"decoder": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(RequestError, match="holds no edit"):
        load_edit(tmp_path / "other.safetensors", "f")


def test_a_direction_is_added_at_its_own_timestep():
    record = EditRecord(kind="add", model="f", site=SITE, layout="map", strength=2.0)
    directions = torch.stack([torch.ones(12), -torch.ones(12)])
    change = direction_edit(record, [900.0, 100.0], directions)
    activation = rows(3).reshape(3, 3, 2, 2)
    assert torch.allclose(change(activation, NOW) - activation, torch.tensor(-2.0), atol=1e-5)
    assert change.size == pytest.approx(2 * 12**0.5)


def test_an_autoencoder_of_a_site_is_refused_by_another_model_or_site(sae, tmp_path):
    record = SiteRecord(
        model="f" * 64,
        site=SITE,
        layout="map",
        shape=(3, 2, 2),
        timesteps=(1.0, 999.0),
        images=4,
        explained={},
    )
    SiteAutoencoder(sae, record).save(tmp_path)
    read = SiteAutoencoder.load(tmp_path)
    assert read.record == record
    torch.testing.assert_close(read.encode(rows(3).reshape(3, 3, 2, 2)), sae.encode(rows(3)))
    with pytest.raises(SparseAutoencoderMismatchError, match="another model"):
        read.require("0" * 64, SITE)
    with pytest.raises(SparseAutoencoderMismatchError, match=r"tokens\.1"):
        read.require("f" * 64, Site.parse("tokens.1"))
    with pytest.raises(RequestError, match="no saved autoencoder"):
        SiteAutoencoder.load(tmp_path / "none")


def test_explained_variance_is_one_less_what_is_missed(sae):
    found, dead = explained_variance(sae, {400.0: rows()})
    assert found["400"] == pytest.approx(1 - sae.fvu(rows()).value, abs=1e-6)
    assert 0 <= dead < 1


def test_explained_variance_of_parts_is_that_of_the_whole(sae):
    whole = explained_variance(sae, {400.0: rows(), 20.0: rows() + 100.0})
    seen = Explained(sae)
    for part in torch.split(rows(), 7):
        seen.add(400.0, part)
        seen.add(20.0, part + 100.0)
    shares, dead = seen.found()
    assert shares == pytest.approx(whole[0], rel=1e-9)
    assert dead == whole[1]
