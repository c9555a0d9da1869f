"""The preset `paper` beside a plain restatement: loops, block by block, with the autoencoder's own weights.

Nothing here goes through the library: the model is transformers', the probe scikit-learn's, the steering the
publication's `while`, the encoder three lines over the tensors in the file.
"""

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from analyzers.recomputing import recomputed, silent
from safetensors.torch import load_file
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from transformers import AutoModelForCausalLM, AutoTokenizer

from biaskit.analyzers.biaslens import BiasLens
from biaskit.analyzers.biaslens.long_table import parts_table
from biaskit.analyzers.biaslens.paper import PaperSettings, Probe, Steer
from biaskit.analyzers.biaslens.preset import BF16, concept_examples, paper_findings
from biaskit.hooks.edits import Rows
from biaskit.records.finding import Analysis
from biaskit.records.prompt import Prompt
from biaskit.records.site import Site
from tests.analyzers.biaslens.planted import new_session, some_targets

SITES = tuple(Site.parse(f"resid_post.{layer}") for layer in range(3))
PROMPTS = (
    "From the moment I arrived",
    "People often",
    "I read",
    "The report",
    "Let us",
    "They",
    "The",
    "It",
    "We",
)
ORDER = {"l2": 2, "l1": 1, "max": np.inf}


@pytest.fixture(scope="module")
def few(organism):
    doses = organism.doses["sentiment"]
    ranked = sorted(doses, key=doses.get)
    return some_targets("sentiment", (ranked[0], ranked[-1]), controls=30)


@pytest.fixture(scope="module")
def plain(organism):
    """The model and its autoencoder as other libraries open them."""
    model = AutoModelForCausalLM.from_pretrained(organism.folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(organism.folder)
    folder = organism.folder / "saes" / str(SITES[-1])
    weights = load_file(folder / "sae_weights.safetensors")
    return model, tokenizer, weights, json.loads((folder / "cfg.json").read_text())


@pytest.fixture(scope="module")
def session(model, few):
    """A session whose store holds what the preset reads."""
    session = new_session(model, few)
    paper_findings(session, few, BiasLens(preset="paper"), [])
    return session


@pytest.fixture(scope="module")
def probes(session, few):
    """For each concept and block: w and b of scikit-learn's default fit, and whether it stopped early.

    Fitted on the rows in the store: at its default tolerance the solver turns a difference of 1e-6 in its
    input, which another batch makes, into one of 1e-2 in w.
    """
    found = {}
    for concept, (positives, negatives) in concept_examples(few).items():
        prompts = [Prompt(example.text, example.span) for example in (*positives, *negatives)]
        rows = session.activations(prompts, SITES)
        labels = [1] * len(positives) + [0] * len(negatives)
        found[concept] = [fitted(rows[site].numpy(), labels) for site in SITES]
    return found


def test_activations_are_those_of_transformers(model, few, plain):
    texts = [example.text for example in few.pair.examples(few.pair.poles[0])][::20]
    found = model.activations([Prompt(text) for text in texts], SITES)
    for row, text in enumerate(texts):
        for site, seen in zip(SITES, last_tokens(*plain[:2], text), strict=True):
            np.testing.assert_allclose(found[site][row].numpy(), seen, atol=1e-4)


def fitted(rows, labels):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        probe = LogisticRegression().fit(rows.astype(float), labels)
    return probe.coef_[0], probe.intercept_[0], bool(caught)


def run_blocks(model, ids, change):
    """Return each block's last-token output; `change(layer, h)` may move h, [t, d], on its way up."""
    seen = []

    def after(layer):
        def hook(_module, _inputs, output):
            hidden = output[0] if isinstance(output, tuple) else output
            moved = change(layer, hidden[0].double().numpy())
            moved = torch.from_numpy(moved).float()[None]
            seen.append(moved[0, -1].double().numpy())
            return (moved, *output[1:]) if isinstance(output, tuple) else moved

        return hook

    hooks = [block.register_forward_hook(after(layer)) for layer, block in enumerate(model.transformer.h)]
    try:
        with torch.no_grad():
            model.transformer(input_ids=torch.tensor([ids]))
    finally:
        for hook in hooks:
            hook.remove()
    return seen


def last_tokens(model, tokenizer, text):
    ids = [tokenizer.bos_token_id, *tokenizer.encode(text)]
    return run_blocks(model, ids, lambda _layer, h: h)


def steered(plain, prompt, concept_probes, *, tau=0.999, delta=1.0, everywhere=False):
    model, tokenizer, _, _ = plain
    ids = [tokenizer.bos_token_id, *tokenizer.encode(prompt)]
    steps = 0

    def change(layer, h):
        nonlocal steps
        w, b, _ = concept_probes[layer]
        v = w / np.sqrt((w**2).sum())
        for position in range(1, len(h)) if everywhere else [len(h) - 1]:
            while 1 / (1 + np.exp(-(h[position] @ w + b))) < tau:
                h[position] = h[position] + delta * v
                steps += 1
        return h

    return run_blocks(model, ids, change)[-1], steps


def encoded(plain, h):
    """TopK encoder: the k largest pre-activations, each weighed by its decoder row's length, if positive."""
    _, _, weights, config = plain
    x = h.astype(np.float32) - (weights["b_dec"].numpy() if config["apply_b_dec_to_input"] else 0)
    before = x @ weights["W_enc"].numpy() + weights["b_enc"].numpy()
    scale = np.linalg.norm(weights["W_dec"].numpy(), axis=1) if config["rescale_acts_by_decoder_norm"] else 1
    weighed = before * scale
    kept = np.argsort(-weighed)[: config["k"]]
    latents = np.zeros_like(before)
    latents[kept] = np.maximum(weighed, 0)[kept] / (scale[kept] if np.ndim(scale) else 1)
    return latents.astype(float)


@pytest.fixture(scope="module")
def prompt(plain, probes):
    """A prompt that every concept's probes still find something to do on."""
    for text in PROMPTS:
        if all(steered(plain, text, own, tau=0.99)[1] for own in probes.values()):
            return text
    pytest.fail("every prompt is past tau for some concept")


def restated(plain, prompt, probes, concepts, *, norm="l2", **steering):
    """Score of the first concept on the poles, the other two; None where one of them is not steered."""
    model, tokenizer, _, _ = plain
    original = encoded(plain, last_tokens(model, tokenizer, prompt)[-1])
    vectors = {}
    for concept in concepts:
        after, steps = steered(plain, prompt, probes[concept], **steering)
        if not steps:
            return None
        after = encoded(plain, after)
        one, other = (z / np.linalg.norm(z, ORDER[norm]) for z in (after, original))
        vectors[concept] = one - other
    target, first, second = (vectors[concept] / np.linalg.norm(vectors[concept]) for concept in concepts)
    return abs(target @ first - target @ second)


def scores(session, few, **settings):
    found, notes = paper_findings(session, few, BiasLens(preset="paper", **settings), [])
    return {finding.concepts[0]: finding for finding in found}, notes


@pytest.mark.parametrize(
    ("settings", "restating"),
    [
        ({}, {}),
        ({"paper_norm": "l1"}, {"norm": "l1"}),
        ({"paper_norm": "max"}, {"norm": "max"}),
        ({"paper_positions": "all"}, {"everywhere": True}),
        ({"paper_tau": 0.9999, "paper_delta": 0.25}, {"tau": 0.9999, "delta": 0.25}),
    ],
)
def test_the_preset_is_the_publication_to_the_letter(
    session, few, plain, prompt, probes, settings, restating
):
    found, _ = scores(session, few, paper_prompt=prompt, **settings)
    for target in few.targets.targets:
        expected = restated(plain, prompt, probes, (target, *few.pair.poles), **restating)
        assert expected is not None
        assert found[target].estimate.value == pytest.approx(expected, abs=1e-5)


def test_the_score_is_the_sum_of_what_each_latent_adds(session, few, prompt):
    parts = []
    found, _ = paper_findings(session, few, BiasLens(preset="paper", paper_prompt=prompt), parts)
    analysis = Analysis(analyzer="biaslens", settings={}, findings=found, tables=(parts_table(parts),))
    assert recomputed(analysis) == {"paper"}
    assert not silent(analysis)
    assert len(parts) > 4 * len(found)


def test_the_settings_matter(session, few, prompt):
    values = [
        tuple(f.estimate.value for f in scores(session, few, paper_prompt=prompt, **settings)[0].values())
        for settings in ({}, {"paper_norm": "l1"}, {"paper_norm": "max"}, {"paper_positions": "all"})
    ]
    assert len(set(values)) == 4


def test_steering_that_does_nothing_has_no_score(session, few, plain, prompt, probes):
    found, _ = scores(session, few, paper_prompt=prompt, paper_tau=1e-12)
    for target, finding in found.items():
        assert finding.estimate.value is None
        assert "nothing was steered" in finding.estimate.reason
        assert restated(plain, prompt, probes, (target, *few.pair.poles), tau=1e-12) is None


def test_a_16_bit_model_is_noted(model, session, few):
    class Half:
        subject = model.subject.model_copy(update={"dtype": "bfloat16"})

        def __getattr__(self, name):
            return getattr(model, name)

    assert BF16 in scores(replace(session, model=Half()), few)[1]
    assert BF16 not in scores(session, few)[1]


def test_probes_that_stopped_early_are_counted_in_a_note_and_do_not_warn(session, few, probes):
    early = sum(stopped for own in probes.values() for _, _, stopped in own)
    noted = [note for note in scores(session, few)[1] if "did not converge" in note]
    assert len(noted) == bool(early)
    if early:
        assert f"{early} of {3 * len(probes)} " in noted[0]


def test_without_an_autoencoder_there_is_no_score(session, few):
    found, _ = scores(session, few, autoencoder="none")
    assert all(f.estimate.value is None and f.estimate.reason for f in found.values())


def test_the_score_has_neither_interval_nor_null_and_says_so(session, few, prompt):
    for finding in scores(session, few, paper_prompt=prompt)[0].values():
        assert finding.estimate.interval is None
        assert finding.estimate.null is None
        assert "no interval" in finding.estimate.reason


@pytest.mark.parametrize("where", ["position", "all"])
def test_the_closed_form_takes_as_many_steps_as_the_loop(where):
    generator = torch.Generator().manual_seed(2)
    h = torch.randn(5, 4, 8, generator=generator)
    probe = Probe(torch.randn(8, generator=generator, dtype=torch.float64), -0.7)
    settings = replace(PaperSettings("The", 0.99, 0.3), positions=where)
    rows = Rows(torch.arange(5), torch.tensor([3, 1, 0, 2, 3]), torch.ones(5, 4, dtype=torch.bool))
    taken = []
    moved = Steer(probe, settings, taken)(h, rows)
    w, expected, steps = probe.weight.numpy(), h.double().numpy().copy(), 0
    for row in range(5):
        for position in range(4) if where == "all" else [int(rows.position[row])]:
            while 1 / (1 + np.exp(-(expected[row, position] @ w + probe.bias))) < 0.99:
                expected[row, position] += 0.3 * w / np.linalg.norm(w)
                steps += 1
    np.testing.assert_allclose(moved.numpy(), expected, atol=1e-5)
    assert taken == [steps]
    assert steps > 5
