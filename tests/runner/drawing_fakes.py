"""A text-to-image model that is never asked anything, and analyzers that keep what they are handed."""

from dataclasses import dataclass
from typing import ClassVar

from biaskit.records.finding import Analysis
from biaskit.records.probe_set import Modality
from tests.reporting.sample import subject_record

SEEN = []


def _unasked(*_, **__):
    raise AssertionError("the model was asked")


class Pipeline:
    modality = Modality.TEXT_TO_IMAGE
    module = folder = log_snrs = dtype = None
    takes_text, shape, batch_size = True, (1, 2, 2), 1
    sites = locate = encode_images = decode = draw = words = encode_prompts = predict_noise = _unasked
    in_float32 = _unasked

    def __init__(self):
        self.subject = subject_record()


@dataclass(frozen=True)
class Painting:
    """Keep the session.

    Attributes:
        images: Images a template.
    """

    name: ClassVar[str] = "painting"
    modality: ClassVar[Modality] = Modality.TEXT_TO_IMAGE
    unit: ClassVar[str] = "nat"
    nulls: ClassVar[tuple[str, ...]] = ("none",)
    limitations: ClassVar[tuple[str, ...]] = ("It is a fake.",)
    images: int = 4

    def analyze(self, session):
        SEEN.append((self, session))
        settings = {"images": self.images}
        return Analysis(analyzer=self.name, settings=settings, findings=(), limitations=self.limitations)
