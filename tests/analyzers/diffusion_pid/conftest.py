"""A text-to-image model whose distribution is known, so that every figure has an exact answer."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from biaskit.organisms.oracles import Mixture, OracleDenoiser, stable_diffusion_log_snrs
from biaskit.protocols import Drawing
from biaskit.records.probe_set import ControlSet, Modality, TargetSet
from biaskit.records.prompt_set import GroupSet
from biaskit.records.report import SubjectRecord
from biaskit.session import DiffusionSession, GroupComparison

SHARES = {"baker": 0.1, "clerk": 0.3, "judge": 0.5, "nurse": 0.7, "pilot": 0.9}
TEMPLATES = tuple(f"{start} {{x}}" for start in ("a", "one", "this", "that", "the", "my", "our", "your"))
NEUTRAL = ("citizen", "guest", "person", "stranger", "tenant", "traveller", "visitor", "voter")
SIDE = 4
COMMON = {
    "format": 1,
    "modality": "text-to-image",
    "description": "known",
    "source": "tests",
    "licence": "CC0-1.0",
    "noun_class": "person",
}
PAIRS = {"gender": ("female", "male"), "age": ("old", "young")}


def people(shares):
    """Every occupation, gender and age with its probability."""
    return [
        (job, gender, age, (share if gender == "female" else 1 - share) / 2 / len(shares))
        for job, share in shares.items()
        for gender in PAIRS["gender"]
        for age in PAIRS["age"]
    ]


class Prompts(dict):
    """The people that fit a prompt, for any prompt."""

    def __init__(self, known):
        super().__init__()
        self.known = known

    def __missing__(self, prompt):
        words = set(prompt.split())
        named = {word for one in self.known for word in one[:3]} & words
        self[prompt] = [row for row, one in enumerate(self.known) if named <= set(one[:3])]
        return self[prompt]


@dataclass(eq=False)
class KnownModel:
    """A mixture of narrow Gaussians, drawn from exactly."""

    shares: dict = field(default_factory=lambda: dict(SHARES))
    modality = Modality.TEXT_TO_IMAGE
    folder = None
    takes_text = True
    module = torch.nn.Linear(1, 1)
    shape = (1, SIDE, SIDE)
    batch_size = 256
    dtype = torch.float32
    log_snrs = stable_diffusion_log_snrs()

    def __post_init__(self):
        self.people = people(self.shares)
        rng = np.random.default_rng(3)
        marks = {word: rng.normal(size=SIDE * SIDE) for one in self.people for word in one[:3]}
        means = [sum(marks[word] for word in one[:3]) for one in self.people]
        self.means = torch.from_numpy(np.stack(means))
        self.weights = torch.tensor([one[3] for one in self.people], dtype=torch.float64)
        self.fits = Prompts(self.people)
        self.calls = 0

    @property
    def subject(self):
        digest = hashlib.sha256(str(self.shares).encode()).hexdigest()
        return SubjectRecord(
            name="known",
            source="known",
            architecture="mixture",
            layout="known",
            layers=0,
            width=1,
            parameters=0,
            dtype="float32",
            device="cpu",
            fingerprint=digest,
        )

    def sites(self):
        return ()

    def locate(self, site):
        raise KeyError(site)

    def _oracle(self, prompts):
        mixture = Mixture(
            {prompt: self.fits[prompt] for prompt in prompts},
            self.weights,
            self.means,
            torch.full_like(self.means, 0.01),
        )
        return OracleDenoiser(mixture, self.shape, self.log_snrs)

    def encode_prompts(self, prompts):
        self.asked = self._oracle(dict.fromkeys(prompts))
        return self.asked.encode_prompts(prompts)

    def predict_noise(self, noisy, levels, conditioning):
        self.calls += 1
        return self.asked.predict_noise(noisy, levels, conditioning)

    def draw(self, prompts, seeds, sampling=None):
        rows = []
        for prompt, seed in zip(prompts, seeds, strict=True):
            rng = np.random.default_rng(seed)
            allowed = self.fits[prompt]
            odds = self.weights[allowed].numpy()
            place = int(np.searchsorted(np.cumsum(odds / odds.sum()), rng.random()))
            rows.append(self.means[allowed[place]].numpy() + 0.1 * rng.normal(size=SIDE * SIDE))
        latents = torch.from_numpy(np.stack(rows)).float().reshape(-1, *self.shape)
        return Drawing(latents=latents, pixels=self.decode(latents))

    def encode_images(self, images):
        table = [np.asarray(image.convert("L").resize((SIDE, SIDE))) for image in images]
        return torch.from_numpy(np.stack(table)).float()[:, None] / 64 - 2

    def decode(self, latents):
        return (latents / 8 + 0.5).clamp(0, 1).expand(-1, 3, -1, -1)

    def words(self, prompt):
        return tuple(prompt.split())


def compared(pair="gender", jobs=SHARES, templates=TEMPLATES, words=None):
    groups = words or {word: (word,) for word in PAIRS[pair]}
    return GroupComparison(
        TargetSet(
            kind="target",
            name="jobs",
            references=(pair,),
            controls="others",
            templates=templates,
            targets={job: (job,) for job in jobs},
            **COMMON,
        ),
        GroupSet(kind="groups", name=pair, groups=groups, forms=("{group} {target}",), **COMMON),
        ControlSet(kind="controls", name="others", fillers=NEUTRAL, **COMMON),
    )


@pytest.fixture(scope="session")
def session_of():
    def make(model=None, *comparisons, **further):
        return DiffusionSession(
            model=model or KnownModel(), comparisons=comparisons or (compared(),), **further
        )

    return make
