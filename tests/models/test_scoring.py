"""Texts scored token by token and written, against the full model, in any batch, with edits in force."""

import pytest
import torch

from biaskit.errors import RequestError
from biaskit.hooks.edits import Add
from biaskit.records.generation import Generation
from biaskit.records.prompt import Prompt
from biaskit.records.site import Site
from tests.models.conftest import CAUSAL, RECIPES, TEXTS

HEADED = [name for name in RECIPES if name != "minilm"]
ENCODERS = [name for name in HEADED if name not in CAUSAL]


def plain_logprobs(adapter, text):
    """One text at a time, without padding, from the whole model's logits."""
    reader = adapter._reader
    (reading,) = reader.read([Prompt(text)], "mean")
    ids, scored = list(reading.ids), range(reading.words[0], reading.words[1])
    found = []
    for place in scored:
        row = [*ids]
        if reader.encoder:
            row[place] = reader.tokenizer.mask_token_id
        elif place == 0:
            continue
        with torch.inference_mode():
            logits = adapter.module(input_ids=torch.tensor([row])).logits[0].float()
        at = place if reader.encoder else place - 1
        found.append(logits[at].log_softmax(-1)[ids[place]])
    return torch.stack(found)


@pytest.mark.parametrize("name", HEADED)
def test_every_token_is_scored_as_by_the_whole_model(opened, name):
    adapter = opened(name, padding="left")
    texts = ["the food was good", "the nurse said that he was here"]
    for text, found in zip(texts, adapter.text_logprobs(texts), strict=True):
        expected = plain_logprobs(adapter, text)
        assert len(found.tokens) == len(expected)
        torch.testing.assert_close(found.logprobs, expected, atol=2e-4, rtol=1e-4)


def test_a_batch_changes_nothing(opened):
    one, many = opened("gpt2", batch_size=1), opened("gpt2", batch_size=64)
    for left, right in zip(one.text_logprobs(TEXTS), many.text_logprobs(TEXTS), strict=True):
        torch.testing.assert_close(left.logprobs, right.logprobs, atol=1e-4, rtol=1e-4)


class TestWriting:
    GREEDY = Generation(tokens=4, temperature=0)

    def test_the_likeliest_token_is_taken_each_time(self, opened):
        adapter = opened("gpt2")
        prompt = Prompt("the food was")
        ((text,),) = adapter.generate([prompt], self.GREEDY)
        reading = adapter._reader.read([prompt])[0]
        ids = list(reading.ids)
        for _ in range(4):
            with torch.inference_mode():
                ids.append(int(adapter.module(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
        written = adapter._reader.tokenizer.decode(ids[len(reading.ids) :], skip_special_tokens=True)
        assert text == written

    def test_draws_do_not_depend_on_the_batch_and_touch_no_global_state(self, opened):
        prompts = [Prompt(text) for text in TEXTS]
        state = torch.random.get_rng_state()
        settings = Generation(tokens=5, samples=3, seed=4)
        found = [opened("gpt2", batch_size=size).generate(prompts, settings) for size in (1, 7)]
        assert found[0] == found[1]
        assert torch.equal(torch.random.get_rng_state(), state)
        assert [len(texts) for texts in found[0]] == [3] * len(prompts)
        assert found[0] != opened("gpt2").generate(prompts, settings._replace(seed=5))

    def test_draws_follow_the_models_probabilities(self, opened):
        adapter, prompt = opened("gpt2"), Prompt("the food was")
        expected = adapter.next_token_logprobs([prompt])[0].exp()
        many = Generation(tokens=1, samples=400, temperature=1.0)
        (texts,) = adapter.generate([prompt], many)
        tokenizer = adapter._reader.tokenizer
        words = [tokenizer.decode([token], skip_special_tokens=True) for token in range(len(expected))]
        for word in set(words):
            p = float(sum(expected[token] for token, one in enumerate(words) if one == word))
            share = sum(text == word for text in texts) / 400
            assert abs(share - p) <= 5 * (p * (1 - p) / 400) ** 0.5 + 2 / 400

    def test_a_small_nucleus_is_greedy(self, opened):
        adapter, prompt = opened("gpt2"), Prompt("the food was")
        nucleus = Generation(tokens=3, samples=2, top_p=1e-9)
        assert set(adapter.generate([prompt], nucleus)[0]) == {
            adapter.generate([prompt], self.GREEDY._replace(tokens=3))[0][0]
        }

    def test_an_edit_is_in_force_at_every_step(self, opened):
        adapter, prompt = opened("gpt2"), Prompt("the food was")
        width = adapter.activations([prompt], [Site.parse("resid_post.0")])[Site.parse("resid_post.0")].shape[
            1
        ]
        push = torch.randn(1, width, generator=torch.Generator().manual_seed(0)) * 20
        edits = {Site.parse("resid_post.0"): Add(push, 1.0, "all")}
        nothing = {Site.parse("resid_post.0"): Add(push, 0.0, "all")}
        plain = adapter.generate([prompt], self.GREEDY)
        assert adapter.generate([prompt], self.GREEDY, nothing) == plain
        assert adapter.generate([prompt], self.GREEDY, edits) != plain

    @pytest.mark.parametrize("name", ENCODERS[:1])
    def test_an_encoder_writes_nothing(self, opened, name):
        with pytest.raises(RequestError, match="encoder"):
            opened(name).generate([Prompt("the food was")])

    @pytest.mark.parametrize("settings", [{"tokens": 0}, {"samples": 0}, {"top_p": 0.0}])
    def test_settings_out_of_range_are_refused(self, opened, settings):
        with pytest.raises(RequestError, match="needs at least"):
            opened("gpt2").generate([Prompt("the food was")], Generation(**settings))


@pytest.mark.parametrize("name", ENCODERS)
def test_an_encoders_mask_may_stand_in_a_text(opened, name):
    adapter = opened(name)
    text = f"the {adapter.mask_token} was good"
    (found,) = adapter.text_logprobs([text])
    assert adapter._reader.tokenizer.mask_token_id in found.tokens
    torch.testing.assert_close(found.logprobs, plain_logprobs(adapter, text), atol=2e-4, rtol=1e-4)


def test_a_causal_model_has_no_mask(opened):
    assert opened("gpt2").mask_token is None
