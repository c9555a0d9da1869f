"""Words that a text encoder reads whole, in pieces, cut or not at all, on small tokenizers of CLIP's kind."""

from __future__ import annotations

import pytest
import torch
from models import tiny_clip
from models import tiny_pipelines as tiny

from biaskit import models
from biaskit.errors import RequestError, TextTooLongError
from biaskit.models.attribute_classifiers import ZeroShot
from biaskit.models.spelling import Speller, alike, in_folder, in_memory


@pytest.fixture(scope="module")
def pipeline():
    return tiny.stable_diffusion()


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return models.load_encoder(tiny_clip.write(tmp_path_factory.mktemp("clip") / "clip"))


def test_pieces_of_a_word(pipeline):
    speller = in_memory(pipeline)
    assert speller.pieces("nurse") == ("nurse",)
    assert speller.pieces("plumber") == tuple("plumber")
    assert speller.knows("plumber")
    assert not speller.knows("plombière"), "é and è are no letters of this vocabulary"
    assert speller.ids("nurse") == speller.ids("NURSE")
    assert alike(speller, {"nurse": "a", "Nurse": "b"}) == ("nurse", "Nurse")
    assert alike(speller, {"nurse": "a", "Nurse": "a", "doctor": "b"}) is None


def test_lengths_are_held_against_the_shortest_encoder(pipeline):
    long = "a photo of " * 5
    over, limit = in_memory(pipeline).too_long(["the nurse", long])
    assert (over, limit) == ({long: 17}, tiny.LIMIT)


def test_tokenizers_of_a_folder_are_those_of_its_pipeline(pipeline, tmp_path):
    pipeline.save_pretrained(tmp_path / "pipe")
    (tmp_path / "empty").mkdir()
    opened = in_folder(tmp_path / "pipe")
    for word in ("nurse", "plumber", "plombière"):
        assert opened.ids(word) == in_memory(pipeline).ids(word)
    assert opened.too_long(["a photo of " * 5])[1] == tiny.LIMIT
    nothing = in_folder(tmp_path / "empty")
    assert (nothing.tokenizers, nothing.knows("é"), nothing.pieces("é")) == ((), True, ())


def test_one_encoder_that_knows_a_word_is_enough(pipeline):
    class Letters:
        unk_token_id = 0

        def __call__(self, text, **_):
            return type("Read", (), {"input_ids": [1, 2]})

    assert Speller((pipeline.tokenizer, Letters())).knows("plombière")


def test_a_word_in_pieces_is_encoded_with_all_of_them(pipeline):
    """The oracle: the text encoder's own states at every piece, and none of them once the word is dropped."""
    model = models.load(pipeline)
    states = model.encode_prompts(["the plumber", "the"]).tensors["states"]
    read = pipeline.tokenizer(
        ["the plumber", "the"], padding="max_length", max_length=tiny.LIMIT, return_tensors="pt"
    )
    with torch.inference_mode():
        own = pipeline.text_encoder(read.input_ids)[0]
    assert torch.equal(states, own)
    assert model.words("the plumber") == ("the", "plumber")
    pieces = pipeline.tokenizer("plumber", add_special_tokens=False).input_ids
    assert read.input_ids[0].tolist()[2 : 2 + len(pieces)] == pieces
    assert not set(pieces) & set(read.input_ids[1].tolist())


def test_texts_of_a_class_that_are_not_read_are_refused(encoder):
    def shot(**texts):
        return ZeroShot(encoder, "kind", texts)

    assert shot(one=["the doctor"], other=["the plumber"]).classes == ("one", "other")
    with pytest.raises(RequestError, match="does not know 'plombière', a word of 'other'"):
        shot(one=["the doctor"], other=["the plombière"])
    with pytest.raises(RequestError, match="'one' and 'other' alike"):
        shot(one=["the doctor"], other=["THE Doctor"])
    with pytest.raises(TextTooLongError):
        shot(one=["the doctor"], other=["the hairdresser"])
