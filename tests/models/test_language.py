"""The adapter against the full model, against itself under other batching, and against finite differences."""

import logging

import pytest
import torch

from biaskit import models
from biaskit.errors import ActivationError, RequestError, RunError
from biaskit.hooks.capture import capture
from biaskit.hooks.pooling import Pooling
from biaskit.protocols import LanguageModel
from biaskit.records.audit_spec import Subject
from biaskit.records.prompt import Prompt
from biaskit.records.site import Site
from tests.models.conftest import CAUSAL, RECIPES, TEXTS

PROMPTS = [Prompt(text) for text in TEXTS]
SPANNED = [
    Prompt("the food was", (4, 8)),
    Prompt("the nurse said that", (4, 9)),
    Prompt("The little dog went to the park, and it was", (11, 14)),
]
HEADED = [name for name in RECIPES if name != "minilm"]
WORDS = ["he", "she", "good", "food"]


class Shift:
    """Adds a row's own vector at the position it is read at."""

    def __init__(self, vectors):
        self.vectors = vectors

    def __call__(self, activation, rows):
        changed = activation.clone()
        changed[torch.arange(len(rows.index)), rows.position] += self.vectors[rows.index].to(activation.dtype)
        return changed


class Nothing:
    def __call__(self, activation, rows):
        return activation


def full_logprobs(adapter, prompt):
    reading = adapter._reader.read([prompt])[0]
    with torch.inference_mode():
        logits = adapter.module(input_ids=torch.tensor([reading.ids])).logits[0, reading.last]
    return logits.float().log_softmax(-1)


@pytest.mark.parametrize("name", RECIPES)
def test_the_adapter_keeps_the_protocol(opened, name):
    assert isinstance(opened(name), LanguageModel)


@pytest.mark.parametrize("name", HEADED)
@pytest.mark.parametrize("padding", ["right", "left"])
def test_next_token_logprobs_are_those_of_the_full_unpadded_model(opened, name, padding):
    adapter = opened(name, padding=padding)
    found = adapter.next_token_logprobs(PROMPTS)
    expected = torch.stack([full_logprobs(adapter, prompt) for prompt in PROMPTS])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.exp().sum(1), torch.ones(len(PROMPTS)))
    chosen = adapter.next_token_logprobs(PROMPTS, [7, 3])
    assert torch.equal(chosen, found[:, [7, 3]])


def test_gemma_caps_its_logits(opened):
    spread = opened("gemma2").next_token_logprobs(PROMPTS)
    assert (spread.amax(1) - spread.amin(1)).max() <= 6 + 1e-5  # capped at +-3


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("pooling", list(Pooling))
def test_batches_and_padding_change_nothing(opened, name, pooling):
    prompts = SPANNED if pooling is Pooling.SPAN else [*PROMPTS, *SPANNED]
    reference = opened(name, batch_size=1)
    sites = reference.sites()
    expected = reference.activations(prompts, sites, pooling)
    for settings in ({"batch_size": 3}, {"batch_size": 64}, {"batch_size": 64, "padding": "left"}):
        found = opened(name, **settings).activations(prompts, sites, pooling)
        for site in sites:
            assert found[site].dtype == torch.float32
            torch.testing.assert_close(found[site], expected[site], atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["gpt2", "llama", "bert", "roberta"])
def test_a_span_is_read_at_its_own_last_token(opened, name):
    adapter = opened(name)
    site = Site.parse("embed")
    embedding = adapter.module.get_input_embeddings()
    words = adapter.single_token_words(["food", "nurse", "dog"])
    assert len(words) == 3
    found = adapter.activations(SPANNED, [site], Pooling.SPAN)[site]
    assert torch.equal(found, embedding(torch.tensor(list(words.values()))))


def test_a_mean_runs_over_the_span_or_the_text_without_special_tokens(opened):
    adapter = opened("bert")
    site = Site.parse("embed")
    embedding = adapter.module.get_input_embeddings().weight
    ids = adapter._reader.tokenizer(["the food was", "food was"], add_special_tokens=False)["input_ids"]
    prompts = [Prompt("the food was"), Prompt("the food was", (4, 12))]
    found = adapter.activations(prompts, [site], Pooling.MEAN)[site]
    for row, own in enumerate(ids):
        torch.testing.assert_close(found[row], embedding[own].mean(0))


def test_an_encoder_reads_at_the_mask_that_stands_behind_the_prompt(opened):
    adapter = opened("bert")
    tokenizer = adapter._reader.tokenizer
    ids = tokenizer("the food was [MASK].")["input_ids"]
    with torch.inference_mode():
        logits = adapter.module(input_ids=torch.tensor([ids])).logits[0, ids.index(tokenizer.mask_token_id)]
    found = adapter.next_token_logprobs([Prompt("the food was")])[0]
    torch.testing.assert_close(found, logits.log_softmax(-1), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", CAUSAL)
def test_continuations_are_scored_token_by_token(opened, name):
    adapter = opened(name)
    continuations = ["he", "was kind to the nurse", "good"]
    found = adapter.continuation_logprobs(PROMPTS, continuations)
    for row, prompt in enumerate(PROMPTS):
        for column, text in enumerate(continuations):
            expected = forced(adapter, prompt, text)
            assert found[row, column].item() == pytest.approx(expected, abs=2e-5)


def forced(adapter, prompt, text):
    """Sum of log-probabilities of the continuation's tokens, one whole unpadded forward pass."""
    start = adapter._reader.read([prompt])[0].ids
    whole = adapter._reader.read([Prompt(f"{prompt.text} {text}")])[0].ids
    assert whole[: len(start)] == start
    with torch.inference_mode():
        logprobs = adapter.module(input_ids=torch.tensor([whole])).logits[0].log_softmax(-1)
    return sum(logprobs[i - 1, whole[i]].item() for i in range(len(start), len(whole)))


def test_an_encoder_gives_no_number_for_several_tokens(opened):
    found = opened("bert").continuation_logprobs(PROMPTS, ["he", "kind people"])
    assert found[:, 0].isfinite().all()
    assert found[:, 1].isnan().all()


@pytest.mark.parametrize("name", ["gpt2", "opt", "gemma2", "gpt_neox"])
@pytest.mark.parametrize("site", ["resid_pre.1", "attn_out.0", "mlp_post.0", "mlp_out.0", "resid_post.0"])
def test_an_edit_of_both_kinds_of_continuation_is_the_same(opened, name, site):
    adapter = opened(name, batch_size=2)
    width = adapter.activations(PROMPTS, [Site.parse(site)])[Site.parse(site)].shape[1]
    edits = {Site.parse(site): Shift(torch.randn(len(PROMPTS), width))}
    plain = adapter.continuation_logprobs(PROMPTS, ["good"])
    single = adapter.continuation_logprobs(PROMPTS, ["good"], edits)
    token = adapter.single_token_words(["good"])["good"]
    several = adapter._forced(PROMPTS, (token,), edits)
    torch.testing.assert_close(single[:, 0], several, atol=2e-5, rtol=1e-5)
    assert ((single - plain).abs() > 1e-3).all()
    padded_left = opened(name, padding="left").continuation_logprobs(PROMPTS, ["good", "kind dog"], edits)
    torch.testing.assert_close(padded_left[:, :1], single, atol=2e-5, rtol=1e-5)


def test_an_edit_that_does_nothing_is_bit_identical(opened):
    adapter = opened("gpt2")
    edits = {site: Nothing() for site in adapter.sites()}
    assert torch.equal(
        adapter.next_token_logprobs(PROMPTS, edits=edits), adapter.next_token_logprobs(PROMPTS)
    )


def test_edits_of_input_and_output_of_one_block_both_act(opened):
    adapter = opened("gpt2")
    shift = Shift(torch.randn(len(PROMPTS), 32))
    pre, post = Site.parse("resid_pre.1"), Site.parse("resid_post.1")
    both = adapter.next_token_logprobs(PROMPTS, edits={pre: shift, post: shift})
    for one in ({pre: shift}, {post: shift}):
        assert not torch.allclose(adapter.next_token_logprobs(PROMPTS, edits=one), both, atol=1e-3)


@pytest.mark.parametrize("name", HEADED)
def test_gradients_are_finite_differences(opened, name):
    adapter = opened(name)
    words = adapter.single_token_words(WORDS)
    groups = ([words["he"], words["good"]], [words["she"], words["food"]])
    sites = [Site.parse(site) for site in ("resid_pre.0", "attn_out.0", "mlp_out.1", "resid_post.0")]
    odds, gradients, _ = adapter.log_odds_gradients(PROMPTS, groups, sites)
    assert odds == pytest.approx(log_odds(adapter, PROMPTS, groups, {}), abs=1e-4)
    step = 1e-2
    for site in sites:
        direction = torch.nn.functional.normalize(torch.randn(len(PROMPTS), 32), dim=1)
        up = log_odds(adapter, PROMPTS, groups, {site: Shift(step * direction)})
        down = log_odds(adapter, PROMPTS, groups, {site: Shift(-step * direction)})
        numeric = (up - down) / (2 * step)
        torch.testing.assert_close((gradients[site] * direction).sum(1), numeric, atol=5e-3, rtol=2e-2)


def log_odds(adapter, prompts, groups, edits):
    logprobs = adapter.next_token_logprobs(prompts, edits=edits)
    positive, negative = (logprobs[:, group].logsumexp(1) for group in groups)
    return positive - negative


def test_a_gradient_at_a_span_is_that_of_the_span(opened):
    adapter = opened("gpt2")
    words = adapter.single_token_words(WORDS)
    groups = ([words["he"]], [words["she"]])
    site = Site.parse("resid_pre.0")
    _, at_span, _ = adapter.log_odds_gradients(SPANNED, groups, [site], Pooling.SPAN)
    _, at_end, _ = adapter.log_odds_gradients(SPANNED, groups, [site], Pooling.LAST)
    assert not torch.allclose(at_span[site], at_end[site], atol=1e-4)
    reading = adapter._reader.read(SPANNED[:1])[0]
    embedded = adapter.module.transformer.wte(torch.tensor([reading.ids])).detach().requires_grad_()
    logits = adapter.module(inputs_embeds=embedded).logits[0, -1]
    (logits[words["he"]] - logits[words["she"]]).backward()
    torch.testing.assert_close(at_span[site][0], embedded.grad[0, reading.words[1] - 1], atol=1e-5, rtol=1e-4)


def test_a_gradient_works_inside_inference_mode_and_leaves_the_weights_alone(tiny):
    adapter = models.load(str(tiny("gpt2")), subject=Subject(model="-", device="cpu"))
    before = {name: weight.clone() for name, weight in adapter.module.state_dict().items()}
    next(adapter.module.parameters()).requires_grad_(False)
    flags = [weight.requires_grad for weight in adapter.module.parameters()]
    adapter.module.train()
    with torch.inference_mode():
        odds, _, _ = adapter.log_odds_gradients(PROMPTS, ([5], [6]), [Site.parse("embed")])
    assert adapter.module.training
    assert [weight.requires_grad for weight in adapter.module.parameters()] == flags
    assert all(weight.grad is None for weight in adapter.module.parameters())
    assert all(torch.equal(weight, before[name]) for name, weight in adapter.module.state_dict().items())
    again, _, _ = adapter.log_odds_gradients(PROMPTS, ([5], [6]), [Site.parse("embed")])
    assert torch.equal(odds, again)  # dropout was off although the model was left in training mode


def test_a_gradient_needs_one_token_and_two_groups(opened):
    adapter = opened("gpt2")
    site = Site.parse("resid_post.0")
    with pytest.raises(RequestError, match="one token"):
        adapter.log_odds_gradients(PROMPTS, ([1], [2]), [site], Pooling.MEAN)
    with pytest.raises(RequestError, match="two groups"):
        adapter.log_odds_gradients(PROMPTS, ([1], []), [site])


def test_an_encoder_without_a_head_opens_and_says_that_it_predicts_nothing(opened):
    adapter = opened("minilm")
    assert adapter.activations(PROMPTS, [Site.parse("resid_post.1")])
    with pytest.raises(RequestError, match="predicts no words"):
        adapter.next_token_logprobs(PROMPTS)
    with pytest.raises(RequestError, match="predicts no words"):
        adapter.log_odds_gradients(PROMPTS, ([1], [2]), [Site.parse("resid_post.0")])


def test_span_pooling_without_a_span_is_refused(opened):
    with pytest.raises(RequestError, match="where their word stands"):
        opened("gpt2").activations(PROMPTS, [Site.parse("embed")], Pooling.SPAN)


def test_nothing_above_the_highest_site_runs(opened):
    adapter = opened("gpt2")
    ran = []
    handles = [
        adapter.module.get_submodule(name).register_forward_hook(lambda *_, name=name: ran.append(name))
        for name in ("transformer.h.0", "transformer.h.1", "transformer.ln_f", "lm_head")
    ]
    try:
        adapter.activations(PROMPTS, [Site.parse("resid_post.0")])
        assert ran == ["transformer.h.0"]
        ran.clear()
        adapter.activations(PROMPTS, [Site.parse("resid_post.1")])
        assert ran == ["transformer.h.0", "transformer.h.1"]
    finally:
        for handle in handles:
            handle.remove()


@pytest.mark.parametrize("name", ["gpt2", "bert", "roberta"])
def test_the_head_runs_at_the_read_positions_only(opened, name):
    adapter = opened(name, batch_size=64)
    sizes = []
    head = adapter.module.get_output_embeddings()
    handle = head.register_forward_hook(lambda _m, args, _o: sizes.append(args[0].shape[:-1].numel()))
    same_length = [Prompt("the food was"), Prompt("the nurse was"), Prompt("the doctor was")]
    try:
        adapter.next_token_logprobs(same_length)
    finally:
        handle.remove()
    assert sum(sizes) == 3


def test_activations_can_be_used_in_a_graph(opened):
    site = Site.parse("resid_post.0")
    found = opened("gpt2").activations(PROMPTS, [site])[site]
    weight = torch.zeros(32, requires_grad=True)
    (found @ weight).sum().backward()
    assert torch.equal(weight.grad, found.sum(0))


def test_memory_that_runs_out_halves_the_batch(tiny, monkeypatch, caplog):
    adapter = models.load(str(tiny("gpt2")), subject=Subject(model="-", device="cpu", batch_size=8))
    site = Site.parse("resid_post.1")
    prompts = [Prompt(f"{text} {word}") for text in TEXTS for word in WORDS]
    expected = adapter.activations(prompts, [site])[site]
    run, sizes = adapter._network.run, []

    def tight(batch):
        sizes.append(len(batch.ids))
        if len(batch.ids) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        run(batch)

    monkeypatch.setattr(adapter._network, "run", tight)
    with caplog.at_level(logging.WARNING, logger="biaskit.models"):
        found = adapter.activations(prompts, [site])[site]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert sizes == [8, 4] + [2] * 8
    assert "halved to 2" in caplog.text
    assert any("halved to 2" in note for note in adapter.notes)


def test_a_single_text_that_does_not_fit_is_an_error_and_other_errors_pass(tiny, monkeypatch):
    adapter = models.load(str(tiny("gpt2")), subject=Subject(model="-", device="cpu", batch_size=2))
    message = ["[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes"]

    def broken(batch):
        raise RuntimeError(message[0])

    monkeypatch.setattr(adapter._network, "run", broken)
    with pytest.raises(RunError, match="single text"):
        adapter.activations(PROMPTS, [Site.parse("embed")])
    message[0] = "something else"
    with pytest.raises(RuntimeError, match="something else"):
        adapter.activations(PROMPTS, [Site.parse("embed")])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(tiny, value):
    adapter = models.load(str(tiny("gpt2")), subject=Subject(model="-", device="cpu"))
    with torch.no_grad():
        adapter.module.transformer.h[1].mlp.c_proj.bias[0] = value
    fine, broken = Site.parse("resid_post.0"), Site.parse("resid_post.1")
    assert adapter.activations(PROMPTS, [fine])[fine].isfinite().all()
    with pytest.raises(ActivationError, match=r"resid_post\.1"):
        adapter.activations(PROMPTS, [fine, broken])
    with pytest.raises(ActivationError):
        adapter.next_token_logprobs(PROMPTS)
    with pytest.raises(ActivationError):
        adapter.log_odds_gradients(PROMPTS, ([1], [2]), [fine])


def test_the_small_llama_tells_stories(shared_data):
    folder = shared_data / "models" / "aidreams260k" / "hf"
    if not folder.is_dir():
        pytest.skip("the small Llama is not here")
    adapter = models.load(str(folder), subject=Subject(model="-", device="cpu"))
    prompts = [Prompt("The weights whisper"), Prompt("I dream of patterns that")]
    found = adapter.next_token_logprobs(prompts)
    expected = torch.stack([full_logprobs(adapter, prompt) for prompt in prompts])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    sites = [Site.parse(f"resid_post.{layer}") for layer in range(4)]
    odds, gradients, _ = adapter.log_odds_gradients(prompts, ([309], [272]), sites)
    step = 1e-2
    direction = torch.nn.functional.normalize(torch.randn(2, 64), dim=1)
    up, down = (
        log_odds(adapter, prompts, ([309], [272]), {sites[1]: Shift(sign * step * direction)})
        for sign in (1, -1)
    )
    torch.testing.assert_close(
        (gradients[sites[1]] * direction).sum(1), (up - down) / (2 * step), atol=5e-3, rtol=2e-2
    )
    assert odds.isfinite().all()


@pytest.mark.parametrize("name", HEADED)
def test_the_head_reads_the_last_block(opened, name):
    adapter = opened(name, batch_size=3)
    last = Site.parse("resid_post.1")
    residual = adapter.activations(PROMPTS, [last])[last]
    expected = adapter.next_token_logprobs(PROMPTS)
    torch.testing.assert_close(adapter.unembed(residual), expected, atol=2e-5, rtol=1e-5)
    assert torch.equal(adapter.unembed(residual, [4, 9]), adapter.unembed(residual)[:, [4, 9]])


@pytest.mark.parametrize("name", [name for name in CAUSAL if name != "gemma2"])
def test_the_unembedding_gives_the_differences_of_logits(opened, name):
    adapter = opened(name)
    last = Site.parse("resid_post.1")
    residual = adapter.activations(PROMPTS, [last])[last]
    normalised = residual
    if adapter._layout.norm is not None:
        if "RMS" not in type(adapter._layout.norm).__name__:
            residual = residual - residual.mean(1, keepdim=True)
        normalised = residual / residual.pow(2).mean(1, keepdim=True).sqrt()
    rows = adapter.unembedding([5, 8])
    logprobs = adapter.next_token_logprobs(PROMPTS)
    gap = logprobs[:, 5] - logprobs[:, 8]
    # A bias of the norm or the head moves every prompt alike.
    offset = gap - normalised @ (rows[0] - rows[1])
    torch.testing.assert_close(offset, offset.mean().expand(len(PROMPTS)), atol=1e-4, rtol=0)


def test_an_encoder_has_no_unembedding(opened):
    with pytest.raises(RequestError, match="not linear"):
        opened("bert").unembedding([1])


def test_activations_under_an_edit_are_the_edited_ones(opened):
    adapter = opened("gpt2")
    pre, post, above = (Site.parse(site) for site in ("resid_pre.0", "resid_post.0", "mlp_out.1"))
    vectors = torch.randn(len(PROMPTS), 32)
    edits = {pre: Shift(vectors), above: Shift(vectors)}
    plain = adapter.activations(PROMPTS, [pre, post])
    edited = adapter.activations(PROMPTS, [pre, post], edits=edits)
    torch.testing.assert_close(edited[pre], plain[pre] + vectors)
    assert not torch.allclose(edited[post], plain[post] + vectors, atol=1e-3)


def test_an_edit_at_the_span_acts_there_and_is_read_at_the_end(opened):
    adapter = opened("gpt2", padding="left")
    site = Site.parse("resid_pre.0")
    edits = {site: Shift(torch.randn(len(SPANNED), 32))}
    plain = adapter.next_token_logprobs(SPANNED)
    at_span = adapter.next_token_logprobs(SPANNED, edits=edits, edit_at=Pooling.SPAN)
    at_end = adapter.next_token_logprobs(SPANNED, edits=edits)
    assert not torch.allclose(at_span, plain, atol=1e-3)
    assert not torch.allclose(at_span, at_end, atol=1e-3)
    at_own = opened("gpt2").next_token_logprobs(SPANNED, edits=edits, edit_at=Pooling.SPAN)
    torch.testing.assert_close(at_span, at_own, atol=1e-5, rtol=1e-5)


def test_a_plain_head_runs_no_block_and_a_capped_one_is_left_to_the_model(opened):
    for name, plain in (("gpt2", True), ("gemma2", False)):
        adapter = opened(name)
        last = Site.parse("resid_post.1")
        residual = adapter.activations(PROMPTS, [last])[last]
        adapter.unembed(residual)
        with capture(adapter.module, {"block": adapter.locate(last)}, repeats=True) as seen:
            quick = adapter.unembed(residual)
            if plain:
                adapter.next_token_logprobs(PROMPTS[:1])
        assert len(seen["block"]) == 1 if plain else len(seen["block"]) >= 1
        torch.testing.assert_close(quick, adapter.next_token_logprobs(PROMPTS), atol=2e-5, rtol=1e-5)
