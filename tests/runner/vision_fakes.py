"""A classifier that is never asked anything, an analyzer of images, an encoder and a captioner."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from biaskit.records.estimate import Estimate, Unit
from biaskit.records.finding import Analysis, Finding
from biaskit.records.probe_set import Modality
from tests.reporting.sample import subject_record

SEEN = []


class Classifier:
    modality = Modality.IMAGE
    classes = ("cat", "dog", "bird")
    folder = None
    notes = ("a note of the model",)

    def __init__(self):
        self.subject = subject_record()


@dataclass(frozen=True)
class Looking:
    """Count the images of each set."""

    name: ClassVar[str] = "looking"
    modality: ClassVar[Modality] = Modality.IMAGE
    unit: ClassVar[str] = "count"
    nulls: ClassVar[tuple[str, ...]] = ("none",)
    limitations: ClassVar[tuple[str, ...]] = ("It is a fake.",)

    def analyze(self, session):
        SEEN.append(session)
        findings = tuple(self._finding(one) for one in session.images)
        return Analysis(analyzer=self.name, settings={}, findings=findings, limitations=self.limitations)

    def _finding(self, images):
        estimate = Estimate(
            value=float(len(images)),
            unit=Unit.COUNT,
            n=len(images),
            resampling_unit="images",
            method="a count",
            reason="it is exact",
        )
        return Finding(metric="looking.images", concepts=(images.name,), headline=True, estimate=estimate)


class Encoder:
    name, fingerprint, width = "a fake", "0" * 64, 2

    def encode_images(self, pixels):
        return torch.ones(len(pixels), 2)

    def encode_texts(self, texts):
        return torch.ones(len(texts), 2)


class Captions:
    def caption(self, pixels):
        return ["A thing."] * len(pixels)
