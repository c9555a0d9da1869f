"""Published convolutional networks, where their weights lie beside the checkout."""

import io
import zipfile
from pathlib import Path

import pytest
import torch
from PIL import Image

from biaskit import models
from biaskit.records.audit_spec import Subject
from biaskit.saliency.layout import Axes, Layout
from tests.models.published import CIFAR10, accuracy

DATA = Path(__file__).parents[2].parent / "shared" / "data"
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
HALF = {"mean": (0.5,) * 3, "std": (0.5,) * 3}


def here(path):
    if not (DATA / path).is_file():
        pytest.skip(f"{path} is not here")
    return DATA / path


@pytest.fixture(scope="module")
def photographs():
    """Twenty-five photographs of each class, with their labels."""
    with zipfile.ZipFile(here("images/cifar10_test_jpg_0000-0099.zip")) as archive:
        names = [name for name in archive.namelist() if int(Path(name).stem) < 25]
        images = [Image.open(io.BytesIO(archive.read(name))).convert("RGB") for name in names]
    return images, [Path(name).parent.name for name in names]


def opened(path, factory, normalisation):
    subject = Subject(
        model="-", factory=f"tests.models.published:{factory}", classes=CIFAR10, allow_pickle=True
    )
    return models.load(str(here(path)), subject=subject, size=(32, 32), **normalisation)


def test_resnet20(photographs):
    adapter = opened("models/resnet20_cifar10/resnet20-12fca82f.th", "resnet20", IMAGENET)
    # Published: 0.804 on a thousand of these JPEG copies.
    assert accuracy(adapter, *photographs) == pytest.approx(0.80, abs=0.06)
    by_path = {adapter.path(site): site for site in adapter.spatial_sites()}
    assert adapter.layout(by_path["layer3.2"]) == Layout(Axes.NCHW, 8, 8)
    assert adapter.layout(by_path["layer1.0"]) == Layout(Axes.NCHW, 32, 32)
    pixels = adapter.prepare(photographs[0][:8])
    found = adapter.sensitivity(pixels, lambda logits: logits[:, 3], [by_path["layer3.2"]])
    gradient = found.gradients[by_path["layer3.2"]]
    # Mean pooling and a linear head: the gradient is the head's row over the number of cells.
    assert torch.allclose(
        gradient, (adapter.head()[0][3] / 64)[None, :, None, None].expand_as(gradient), atol=1e-6
    )


def test_captums_small_network(photographs):
    adapter = opened("models/captum_tutorials/cifar_torchvision.pt", "lenet", HALF)
    # Published: 0.577 on a thousand of these JPEG copies.
    assert accuracy(adapter, *photographs) == pytest.approx(0.577, abs=0.08)
    assert [adapter.path(site) for site in adapter.spatial_sites()] == ["conv1", "conv2"]
    weight, bias = adapter.head()
    pixels = adapter.prepare(photographs[0][:8])
    assert torch.allclose(adapter.features(pixels) @ weight.T + bias, adapter.logits(pixels), atol=1e-4)
