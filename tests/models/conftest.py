"""Tiny language models with random weights, one of each architecture, as ordinary model folders."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForMaskedLM, PreTrainedTokenizerFast

from biaskit import models as adapters
from biaskit.models.language import LanguageAdapter
from biaskit.records.audit_spec import Subject

CORPUS = [
    "the food was good and the service was bad",
    "he said that she was kind to the nurse and the doctor",
    "The little dog went to the park, and it was happy.",
    "the nurse said he was late; the doctor said she was early",
    "good food, bad service, kind people and a happy little dog",
] * 8

TEXTS = ["the food was", "the nurse said that", "The little dog went to the park, and it was", "good food,"]

_SMALL = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
    "initializer_range": 0.3,
}
_GROUPED = {**_SMALL, "num_key_value_heads": 2}
_GEMMA = {**_GROUPED, "head_dim": 8, "sliding_window": 8, "tie_word_embeddings": True}
_GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64, "n_inner": 48, "initializer_range": 0.3}
# gelu, because a finite difference across the kink of relu is no derivative.
_OPT = {**_SMALL, "ffn_dim": 48, "init_std": 0.3, "activation_function": "gelu"}
_QWEN3 = {**_GROUPED, "head_dim": 8}


@dataclass(frozen=True)
class Recipe:
    """How a tiny model is made: config class, its settings, tokenizer, auto class."""

    config: str
    settings: dict[str, Any]
    tokenizer: str = "bytes"
    opener: Any = AutoModelForCausalLM


RECIPES = {
    "gpt2": Recipe("GPT2Config", _GPT2),
    "gpt_neox": Recipe("GPTNeoXConfig", {**_SMALL, "use_parallel_residual": True}),
    "gpt_neox-serial": Recipe("GPTNeoXConfig", {**_SMALL, "use_parallel_residual": False}),
    "llama": Recipe("LlamaConfig", _GROUPED, "pieces"),
    "mistral": Recipe("MistralConfig", {**_GROUPED, "sliding_window": None}, "pieces"),
    "gemma": Recipe("GemmaConfig", {**_GROUPED, "head_dim": 8}, "pieces"),
    "gemma2": Recipe("Gemma2Config", {**_GEMMA, "final_logit_softcapping": 3.0}, "pieces"),
    "gemma3": Recipe("Gemma3TextConfig", _GEMMA, "pieces"),
    "qwen2": Recipe("Qwen2Config", _GROUPED),
    "qwen3": Recipe("Qwen3Config", _QWEN3),
    "phi": Recipe("PhiConfig", _SMALL),
    "phi3": Recipe("Phi3Config", {**_GROUPED, "pad_token_id": 0}, "pieces"),
    "opt": Recipe("OPTConfig", {**_OPT, "word_embed_proj_dim": 32}),
    "opt-350m": Recipe("OPTConfig", {**_OPT, "word_embed_proj_dim": 16, "do_layer_norm_before": False}),
    "bloom": Recipe("BloomConfig", {"hidden_size": 32, "n_layer": 2, "n_head": 4, "initializer_range": 0.3}),
    "bert": Recipe("BertConfig", _SMALL, "words", AutoModelForMaskedLM),
    "minilm": Recipe("BertConfig", _SMALL, "words", AutoModel),
    "roberta": Recipe(
        "RobertaConfig", {**_SMALL, "type_vocab_size": 1}, "masked-bytes", AutoModelForMaskedLM
    ),
    "distilbert": Recipe(
        "DistilBertConfig",
        {
            "dim": 32,
            "n_layers": 2,
            "n_heads": 4,
            "hidden_dim": 48,
            "max_position_embeddings": 64,
            "initializer_range": 0.3,
        },
        "words",
        AutoModelForMaskedLM,
    ),
}
CAUSAL = [name for name, recipe in RECIPES.items() if recipe.opener is AutoModelForCausalLM]
ENCODERS = [name for name in RECIPES if name not in CAUSAL]


def make_tokenizer(kind: str) -> PreTrainedTokenizerFast:
    """Make a tokenizer in the style of gpt2, llama (`pieces`), bert (`words`) or roberta (`masked-bytes`)."""
    if kind == "words":
        return _words()
    raw = Tokenizer(models.BPE(unk_token="<unk>" if kind == "pieces" else None))
    special = {"bytes": ["<|endoftext|>"], "pieces": ["<unk>", "<s>", "</s>"]}.get(
        kind, ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    )
    if kind == "pieces":
        raw.pre_tokenizer = pre_tokenizers.Metaspace()
        raw.decoder = decoders.Metaspace()
        alphabet = []
    else:
        raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        raw.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    raw.train_from_iterator(CORPUS, trainer)
    return _wrapped(raw, kind)


def _wrapped(raw: Tokenizer, kind: str) -> PreTrainedTokenizerFast:
    if kind == "bytes":
        raw.post_processor = processors.ByteLevel(trim_offsets=False)
        names = dict.fromkeys(("bos_token", "eos_token", "unk_token", "pad_token"), "<|endoftext|>")
    elif kind == "pieces":
        names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    else:
        raw.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
        names = {
            "bos_token": "<s>",
            "eos_token": "</s>",
            "unk_token": "<unk>",
            "pad_token": "<pad>",
            "cls_token": "<s>",
            "sep_token": "</s>",
        }
        names["mask_token"] = AddedToken("<mask>", lstrip=True, special=True)
    return PreTrainedTokenizerFast(tokenizer_object=raw, **names)


def _words() -> PreTrainedTokenizerFast:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    raw = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    raw.normalizer = normalizers.BertNormalizer(lowercase=True)
    raw.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    raw.train_from_iterator(
        CORPUS, trainers.WordPieceTrainer(vocab_size=200, special_tokens=special, show_progress=False)
    )
    raw.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair=None, special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=raw,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )


def save_tiny(name: str, folder: Path, **changes: Any) -> Path:
    """Write the tiny model `name` with random weights (seed 0) into `folder`."""
    recipe = RECIPES[name]
    tokenizer = make_tokenizer(recipe.tokenizer)
    settings = {**recipe.settings, **changes, "vocab_size": len(tokenizer)}
    ids = {
        key: getattr(tokenizer, key)
        for key in ("bos_token_id", "eos_token_id", "pad_token_id")
        if getattr(tokenizer, key) is not None
    }
    config = getattr(transformers, recipe.config)(**settings, **ids)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = recipe.opener.from_config(config).eval()
        _shake(model)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _shake(model: torch.nn.Module) -> None:
    """Move norms and biases away from 1 and 0, so that leaving one out cannot go unnoticed."""
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == 1:
                weight.add_(torch.randn_like(weight), alpha=0.2)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory):
    """Folder of the tiny model of an architecture, written once."""
    made: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in made:
            made[name] = save_tiny(name, tmp_path_factory.mktemp("tiny") / name)
        return made[name]

    return folder


@pytest.fixture(scope="session")
def opened(tiny):
    """Adapter of the tiny model of an architecture; one for each set of settings."""
    made: dict[tuple[Any, ...], LanguageAdapter] = {}

    def adapter(name: str, **settings: Any) -> LanguageAdapter:
        key = (name, *sorted(settings.items()))
        if key not in made:
            made[key] = adapters.load(str(tiny(name)), subject=Subject(model="-", device="cpu", **settings))
        return made[key]

    return adapter


@pytest.fixture
def shared_data() -> Path:
    """Folder of downloaded reference data, where there is one."""
    named = os.environ.get("BIASKIT_SHARED_DATA")
    folder = Path(named) if named else Path(__file__).parents[2].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no reference data on this machine")
    return folder
