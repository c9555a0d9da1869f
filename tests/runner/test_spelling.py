"""Words of prompts are held against the text encoder before any weight is loaded."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from models import tiny_pipelines as tiny

import biaskit
from biaskit import models
from biaskit.errors import RequestError, TextTooLongError
from biaskit.organisms import portraits
from biaskit.runner.request import request
from biaskit.runner.spelling import spelt

SET = """
format = 1
kind = "target"
name = "{name}"
modality = "text-to-image"
description = "Jobs."
source = "Written for a test"
licence = "CC0-1.0"
noun_class = "person"
references = ["portrait-gender"]
controls = "portrait-neutral"
templates = ["{template}"]

[targets]
{targets}
"""


@pytest.fixture
def asked(tmp_path):
    def make(*targets, model=None, template="a photo of the {x}", **options):
        (tmp_path / "probes").mkdir(exist_ok=True)
        listed = "\n".join(f'"{one}" = ["{one}"]' for one in targets)
        path = tmp_path / "probes" / "jobs.toml"
        path.write_text(SET.format(name="jobs", template=template, targets=listed), encoding="utf-8")
        return request(model or tiny.stable_diffusion(), str(path), (), None, options)

    return make


def test_words_in_pieces_are_told_and_whole_ones_are_not(asked):
    (said,) = spelt(asked("plumber", "nurse", template="the {x}"))
    assert "'plumber' (p l u m b e r)" in said
    assert "nurse" not in said
    assert "whole word" in said
    assert spelt(asked("doctor", "nurse", template="the {x}")) == ()


@pytest.mark.parametrize(
    ("targets", "template", "said"),
    [
        (("nurse", "plombière", "châtelain"), "the {x}", "does not know 'plombière', nor 1 further word"),
        (("nurse", "nurse!"), "a {x}", "does not know 'nurse!'"),
        (("bäcker", "becker"), "the {x}", "does not know 'bäcker'"),
    ],
)
def test_words_that_are_not_read_are_refused(asked, targets, template, said):
    with pytest.raises(RequestError, match=said):
        spelt(asked(*targets, template=template))


class Deaf:
    """A tokenizer that reads any text as its first letter."""

    unk_token_id, model_max_length = None, 100

    def __call__(self, text, **_):
        read = [[ord(text[0])]] if isinstance(text, str) else [[0]] * len(text)
        return SimpleNamespace(input_ids=read[0] if isinstance(text, str) else read)

    def convert_ids_to_tokens(self, ids):
        return [chr(one) for one in ids]


def test_words_that_are_read_alike_are_refused(asked):
    deaf = SimpleNamespace(tokenizer=Deaf())
    assert spelt(asked("nurse", "doctor", model=deaf)) == ()
    with pytest.raises(RequestError, match="reads 'nurse' and 'notary' alike"):
        spelt(asked("nurse", "notary", model=deaf))


def test_prompts_that_would_be_cut_are_refused(asked):
    with pytest.raises(TextTooLongError, match="a photo of the"):
        spelt(asked("hairdresser"))


def test_no_weight_is_opened_for_the_refusal(asked, tmp_path, monkeypatch):
    portraits.untrained(tmp_path / "model", 0)

    def opened(*_, **__):
        raise AssertionError("the model was opened")

    monkeypatch.setattr(models, "load", opened)
    asked("astronömer")
    with pytest.raises(RequestError, match="does not know 'astronömer'"):
        biaskit.audit(str(tmp_path / "model"), concepts=str(tmp_path / "probes" / "jobs.toml"))


def test_images_of_ones_own_are_read_all_the_same(asked, tmp_path):
    made = asked("nurse", "plombière", template="the {x}")
    told = spelt(made.__class__(**{one: getattr(made, one) for one in made.__slots__} | {"images": (1,)}))
    assert any("does not know 'plombière'" in one for one in told)


def test_models_without_a_text_encoder_are_left_alone(asked):
    assert spelt(asked("plombière", model=object())) == ()
    assert spelt(request("some/model", "food", (), None, {})) == ()
