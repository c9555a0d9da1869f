"""Image classifiers with random weights, one of each kind, at 32 x 32 pixels and four classes."""

from __future__ import annotations

import torch
import transformers
from torch import nn

SIZE = (32, 32)
CLASSES = ("cat", "dog", "fox", "owl")
_TOKENS = {
    "image_size": 32,
    "patch_size": 8,
    "hidden_size": 24,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "initializer_range": 0.2,
}
_LABELS = {"id2label": dict(enumerate(CLASSES)), "label2id": {name: i for i, name in enumerate(CLASSES)}}

# Kind -> config class, its settings, model class.
TRANSFORMERS = {
    "resnet": (
        "ResNet",
        {"embedding_size": 6, "hidden_sizes": [6, 12], "depths": [1, 2], "layer_type": "basic"},
        "ForImageClassification",
    ),
    "vit": ("ViT", _TOKENS, "ForImageClassification"),
    "convnext": (
        "ConvNext",
        {"hidden_sizes": [6, 12], "depths": [1, 2], "num_stages": 2, "layer_scale_init_value": 1.0},
        "ForImageClassification",
    ),
    "swin": (
        "Swin",
        {
            "image_size": 32,
            "patch_size": 2,
            "embed_dim": 6,
            "depths": [2, 2],
            "num_heads": [2, 2],
            "window_size": 4,
        },
        "ForImageClassification",
    ),
    "poolformer": (
        "PoolFormer",
        {"hidden_sizes": [6, 12, 12, 12], "depths": [1, 1, 1, 1], "layer_scale_init_value": 1.0},
        "ForImageClassification",
    ),
    "deit-distilled": ("DeiT", _TOKENS, "ForImageClassificationWithTeacher"),
    "dinov2-registers": (
        "Dinov2WithRegisters",
        {**_TOKENS, "num_register_tokens": 4},
        "ForImageClassification",
    ),
}


def transformers_model(kind: str, **changes) -> nn.Module:
    """Build a transformers classifier with weights that are large enough to matter."""
    name, settings, task = TRANSFORMERS[kind]
    config = getattr(transformers, f"{name}Config")(**{**settings, **_LABELS, **changes})
    model = getattr(transformers, name + task)(config)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.normal_(0, 0.3)
    return model.eval()


class PlainMLP(nn.Module):
    """No spatial axis anywhere."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 30), nn.ReLU(), nn.Linear(30, 4))

    def forward(self, x):
        return self.net(x)


class ScanBlock(nn.Module):
    """A selective scan over tokens: h_t = a_t * h_(t-1) + (1 - a_t) * v_t."""

    def __init__(self, width):
        super().__init__()
        self.norm, self.gate, self.value = (
            nn.LayerNorm(width),
            nn.Linear(width, width),
            nn.Linear(width, width),
        )

    def forward(self, x):
        y = self.norm(x)
        keep, new = self.gate(y).sigmoid(), self.value(y)
        state, states = torch.zeros_like(x[:, 0]), []
        for t in range(x.shape[1]):
            state = keep[:, t] * state + (1 - keep[:, t]) * new[:, t]
            states.append(state)
        return x + torch.stack(states, dim=1)


class StateSpace(nn.Module):
    """Tokens without prefix, scanned; two heads in training, their mean otherwise."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 10, 8, 8)
        self.blocks = nn.ModuleList([ScanBlock(10) for _ in range(2)])
        self.heads = nn.ModuleList([nn.Linear(10, 4) for _ in range(2)])

    def forward(self, x):
        x = self.stem(x).flatten(2).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        outs = tuple(head(x.mean(1)) for head in self.heads)
        return outs if self.training else (outs[0] + outs[1]) / 2


class WindowBlock(nn.Module):
    """Attention within windows, of tokens without prefix; gives a tuple."""

    def __init__(self, width, side, window=4):
        super().__init__()
        self.side, self.window = side, window
        self.norm1 = nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, 2, batch_first=True)

    def forward(self, x):
        n, _, c = x.shape
        s, w = self.side, self.window
        windows = self.norm1(x).view(n, s // w, w, s // w, w, c).transpose(2, 3).reshape(-1, w * w, c)
        mixed, weights = self.attn(windows, windows, windows)
        mixed = mixed.view(n, s // w, s // w, w, w, c).transpose(2, 3).reshape(n, s * s, c)
        return x + mixed, weights


class Windows(nn.Module):
    """Tokens (B, L, C) on a grid that is halved once."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Conv2d(3, 6, 4, 4)
        self.block1, self.merge, self.block2 = WindowBlock(6, 8), nn.Linear(24, 10), WindowBlock(10, 4, 2)
        self.norm, self.head = nn.LayerNorm(10), nn.Linear(10, 4)

    def forward(self, x):
        x = self.embed(x).flatten(2).transpose(1, 2)
        x, _ = self.block1(x)
        x = x.view(-1, 4, 2, 4, 2, 6).transpose(2, 3).reshape(-1, 16, 24)
        x, _ = self.block2(self.merge(x))
        return self.head(self.norm(x).mean(1))


class ScaleMixer(nn.Module):
    """Called through methods of its own, so hooks on it never fire; those on its layers do."""

    def __init__(self, width):
        super().__init__()
        self.norm, self.linear = nn.LayerNorm(width), nn.Linear(width, width)

    def mix_scales(self, x):
        return x + self.linear(self.norm(x)).roll(1, dims=2)


class MultiScale(nn.Module):
    """Patches x scales: (B, 16, 5, C), of one stage of four times as many cells and one of as many."""

    def __init__(self):
        super().__init__()
        self.fine, self.coarse = nn.Conv2d(3, 6, 4, 4), nn.Conv2d(6, 6, 2, 2)
        self.mixers = nn.ModuleList([ScaleMixer(6) for _ in range(2)])
        self.head = nn.Linear(6, 4)

    def forward(self, x):
        fine = self.fine(x)
        coarse = self.coarse(fine).flatten(2).transpose(1, 2)[:, :, None]
        cells = fine.unfold(2, 2, 2).unfold(3, 2, 2).flatten(4).flatten(2, 3)
        x = torch.cat([coarse, cells.permute(0, 2, 3, 1)], dim=2)
        for mixer in self.mixers:
            x = mixer.mix_scales(x)
        return self.head(x.mean((1, 2))).squeeze()


class GraphBlock(nn.Module):
    """Max-relative graph convolution over the nearest neighbours; channels first, in and out."""

    def __init__(self, width):
        super().__init__()
        self.mix = nn.Conv2d(2 * width, width, 1)

    def forward(self, x):
        nodes = x.flatten(2).transpose(1, 2)
        near = torch.cdist(nodes, nodes).topk(4, largest=False).indices
        around = torch.stack([own[index] for own, index in zip(nodes, near, strict=True)])
        relative = (around - nodes[:, :, None]).amax(2).transpose(1, 2).view_as(x)
        return x + self.mix(torch.cat([x, relative], dim=1))


class Graph(nn.Module):
    """A graph network; a dictionary of the head and an auxiliary one."""

    def __init__(self):
        super().__init__()
        self.stem, self.backbone = nn.Conv2d(3, 6, 4, 4), nn.Sequential(GraphBlock(6), GraphBlock(6))
        self.head = nn.Linear(6, 4)

    def forward(self, x):
        x = self.backbone(self.stem(x))
        return {"aux": x.mean(), "main": self.head(x.mean((2, 3)))}


class PlainCNN(nn.Module):
    """Convolutions, batch norms, in-place relus, a linear head."""

    def __init__(self, channels=3, classes=4):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(channels, 6, 3, 2, 1), nn.BatchNorm2d(6), nn.ReLU(inplace=True),
            nn.Conv2d(6, 10, 3, 2, 1), nn.BatchNorm2d(10), nn.ReLU(inplace=True),
        )  # fmt: skip
        self.pool, self.head = nn.AdaptiveAvgPool2d(1), nn.Linear(10, classes)

    def forward(self, x):
        return self.head(self.pool(self.features(x)).flatten(1))


PLAIN = {
    "cnn": PlainCNN,
    "mlp": PlainMLP,
    "state-space": StateSpace,
    "windows": Windows,
    "multi-scale": MultiScale,
    "graph": Graph,
}


def model(kind: str) -> nn.Module:
    """Build a classifier of any kind."""
    return transformers_model(kind) if kind in TRANSFORMERS else PLAIN[kind]().eval()
