"""Small classifiers with known answers, and a plain one made of stages."""

import numpy as np
import pytest
import torch
from torch import nn

from biaskit.errors import LayoutError, RequestError, UnknownNameError
from biaskit.records.site import Site, SiteKind
from biaskit.saliency.classifier import Sensitivity
from biaskit.saliency.layout import Axes, Layout


def site(layer: int) -> Site:
    return Site(kind=SiteKind.CONV_OUT, layer=layer)


class Staged:
    """A classifier whose stages run one after the other; the output of each is a site, NCHW."""

    def __init__(self, stages, grids, classes=("a", "b")):
        self.stages, self.grids, self.classes = nn.ModuleList(stages), grids, classes

    def forward(self, pixels):
        for stage in self.stages:
            pixels = stage(pixels)
        return pixels

    @torch.no_grad()
    def logits(self, pixels):
        return torch.cat([self.forward(part) for part in pixels.split(64)]).float()

    def spatial_sites(self):
        return tuple(site(layer) for layer in range(len(self.grids)))

    def layout(self, at):
        if at not in self.spatial_sites():
            raise UnknownNameError("site", str(at), map(str, self.spatial_sites()))
        if self.grids[at.layer] is None:
            raise LayoutError("No spatial axes.")
        return Layout(Axes.NCHW, *self.grids[at.layer])

    def sensitivity(self, pixels, score, sites):
        outputs, current = {}, pixels.detach().clone().requires_grad_()
        for layer, stage in enumerate(self.stages):
            current = stage(current)
            outputs[site(layer)] = current
        scores = score(current)
        found = torch.autograd.grad(scores.sum(), [outputs[at] for at in sites], allow_unused=True)
        read = {at: outputs[at].detach() for at in sites}
        gradients = {
            at: torch.zeros_like(read[at]) if one is None else one
            for at, one in zip(sites, found, strict=True)
        }
        return Sensitivity(scores.detach(), current.detach(), read, gradients)

    def attentions(self, pixels):
        raise RequestError("No attention.")


class Lambda(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def patch_classifier(region: torch.Tensor, gain: float = 8.0) -> Staged:
    """Logit of 'a' is the gain times the mean of red minus green inside the region; that of 'b' is 0.

    The first stage is the identity, so gradients there lie in the region alone.
    """

    def evidence(x):
        difference = (x[:, 0] - x[:, 1]) * region
        return gain * difference.sum((1, 2))[:, None] / region.sum() * torch.tensor([1.0, 0.0])

    return Staged([nn.Identity(), Lambda(evidence)], [tuple(region.shape)])


@pytest.fixture
def region():
    mask = torch.zeros(16, 16)
    mask[4:8, 8:12] = 1
    return mask


@pytest.fixture
def patches(region):
    """Grey noise with a red patch in the region."""
    rng = torch.Generator().manual_seed(1)
    pixels = 0.4 + 0.2 * torch.rand(48, 3, 16, 16, generator=rng)
    pixels[:, 0] += 0.4 * region
    return pixels


@pytest.fixture
def cnn():
    """A random convolutional net whose last stage is mean pooling and a linear head."""
    torch.manual_seed(0)
    head = nn.Linear(8, 3)
    # Maps of freshly drawn weights lie near 1e-3, where a tolerance of 1e-5 would say little.
    with torch.no_grad():
        head.weight *= 300
    return Staged(
        [
            nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU()),
            nn.Sequential(nn.Conv2d(8, 8, 3, stride=2, padding=1), nn.ReLU()),
            nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), head),
        ],
        [(16, 16), (8, 8)],
        classes=("a", "b", "c"),
    )


@pytest.fixture
def rng():
    return np.random.default_rng(0)
