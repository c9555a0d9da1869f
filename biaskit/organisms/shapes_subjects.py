"""Small image classifiers of four architectures as one family of transformers models.

Importing this file makes `AutoConfig` and `AutoModelForImageClassification` know the family; its folders
are ordinary ones.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForImageClassification, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import ImageClassifierOutput

from biaskit.errors import UnknownNameError

MODEL_TYPE = "biaskit_shapes"


class ShapesConfig(PretrainedConfig):  # type: ignore[misc]  # transformers comes without types
    """Architecture and size of a subject.

    Attributes:
        architecture: `cnn`, `vit`, `mixer` or `mlp`.
        image_size: Height and width of the pixels.
        num_channels: Channels of the pixels.
        patch_size: Side of a token's patch (`vit`, `mixer`).
        hidden_size: Width of a token (`vit`, `mixer`); a CNN's widths follow from it.
        num_hidden_layers: Blocks (`vit`, `mixer`).
        num_attention_heads: Attention heads (`vit`).
    """

    model_type = MODEL_TYPE

    def __init__(
        self,
        architecture: str = "cnn",
        image_size: int = 32,
        hidden_size: int = 32,
        num_hidden_layers: int = 2,
        **further: Any,
    ) -> None:
        """Keep the sizes; whatever else a configuration holds is handed on."""
        self.architecture = architecture
        self.image_size = image_size
        self.num_channels = 3
        self.patch_size = 4
        self.hidden_size = hidden_size
        self.num_hidden_layers = num_hidden_layers
        self.num_attention_heads = 4
        super().__init__(**further)


class ShapesForImageClassification(PreTrainedModel):  # type: ignore[misc]  # as above
    """A body that turns pixels into features, and one linear layer as the head."""

    config_class = ShapesConfig
    main_input_name = "pixel_values"
    input_modalities = ("image",)
    _supports_sdpa = True

    def __init__(self, config: ShapesConfig) -> None:
        """Build the architecture that the configuration names.

        Raises:
            UnknownNameError: There is no such architecture.
        """
        super().__init__(config)
        if config.architecture not in BODIES:
            raise UnknownNameError("architecture", config.architecture, BODIES)
        body: Cnn | Vit | Mixer | Mlp = BODIES[config.architecture](config)
        self.body = body
        self.classifier = nn.Linear(body.width, config.num_labels)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Draw weights as each kind of layer draws its own."""
        redraw = getattr(module, "reset_parameters", None)
        if redraw is not None:
            redraw()

    def forward(
        self,
        pixel_values: Float[Tensor, "n c h w"],
        labels: Int[Tensor, " n"] | None = None,
        *,
        output_attentions: bool | None = None,
        **_: Any,
    ) -> ImageClassifierOutput:
        """Return logits, the loss where labels are given, and a ViT's attention weights on request."""
        kept: list[Tensor] | None = [] if output_attentions else None
        logits = self.classifier(self.body(pixel_values, kept))
        loss = None if labels is None else nn.functional.cross_entropy(logits, labels)
        return ImageClassifierOutput(loss=loss, logits=logits, attentions=tuple(kept) if kept else None)


class Cnn(nn.Module):
    """Five convolutions with strides 1, 2, 1, 2, 1, each with batch norm and ReLU; mean over the grid."""

    STRIDES: ClassVar[tuple[int, ...]] = (1, 2, 1, 2, 1)

    def __init__(self, config: ShapesConfig) -> None:
        """Widths are 10, 20, 20, 40, 40 for a hidden size of 32."""
        super().__init__()
        step = max(1, 5 * config.hidden_size // 16)
        widths = (config.num_channels, step, 2 * step, 2 * step, 4 * step, 4 * step)
        self.stages = nn.ModuleList(
            _stage(before, after, stride)
            for before, after, stride in zip(widths[:-1], widths[1:], self.STRIDES, strict=True)
        )
        self.width = widths[-1]

    def forward(
        self, pixels: Float[Tensor, "n c h w"], _attentions: list[Tensor] | None
    ) -> Float[Tensor, "n d"]:
        """Return the mean of the last stage over the grid."""
        for stage in self.stages:
            pixels = stage(pixels)
        return pixels.mean((2, 3))


class Tokens(nn.Module):
    """Cut the image into patches, one token each, with a learnt embedding of the place."""

    def __init__(self, config: ShapesConfig, prefix: int) -> None:
        """Add `prefix` learnt tokens before those of the patches."""
        super().__init__()
        self.patches = nn.Conv2d(
            config.num_channels, config.hidden_size, config.patch_size, config.patch_size
        )
        self.count = prefix + (config.image_size // config.patch_size) ** 2
        self.places = Learnt(self.count, config.hidden_size)
        self.prefix = Learnt(prefix, config.hidden_size)

    def forward(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n t d"]:
        """Return the tokens."""
        grid = self.patches(pixels).flatten(2).transpose(1, 2)
        prefix = self.prefix.weight.expand(len(grid), -1, -1)
        return torch.cat([prefix, grid], 1) + self.places.weight


class Learnt(nn.Module):
    """A table of learnt vectors."""

    def __init__(self, rows: int, width: int) -> None:
        """Draw them from a narrow normal distribution."""
        super().__init__()
        self.weight = nn.Parameter(torch.empty(rows, width))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the vectors anew."""
        nn.init.normal_(self.weight, std=0.02)


class Attention(nn.Module):
    """Self-attention over tokens."""

    def __init__(self, width: int, heads: int) -> None:
        """Split `width` among `heads`."""
        super().__init__()
        self.heads = heads
        self.query_key_value = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(
        self, tokens: Float[Tensor, "n t d"], attentions: list[Tensor] | None
    ) -> Float[Tensor, "n t d"]:
        """Attend; the weights are appended to `attentions` where that is a list."""
        n, count, width = tokens.shape
        split = self.query_key_value(tokens).view(n, count, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        if attentions is None:
            mixed = nn.functional.scaled_dot_product_attention(query, key, value)
        else:
            weights = (query @ key.transpose(2, 3) * query.shape[-1] ** -0.5).softmax(-1)
            attentions.append(weights)
            mixed = weights @ value
        found: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return found


class VitBlock(nn.Module):
    """Attention and a feed-forward network, each after a norm and around a skip connection."""

    def __init__(self, config: ShapesConfig) -> None:
        """Build both."""
        super().__init__()
        width = config.hidden_size
        self.norm_before = nn.LayerNorm(width)
        self.attention = Attention(width, config.num_attention_heads)
        self.norm_after = nn.LayerNorm(width)
        self.feed_forward = _feed_forward(width, 2 * width)

    def forward(
        self, tokens: Float[Tensor, "n t d"], attentions: list[Tensor] | None
    ) -> Float[Tensor, "n t d"]:
        """Return the tokens after the block."""
        tokens = tokens + self.attention(self.norm_before(tokens), attentions)
        after: Tensor = tokens + self.feed_forward(self.norm_after(tokens))
        return after


class Vit(nn.Module):
    """A vision transformer; the class token is read."""

    def __init__(self, config: ShapesConfig) -> None:
        """Build embedding, blocks and the last norm."""
        super().__init__()
        self.width = config.hidden_size
        self.tokens = Tokens(config, prefix=1)
        self.blocks = nn.ModuleList(VitBlock(config) for _ in range(config.num_hidden_layers))
        self.norm = nn.LayerNorm(self.width)

    def forward(
        self, pixels: Float[Tensor, "n c h w"], attentions: list[Tensor] | None
    ) -> Float[Tensor, "n d"]:
        """Return the class token after the last norm."""
        tokens = self.tokens(pixels)
        for block in self.blocks:
            tokens = block(tokens, attentions)
        found: Tensor = self.norm(tokens)[:, 0]
        return found


class MixerBlock(nn.Module):
    """One feed-forward network over the places and one over the channels."""

    def __init__(self, config: ShapesConfig, count: int) -> None:
        """Build both for `count` tokens."""
        super().__init__()
        width = config.hidden_size
        self.norm_places = nn.LayerNorm(width)
        self.places = _feed_forward(count, count // 2)
        self.norm_channels = nn.LayerNorm(width)
        self.channels = _feed_forward(width, 2 * width)

    def forward(self, tokens: Float[Tensor, "n t d"]) -> Float[Tensor, "n t d"]:
        """Return the tokens after the block."""
        tokens = tokens + self.places(self.norm_places(tokens).transpose(1, 2)).transpose(1, 2)
        after: Tensor = tokens + self.channels(self.norm_channels(tokens))
        return after


class Mixer(nn.Module):
    """An MLP-mixer; the mean of the tokens is read."""

    def __init__(self, config: ShapesConfig) -> None:
        """Build embedding, blocks and the last norm."""
        super().__init__()
        self.width = config.hidden_size
        self.tokens = Tokens(config, prefix=0)
        self.blocks = nn.ModuleList(
            MixerBlock(config, self.tokens.count) for _ in range(config.num_hidden_layers)
        )
        self.norm = nn.LayerNorm(self.width)

    def forward(
        self, pixels: Float[Tensor, "n c h w"], _attentions: list[Tensor] | None
    ) -> Float[Tensor, "n d"]:
        """Return the mean token after the last norm."""
        tokens = self.tokens(pixels)
        for block in self.blocks:
            tokens = block(tokens)
        found: Tensor = self.norm(tokens).mean(1)
        return found


class Mlp(nn.Module):
    """Two hidden layers over the flattened pixels."""

    def __init__(self, config: ShapesConfig) -> None:
        """Both layers are twice as wide as the hidden size."""
        super().__init__()
        self.width = 2 * config.hidden_size
        pixels = config.num_channels * config.image_size**2
        self.layers = nn.Sequential(
            nn.Linear(pixels, self.width), nn.ReLU(), nn.Linear(self.width, self.width), nn.ReLU()
        )

    def forward(
        self, pixels: Float[Tensor, "n c h w"], _attentions: list[Tensor] | None
    ) -> Float[Tensor, "n d"]:
        """Return the second hidden layer."""
        found: Tensor = self.layers(pixels.flatten(1))
        return found


BODIES: dict[str, type[Cnn | Vit | Mixer | Mlp]] = {"cnn": Cnn, "vit": Vit, "mixer": Mixer, "mlp": Mlp}
"""Architectures by name."""


def _stage(before: int, after: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()
    )


def _feed_forward(width: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))


AutoConfig.register(MODEL_TYPE, ShapesConfig, exist_ok=True)
AutoModelForImageClassification.register(ShapesConfig, ShapesForImageClassification, exist_ok=True)
