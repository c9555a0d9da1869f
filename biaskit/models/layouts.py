"""Where the sites of an architecture are: a table for the known ones, a search for the others.

Sites, in TransformerLens's words:

- `embed`: output of the token embedding, scaled where the model scales it, before positions are added;
- `resid_pre.i` and `resid_post.i`: input and output of block i;
- `mlp_post.i`: the neurons of block i, what the down projection of its MLP is given: act(W_in x), and for a
  gated MLP the product act(gate) * up;
- `attn_out.i` and `mlp_out.i`: what attention and MLP of block i add to the residual stream, so that
  resid_post = resid_pre + attn_out + mlp_out. For gemma 2 and 3 that is after their own closing norm; for a
  parallel block (gpt_neox, phi, gptj) both read resid_pre. Models that normalise after adding (bert, roberta,
  distilbert, opt-350m) break the sum: there the two are what enters the addition before the norm.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import nn

from biaskit.errors import ModelLoadError, RunError, UnknownNameError
from biaskit.hooks.capture import capture
from biaskit.models.neurons import down_projections
from biaskit.records.site import Site, SiteKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from biaskit.hooks.unwrap import Side


@dataclass(frozen=True, slots=True)
class Paths:
    """Dotted paths of one architecture.

    Attributes:
        blocks: The list of blocks, inside the body.
        embed: The token embedding, inside the body.
        attn: What attention adds to the residual stream, inside a block.
        mlp: What the MLP adds, inside a block.
        down: The MLP's down projection, inside a block.
        norm: The norm above the last block, inside the body; empty where there is none.
    """

    blocks: str
    embed: str
    attn: str
    mlp: str
    down: str
    norm: str = ""


_GPT2 = Paths("h", "wte", "attn", "mlp", "mlp.c_proj", "ln_f")
_LLAMA = Paths("layers", "embed_tokens", "self_attn", "mlp", "mlp.down_proj", "norm")
_GEMMA = replace(_LLAMA, attn="post_attention_layernorm", mlp="post_feedforward_layernorm")
_BERT = Paths(
    "encoder.layer", "embeddings.word_embeddings", "attention.output.dense", "output.dense", "output.dense"
)
_NEOX = Paths("layers", "embed_in", "attention", "mlp", "mlp.dense_4h_to_h", "final_layer_norm")
_OPT = Paths("layers", "embed_tokens", "self_attn", "fc2", "fc2", "final_layer_norm")
_BLOOM_DOWN = "mlp.dense_4h_to_h"
_BLOOM = Paths("h", "word_embeddings", "self_attention.dense", _BLOOM_DOWN, _BLOOM_DOWN, "ln_f")
_DISTILBERT = Paths(
    "transformer.layer", "embeddings.word_embeddings", "attention.out_lin", "ffn.lin2", "ffn.lin2"
)

TABLE: Mapping[str, Paths] = {
    "gpt2": _GPT2,
    "gptj": replace(_GPT2, down="mlp.fc_out"),
    "gpt_neo": _GPT2,
    "gpt_neox": _NEOX,
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
    "gemma": _LLAMA,
    "phi": replace(_LLAMA, down="mlp.fc2", norm="final_layernorm"),
    "phi3": _LLAMA,
    "gemma2": _GEMMA,
    "gemma3": _GEMMA,
    "gemma3_text": _GEMMA,
    "opt": _OPT,
    "bloom": _BLOOM,
    "bert": _BERT,
    "roberta": _BERT,
    "xlm-roberta": _BERT,
    "camembert": _BERT,
    "distilbert": _DISTILBERT,
}


@dataclass(frozen=True, slots=True)
class Point:
    """A module and which side of it is read.

    Attributes:
        module: The module.
        side: `output`, or `input` for what the module is given.
    """

    module: nn.Module
    side: Side = "output"


@dataclass(frozen=True, slots=True)
class Layout:
    """Where every site of one loaded model is.

    Attributes:
        points: The sites, bottom first, and their places.
        description: `known`, or a sentence that says what was inferred.
        norm: The norm above the last block; None where there is none.
    """

    points: Mapping[Site, Point]
    description: str
    norm: nn.Module | None = None

    @property
    def layers(self) -> int:
        """Number of blocks."""
        return 1 + max(site.layer for site in self.points)

    def find(self, site: Site) -> Point:
        """Return the place of `site`.

        Raises:
            UnknownNameError: The model has no such site; near ones are given.
        """
        if site not in self.points:
            raise UnknownNameError(
                "site in this model",
                str(site),
                map(str, self.points),
                fix=f"It has {self.layers} layers, 0 to {self.layers - 1}.",
            )
        return self.points[site]


def find_layout(module: nn.Module, architecture: str, probe: Callable[[], object]) -> Layout:
    """Lay out a model by the table, or by finding its list of blocks.

    Args:
        module: The model.
        architecture: Its model type, such as `gpt2`.
        probe: Runs the model on a few tokens; called for an architecture that is not in the table.

    Raises:
        ModelLoadError: No list of blocks was found.
    """
    paths = TABLE.get(architecture)
    body = None if paths is None else _body(module, paths)
    if paths is None or body is None:
        return _inferred(module, architecture, probe)
    points = {Site(kind=SiteKind.EMBED): Point(body.get_submodule(paths.embed))}
    for layer, block in enumerate(_blocks(body, paths.blocks)):
        inside = {
            SiteKind.ATTN_OUT: Point(block.get_submodule(paths.attn)),
            SiteKind.MLP_POST: Point(block.get_submodule(paths.down), "input"),
            SiteKind.MLP_OUT: Point(block.get_submodule(paths.mlp)),
        }
        points.update(_block_sites(layer, block, inside))
    # A checkpoint may leave its final norm out, and then holds None in its place.
    norm = getattr(body, paths.norm, None) if paths.norm else None
    return Layout(points, "known", norm)


def _body(module: nn.Module, paths: Paths) -> nn.Module | None:
    return next(
        (part for part in module.modules() if _has(part, paths.blocks) and _has(part, paths.embed)), None
    )


def _has(module: nn.Module, path: str) -> bool:
    try:
        module.get_submodule(path)
    except AttributeError:
        return False
    return True


def _blocks(body: nn.Module, path: str) -> list[nn.Module]:
    return list(body.get_submodule(path).children())


def _block_sites(layer: int, block: nn.Module, inside: Mapping[SiteKind, Point]) -> dict[Site, Point]:
    points = {SiteKind.RESID_PRE: Point(block, "input"), **inside, SiteKind.RESID_POST: Point(block)}
    return {Site(kind=kind, layer=layer): point for kind, point in points.items()}


def _inferred(module: nn.Module, architecture: str, probe: Callable[[], object]) -> Layout:
    lists = {
        name: part for name, part in module.named_modules() if isinstance(part, nn.ModuleList) and len(part)
    }
    fitting = {name: part for name, part in lists.items() if _maps_stream_to_itself(module, part, probe)}
    if not fitting:
        raise ModelLoadError(
            f"The layers of this '{architecture}' model were not found.",
            why="It has no list of blocks that each turn n x t x d numbers into as many.",
            fix=f"Known architectures: {', '.join(sorted(TABLE))}.",
        )
    name = max(fitting, key=lambda key: len(fitting[key]))
    points: dict[Site, Point] = {}
    embedding = getattr(module, "get_input_embeddings", lambda: None)()
    if isinstance(embedding, nn.Module):
        points[Site(kind=SiteKind.EMBED)] = Point(embedding)
    blocks = list(fitting[name])
    down = down_projections(module, blocks, probe)
    for layer, block in enumerate(blocks):
        neurons = {SiteKind.MLP_POST: Point(down[layer], "input")} if down else {}
        points.update(_block_sites(layer, block, neurons))
    words = (
        f"'{architecture}' is not in the table of architectures: '{name}' was taken for its {len(blocks)} "
        f"blocks; attention and MLP have no sites of their own{', apart from the neurons' if down else ''}."
    )
    return Layout(points, words, _norm_beside(module, name))


def _norm_beside(module: nn.Module, blocks: str) -> nn.Module | None:
    body = module.get_submodule(blocks.rpartition(".")[0])
    norms = [part for part in body.children() if "norm" in type(part).__name__.lower()]
    return norms[-1] if norms else None


def _maps_stream_to_itself(module: nn.Module, blocks: nn.ModuleList, probe: Callable[[], object]) -> bool:
    points = {(layer, side): block for layer, block in enumerate(blocks) for side in ("input", "output")}
    sides: dict[tuple[int, str], Side] = {key: "input" if key[1] == "input" else "output" for key in points}
    try:
        with capture(module, points, read=sides) as seen, torch.inference_mode():
            probe()
    except RunError:
        return False
    shapes = {activation.shape for activation in seen.values()}
    return len(shapes) == 1 and len(shapes.pop()) == 3
