"""Maps of a trained net fall apart as its weights do; an edge detector's never notice."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from biaskit.errors import RequestError
from biaskit.saliency.methods import Candidate, maps_of
from biaskit.saliency.sanity import cascade, data_randomisation, edge_map, restored, stages_of
from biaskit.saliency.scores import contrastive
from tests.saliency.conftest import Staged, site


def shapes(n, rng):
    """A red or a green square at one of nine places on grey noise; the colour is the class."""
    labels = torch.randint(2, (n,), generator=rng)
    pixels = 0.3 + 0.4 * torch.rand(n, 3, 16, 16, generator=rng)
    for image, label in zip(pixels, labels.tolist(), strict=True):
        row, column = (int(torch.randint(3, (), generator=rng)) * 5 for _ in range(2))
        image[label, row : row + 5, column : column + 5] += 0.5
        image[1 - label, row : row + 5, column : column + 5] -= 0.3
    return pixels.clamp(0, 1), labels


@pytest.fixture(scope="module")
def trained():
    torch.manual_seed(0)
    rng = torch.Generator().manual_seed(0)
    model = Staged(
        [
            nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.ReLU()),
            nn.Sequential(nn.Conv2d(12, 16, 3, stride=2, padding=1), nn.ReLU()),
            nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.ReLU()),
            nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 2)),
        ],
        [(16, 16), (8, 8), (8, 8)],
    )
    optimizer = torch.optim.Adam(model.stages.parameters(), 3e-3)
    for _ in range(120):
        pixels, labels = shapes(48, rng)
        optimizer.zero_grad()
        functional.cross_entropy(model.forward(pixels), labels).backward()
        optimizer.step()
    pixels, labels = shapes(60, rng)
    assert float((model.logits(pixels).argmax(1) == labels).float().mean()) > 0.95
    return model, pixels, labels


def test_cascade(trained, rng):
    model, pixels, labels = trained
    candidate, score = Candidate("grad-cam", site(1)), contrastive(labels)
    before = {name: value.clone() for name, value in model.stages.state_dict().items()}

    def maps():
        return maps_of(model, pixels, score, [candidate])[candidate].signed

    steps = cascade(model.stages, maps, torch.Generator().manual_seed(1), draws=8)
    assert steps[0].stage == ("3.2",)
    assert [step.stage for step in steps[1:]] == [("2.0",), ("1.0",), ("0.0",)]
    later = [step.estimate().value for step in steps[1:]]
    assert max(later) <= 0.3
    assert all(torch.equal(value, before[name]) for name, value in model.stages.state_dict().items())
    edges = cascade(model.stages, lambda: edge_map(pixels), torch.Generator().manual_seed(1))
    assert min(step.estimate().value for step in edges) >= 0.99


def test_weights_come_back_after_an_error(trained):
    model, *_ = trained
    before = [value.clone() for value in model.stages.parameters()]

    def fails():
        fails.calls += 1
        if fails.calls > 1:
            raise KeyboardInterrupt
        return torch.rand(2, 3, 3)

    fails.calls = 0
    with pytest.raises(KeyboardInterrupt):
        cascade(model.stages, fails, torch.Generator().manual_seed(0))
    assert all(torch.equal(a, b) for a, b in zip(before, model.stages.parameters(), strict=True))


def test_restored_leaves_gradients_flags_alone(trained):
    model, *_ = trained
    model.stages[0][0].weight.requires_grad_(False)
    with restored(model.stages), torch.no_grad():
        model.stages[0][0].weight.zero_()
    assert float(model.stages[0][0].weight.detach().abs().max()) > 0
    assert not model.stages[0][0].weight.requires_grad
    model.stages[0][0].weight.requires_grad_(True)


def test_stages_cover_every_weight_once_head_first():
    deep = nn.Sequential(*(nn.Linear(2, 2) for _ in range(30)))
    for most in (2, 5, 8, 40):
        stages = stages_of(deep, most)
        assert stages[0] == ("29",)
        assert [name for stage in stages for name in stage] == [str(i) for i in reversed(range(30))]
        assert len(stages) == min(most, 30)
    assert stages_of(nn.Linear(2, 2)) == (("",),)


def test_a_model_without_weights_is_refused():
    with pytest.raises(RequestError, match="no weights"):
        cascade(nn.ReLU(), lambda: torch.rand(1, 2, 2), torch.Generator())


def test_data_randomisation_of_unrelated_maps_is_near_zero(rng):
    one, other = torch.rand(2, 200, 8, 8, generator=torch.Generator().manual_seed(0))
    assert data_randomisation(one, other).estimate(rng).null.p > 0.05
    assert data_randomisation(one, one).estimate(rng).value == pytest.approx(1)
