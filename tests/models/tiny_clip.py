"""A CLIP of a few thousand random weights in the hub's layout; it reads the words of organism:portraits."""

from __future__ import annotations

import torch
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from biaskit import organisms

SIDE = 16


def write(folder):
    """Write model, tokenizer and processor to a folder; return the folder as text."""
    words = CLIPTokenizer.from_pretrained(organisms.folder("portraits") / "tokenizer")
    small = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {
        **small,
        "vocab_size": len(words),
        "max_position_embeddings": words.model_max_length,
        "bos_token_id": words.bos_token_id,
        "eos_token_id": words.eos_token_id,
        "pad_token_id": words.pad_token_id,
        "projection_dim": 8,
    }
    tower = {**small, "patch_size": 4, "image_size": SIDE, "projection_dim": 8}
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        config = CLIPConfig(text_config=text, vision_config=tower, projection_dim=8)
        CLIPModel(config).save_pretrained(folder)
    words.save_pretrained(folder)
    sizes = {"size": {"shortest_edge": SIDE}, "crop_size": {"height": SIDE, "width": SIDE}, "resample": 3}
    CLIPImageProcessorPil(**sizes).save_pretrained(folder)
    return str(folder)
