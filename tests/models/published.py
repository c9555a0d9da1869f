"""Networks whose published weights may lie beside the checkout; factories for bare weights."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  torch's own name for it

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


class Block(nn.Module):
    def __init__(self, before, after, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.stride, self.wider = stride, after - before

    def forward(self, x):
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        short = x[:, :, :: self.stride, :: self.stride]
        half = self.wider // 2
        out += F.pad(short, (0, 0, 0, 0, half, half)) if self.wider else short
        return F.relu(out)


class ResNet20(nn.Module):
    """The residual network for CIFAR-10 whose shortcuts hold no weights."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(*(Block(16, 16, 1) for _ in range(3)))
        self.layer2 = nn.Sequential(Block(16, 32, 2), Block(32, 32, 1), Block(32, 32, 1))
        self.layer3 = nn.Sequential(Block(32, 64, 2), Block(64, 64, 1), Block(64, 64, 1))
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(F.avg_pool2d(x, x.shape[3]).flatten(1))


class LeNet(nn.Module):
    """The small CIFAR-10 network of captum's tutorials."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2, self.pool = nn.Conv2d(3, 6, 5), nn.Conv2d(6, 16, 5), nn.MaxPool2d(2)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x.flatten(1))))))


def resnet20() -> nn.Module:
    return ResNet20()


def lenet() -> nn.Module:
    return LeNet()


def accuracy(adapter, images, labels) -> float:
    """Return the share of images whose largest logit is their label's."""
    found = adapter.logits(adapter.prepare(images)).argmax(1)
    wanted = torch.tensor([adapter.classes.index(label) for label in labels])
    return found.eq(wanted).float().mean().item()
