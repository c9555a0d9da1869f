"""What reading activations costs, against the bare forward pass and against the peers.

    python benchmarks/bench_capture.py            # GPT-2-small shape, random weights: minutes
    python benchmarks/bench_capture.py --small    # a smoke test

Ratios are to the model's body alone (no LM head), which is the least that reading its last layer can
cost; the same body a second time shows the noise. Peers are given their best settings: inference mode,
only the residuals, early stop where they have one. The limits are meant for the full size.
"""

from __future__ import annotations

import argparse
import copy
import sys
from collections.abc import Callable

import nnsight
import torch
from rounds import show, timed
from tokenizers import Tokenizer, models
from transformer_lens import HookedTransformer, HookedTransformerConfig
from transformer_lens.model_bridge import TransformerBridge
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from biaskit.hooks import capture
from biaskit.hooks.edits import Rows
from biaskit.hooks.pooling import Pooling, pooler

BODY = "transformers: body"
SHAPE = (4, 64)

Variants = dict[str, Callable[[], object]]


def plain(model: GPT2LMHeadModel, ids: torch.Tensor) -> Variants:
    body = {name: lambda: model.transformer(ids, use_cache=False) for name in (BODY, f"{BODY}, again")}
    return body | {
        "transformers: with logits": lambda: model(ids, use_cache=False),
        "transformers: output_hidden_states": lambda: model.transformer(
            ids, use_cache=False, output_hidden_states=True
        ),
    }


def ours(model: GPT2LMHeadModel, ids: torch.Tensor) -> tuple[Variants, dict[str, float]]:
    body, layers = model.transformer, len(model.transformer.h)
    rows = Rows(torch.arange(len(ids)), torch.full((len(ids),), ids.shape[1] - 1), torch.ones_like(ids) > 0)

    def read(points: dict[int, torch.nn.Module], pooling: Pooling | None, *, stop: bool) -> None:
        pool = None if pooling is None else pooler(rows, None, pooling)
        with capture(body, points, pool=pool, stop=stop):
            body(ids, use_cache=False)

    everywhere = dict(enumerate(body.h))
    variants: Variants = {
        "biaskit: all layers": lambda: read(everywhere, None, stop=False),
        "biaskit: all layers, last token": lambda: read(everywhere, Pooling.LAST, stop=True),
        "biaskit: all layers, mean": lambda: read(everywhere, Pooling.MEAN, stop=True),
    }
    limits = dict.fromkeys(variants, 1.05)
    for layer in sorted({0, layers // 4, layers // 2, layers - 1}):
        name = f"biaskit: stop at block {layer}"
        variants[name] = lambda layer=layer: read({layer: body.h[layer]}, Pooling.LAST, stop=True)
        limits[name] = (layer + 1) / layers + 0.05
    return variants, limits


def bridge(model: GPT2LMHeadModel, ids: torch.Tensor) -> Variants:
    words = Tokenizer(models.WordLevel({"<s>": 0, "a": 1}, unk_token="<s>"))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, bos_token="<s>", eos_token="<s>", pad_token="<s>"
    )
    # It is taken as it is then; otherwise it would be looked up again by its name.
    tokenizer.init_kwargs |= {"add_bos_token": True, "name_or_path": "words"}
    peer = TransformerBridge.boot_transformers("gpt2", hf_model=copy.deepcopy(model), tokenizer=tokenizer)
    layers = len(model.transformer.h)
    every, half = {f"blocks.{layer}.hook_out" for layer in range(layers)}, layers // 2
    return {
        "TransformerBridge: all layers": lambda: peer.run_with_cache(
            ids, names_filter=lambda name: name in every, return_type=None
        ),
        f"TransformerBridge: stop at block {half}": lambda: peer.run_with_cache(
            ids, names_filter=lambda name: name == f"blocks.{half}.hook_out", stop_at_layer=half + 1
        ),
    }


def hooked(config: GPT2Config, ids: torch.Tensor) -> Variants:
    shape = HookedTransformerConfig(
        n_layers=config.n_layer,
        d_model=config.n_embd,
        n_ctx=config.n_positions,
        d_head=config.n_embd // config.n_head,
        n_heads=config.n_head,
        d_vocab=config.vocab_size,
        act_fn="gelu_new",
        normalization_type="LN",
        device="cpu",
    )
    peer = HookedTransformer(shape).eval()
    every, half = {f"blocks.{layer}.hook_resid_post" for layer in range(config.n_layer)}, config.n_layer // 2
    return {
        "HookedTransformer: all layers": lambda: peer.run_with_cache(
            ids, names_filter=lambda name: name in every, return_type=None
        ),
        f"HookedTransformer: stop at block {half}": lambda: peer.run_with_cache(
            ids, names_filter=f"blocks.{half}.hook_resid_post", stop_at_layer=half + 1
        ),
    }


def traced(model: GPT2LMHeadModel, ids: torch.Tensor) -> Variants:
    peer = nnsight.NNsight(model.transformer)
    half = len(model.transformer.h) // 2

    def every() -> None:
        with peer.trace(ids, use_cache=False):
            saved = nnsight.save([block.output for block in peer.h])
        assert len(saved) == len(model.transformer.h)

    def stopped() -> None:
        with peer.trace(ids, use_cache=False) as tracer:
            saved = peer.h[half].output.save()
            tracer.stop()
        assert saved is not None

    return {"nnsight: all layers": every, f"nnsight: stop at block {half}": stopped}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a small model, to see that everything runs")
    parser.add_argument("--rounds", type=int, default=9)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    size = {"n_layer": 4, "n_embd": 64, "n_head": 4, "vocab_size": 500} if chosen.small else {}
    config = GPT2Config(**size, bos_token_id=0, eos_token_id=0)
    model = GPT2LMHeadModel(config).eval()
    ids = torch.randint(1, config.vocab_size, SHAPE)
    own, limits = ours(model, ids)
    variants = plain(model, ids) | own | bridge(model, ids) | hooked(config, ids) | traced(model, ids)
    with torch.inference_mode():
        seconds = timed(variants, chosen.rounds)
    shape = f"{config.n_layer} layers, width {config.n_embd}, batch {SHAPE[0]} x {SHAPE[1]}, one thread"
    kept = show(f"Reading activations: {shape}", seconds, BODY, limits)
    return 0 if kept or chosen.small else 1


if __name__ == "__main__":
    sys.exit(main())
