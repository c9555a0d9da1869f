"""A whole audit of 20 targets on a model of GPT-2-small's size, against a straightforward script.

    python benchmarks/bench_audit.py [--stems 4] [--controls 40]

The script does what a careful author would write first: one forward and backward pass a sentence, and the
axis refitted for each layer from the sentences' activations. It reads the same sentences, and its scores must
agree (below the last layer, where transformers hands out the stream after the final norm).
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

from biaskit import catalogue, models, organisms
from biaskit.analyzers.biaslens.given_target import How, measure
from biaskit.concepts.pole_tokens import PoleTokens, pole_tokens
from biaskit.hooks.pooling import Pooling
from biaskit.hooks.store import ActivationStore
from biaskit.protocols import LanguageModel
from biaskit.records.audit_spec import Subject
from biaskit.session import Comparison, Session

LIMIT = 5.0
TARGETS = 20


def comparison(stems: int, controls: int) -> Comparison:
    """Return 20 single-word targets on the sentiment pair."""
    targets = catalogue.resolve_target("review-aspects")
    pair = catalogue.reference_pair("sentiment")
    neutral = catalogue.probe_set(targets.controls)
    chosen = dict(list(targets.targets.items())[:TARGETS])
    narrowed = {key: values[:stems] for key, values in pair.stems.items()}
    return Comparison(
        targets.model_copy(update={"targets": chosen}),
        pair.model_copy(update={"stems": narrowed}),
        neutral.model_copy(update={"fillers": neutral.fillers[:controls]}),
    )


def straightforward(
    model: GPT2LMHeadModel,
    sentences: list[list[int]],
    tokens: PoleTokens,
    shape: tuple[int, int],
    targets: int,
) -> np.ndarray:
    """Return scores (layers x stems x nouns): one pass a sentence, one fit a layer."""
    rows, gradients = [], []
    for ids in sentences:
        out = model(torch.tensor([ids]), output_hidden_states=True)
        logits = out.logits[0, -1].log_softmax(-1)
        odds = logits[list(tokens.first)].logsumexp(0) - logits[list(tokens.second)].logsumexp(0)
        kept = out.hidden_states[1:]
        gradient = torch.autograd.grad(odds, kept)
        rows.append(torch.stack([layer[0, -1].detach() for layer in kept]).double().numpy())
        gradients.append(torch.stack([layer[0, -1] for layer in gradient]).double().numpy())
    cells = np.array(rows).reshape(*shape, *rows[0].shape)
    slopes = np.array(gradients).reshape(*shape, *rows[0].shape)
    scores = []
    for layer in range(cells.shape[2]):
        moved = cells[:, :, layer] - cells[:, targets:, layer].mean(1, keepdims=True)
        axis = slopes[:, targets:, layer].mean(1, keepdims=True)
        score = (moved * (slopes[:, :, layer] + axis) / 2).sum(-1)
        scores.append(score - score[:, targets:].mean(1, keepdims=True))
    return np.array(scores)


def ours(model: LanguageModel, one: Comparison) -> np.ndarray:
    """Return biaskit's scores (layers x stems x nouns) at the last token."""
    session = Session(model, (one,), ActivationStore(None))
    found = measure(session, one, pole_tokens(model, one), How((Pooling.LAST, Pooling.SPAN)))
    return np.array(list(found.scores.values()))


def main() -> None:
    """Run both and print the ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stems", type=int, default=4)
    parser.add_argument("--controls", type=int, default=40)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(organisms.folder("reviews"))
    network = GPT2LMHeadModel(GPT2Config(bos_token_id=0, eos_token_id=0)).eval()
    adapter = models.load(network, tokenizer=tokenizer, subject=Subject(model="random", device="cpu"))
    one = comparison(asked.stems, asked.controls)
    tokens = pole_tokens(adapter, one)
    nouns = [*one.targets.targets, *one.controls.fillers]
    texts = [stem.replace("{target}", noun) for stem in one.pair.stems["thing"] for noun in nouns]
    sentences = [[0, *tokenizer.encode(text, add_special_tokens=False)] for text in texts]
    shape = (asked.stems, len(nouns))
    clocks = []
    for work in (
        lambda: ours(adapter, one),
        lambda: straightforward(network, sentences, tokens, shape, TARGETS),
    ):
        before = time.process_time()
        found = work()
        clocks.append((time.process_time() - before, found))
    (fast, mine), (slow, theirs) = clocks
    difference = float(np.abs(mine[:-1] - theirs[:-1]).max() / np.abs(theirs[:-1]).max())
    table = Table(title=f"Audit of {TARGETS} targets, {len(texts)} sentences, GPT-2 small's size")
    for heading in ("variant", "CPU s", "times faster", "limit", ""):
        table.add_column(heading)
    table.add_row("one pass a sentence, one fit a layer", f"{slow:.1f}", "1.0", "", "")
    verdict = "kept" if slow / fast >= LIMIT else "MISSED"
    table.add_row("biaskit", f"{fast:.1f}", f"{slow / fast:.1f}", f"{LIMIT:.0f}", verdict)
    console = Console(width=100)
    console.print(table)
    console.print(f"largest relative difference of the scores below the last layer: {difference:.1e}")


if __name__ == "__main__":
    main()
