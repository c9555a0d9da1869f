"""Published convolutional classifiers, written down again for their released weights."""

import json
import os
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from biaskit.models.vision_input import VisionInput

DATA = Path(os.environ.get("BIASKIT_TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))
RESNET = DATA / "models" / "resnet20_cifar10" / "resnet20-12fca82f.th"
GENDER = DATA / "models" / "gender_mini_xception" / "gender_mini_XCEPTION.21-0.95.hdf5"
MOBILENET = DATA / "models" / "mobilenet_v1_0.25_128" / "mobilenet_v1_0.25_128.safetensors"
CIFAR = DATA / "images" / "cifar10_test_jpg_0000-0099.zip"
FACES = DATA / "images" / "fairface_180.zip"
FACES_SAID = DATA / "images" / "fairface_180_labels.json"
PHOTOS = DATA / "images" / "photos"
IMAGENET_CLASSES = DATA / "models" / "imagenet_labels_1001.txt"
CIFAR_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
HALF = (0.5, 0.5, 0.5)
CHILDREN = frozenset({"0-2", "3-9", "10-19"})


class Basic(nn.Module):
    """Two convolutions and a shortcut without weights (option A of the residual networks' authors)."""

    def __init__(self, inside, outside, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.stride, self.added = stride, (outside - inside) // 2

    def forward(self, x):
        out = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        short = x[:, :, :: self.stride, :: self.stride]
        return functional.relu(out + functional.pad(short, (0, 0, 0, 0, self.added, self.added)))


class ResNet20(nn.Module):
    """Residual network for 32 x 32 pixels and ten classes."""

    vision_input = VisionInput(size=(32, 32), **IMAGENET)

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = self._stage(16, 16, 1)
        self.layer2 = self._stage(16, 32, 2)
        self.layer3 = self._stage(32, 64, 2)
        self.linear = nn.Linear(64, 10)

    @staticmethod
    def _stage(inside, outside, stride):
        first = Basic(inside, outside, stride)
        return nn.Sequential(first, *(Basic(outside, outside, 1) for _ in range(2)))

    def forward(self, x):
        out = self.layer3(self.layer2(self.layer1(functional.relu(self.bn1(self.conv1(x))))))
        return self.linear(out.mean(dim=(2, 3)))


class MobileNet(nn.Module):
    """MobileNet V1 at a quarter of its width; padding as TensorFlow's SAME."""

    vision_input = VisionInput(size=(128, 128), mean=HALF, std=HALF)
    widths = (8, 16, 32, 32, 64, 64, 128, 128, 128, 128, 128, 128, 256, 256)
    strides = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)

    def __init__(self):
        super().__init__()
        parts = [nn.Sequential(*self._conv(3, 8, 3, 2, 1))]
        for inside, outside, stride in zip(self.widths, self.widths[1:], self.strides, strict=False):
            depth = nn.Sequential(*self._conv(inside, inside, 3, stride, inside))
            parts.append(nn.Sequential(depth, nn.Sequential(*self._conv(inside, outside, 1, 1, 1))))
        self.features = nn.Sequential(*parts)
        self.classifier = nn.Linear(256, 1001)

    @staticmethod
    def _conv(inside, outside, size, stride, groups):
        padding = 1 if size == 3 and stride == 1 else 0
        conv = nn.Conv2d(inside, outside, size, stride, padding, groups=groups, bias=False)
        if size == 3 and stride == 2:
            conv.register_forward_pre_hook(lambda module, given: functional.pad(given[0], (0, 1, 0, 1)))
        return conv, nn.BatchNorm2d(outside), nn.ReLU6()

    def forward(self, x):
        return self.classifier(self.features(x).mean(dim=(2, 3)))


class Separable(nn.Module):
    """Two depthwise-separable convolutions, halved, beside a strided shortcut."""

    def __init__(self, inside, outside):
        super().__init__()
        self.depth1 = nn.Conv2d(inside, inside, 3, padding=1, groups=inside, bias=False)
        self.point1 = nn.Conv2d(inside, outside, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside, eps=1e-3)
        self.depth2 = nn.Conv2d(outside, outside, 3, padding=1, groups=outside, bias=False)
        self.point2 = nn.Conv2d(outside, outside, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside, eps=1e-3)
        self.short = nn.Conv2d(inside, outside, 1, 2, bias=False)
        self.bn0 = nn.BatchNorm2d(outside, eps=1e-3)

    def forward(self, x):
        out = functional.relu(self.bn1(self.point1(self.depth1(x))))
        out = self.bn2(self.point2(self.depth2(out)))
        before = out.shape[-1] % 2
        padded = functional.pad(out, (before, 1, before, 1), value=-torch.inf)
        return functional.max_pool2d(padded, 3, 2) + self.bn0(self.short(x))


class MiniXception(nn.Module):
    """Woman or man, from 64 x 64 grey pixels; the image's middle 80 percent is looked at."""

    vision_input = VisionInput(size=(64, 64), mean=(0.5,), std=(0.5,), resize=(80, 80))

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(8, eps=1e-3)
        self.conv2 = nn.Conv2d(8, 8, 3, bias=False)
        self.bn2 = nn.BatchNorm2d(8, eps=1e-3)
        self.blocks = nn.Sequential(*(Separable(width, 2 * width) for width in (8, 16, 32, 64)))
        self.last = nn.Conv2d(128, 2, 3, padding=1)

    def forward(self, x):
        out = functional.relu(self.bn1(self.conv1(x)))
        out = functional.relu(self.bn2(self.conv2(out)))
        return self.last(self.blocks(out)).mean(dim=(2, 3))


def _keras_names():
    """Yield our module, Keras's layer and the array of its kernel (None for a normalisation)."""
    for number in (1, 2):
        yield f"conv{number}", f"conv2d_{number}", "kernel"
        yield f"bn{number}", f"batch_normalization_{number}", None
    for block in range(4):
        at = f"blocks.{block}"
        yield f"{at}.short", f"conv2d_{3 + block}", "kernel"
        yield f"{at}.bn0", f"batch_normalization_{3 + 3 * block}", None
        for number in (1, 2):
            layer = f"separable_conv2d_{2 * block + number}"
            yield f"{at}.depth{number}", layer, "depthwise_kernel"
            yield f"{at}.point{number}", layer, "pointwise_kernel"
            yield f"{at}.bn{number}", f"batch_normalization_{3 + 3 * block + number}", None
    yield "last", "conv2d_7", "kernel"


_BATCH_NORM = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


def mini_xception(file):
    """Put the weights of an open Keras file into the network."""
    model, state = MiniXception(), {}
    for ours, layer, kernel in _keras_names():
        arrays = file["model_weights"][layer][layer]
        if kernel is None:
            state |= {f"{ours}.{name}": arrays[f"{theirs}:0"][:] for name, theirs in _BATCH_NORM.items()}
            continue
        weight = arrays[f"{kernel}:0"][:]
        state[f"{ours}.weight"] = (
            weight.transpose(2, 3, 0, 1) if "depth" in kernel else weight.transpose(3, 2, 0, 1)
        )
        if "bias:0" in arrays:
            state[f"{ours}.bias"] = arrays["bias:0"][:]
    tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in state.items()}
    missing, left = model.load_state_dict(tensors, strict=False)
    assert not left
    assert all(name.endswith("num_batches_tracked") for name in missing)
    return model.eval()


def zipped(path, wanted=lambda name: True):
    """Read the images of a zip, in the order of their names."""
    with zipfile.ZipFile(path) as held:
        names = sorted(name for name in held.namelist() if name.lower().endswith(".jpg") and wanted(name))
        return names, [Image.open(BytesIO(held.read(name))).convert("RGB") for name in names]


def grown_ups():
    """Return what is said of each adult's photograph, by its file name."""
    rows = json.loads(FACES_SAID.read_text(encoding="utf-8"))
    return {row["filename"]: row for row in rows if row["age"] not in CHILDREN}
