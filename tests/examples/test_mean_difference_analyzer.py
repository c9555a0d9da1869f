"""The analyzer that CONTRIBUTING shows: it finds a position that was put there, and nothing else."""

import ast
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import torch

import biaskit
from biaskit import analyzers
from biaskit.hooks.store import ActivationStore
from biaskit.records.probe_set import ControlSet, ReferencePair, TargetSet
from biaskit.session import Comparison, Session
from examples import mean_difference_analyzer
from examples.mean_difference_analyzer import MeanDifference

ABOUT = {"format": 1, "description": "made up", "source": "made up", "licence": "CC0-1.0"}
PAIR = ReferencePair(
    **ABOUT,
    kind="pair",
    name="mood",
    poles=("good", "bad"),
    templates=("It was {x}.", "They said {x}."),
    fillers={"good": ("fine", "lovely"), "bad": ("awful", "poor")},
    continuations={"good": ("fine",), "bad": ("awful",)},
    stems={"thing": ("The {target} was",)},
    reverse_stems={"thing": ("The {reference}",)},
)
TARGETS = TargetSet(
    **ABOUT,
    kind="target",
    name="meals",
    noun_class="thing",
    references=("mood",),
    controls="nouns",
    templates=("We saw the {x}.", "There is a {x}.", "A {x} came up.", "Now the {x}."),
    targets={"liked": ("soup", "bread", "rice"), "neutral": ("cup", "plate", "spoon")},
)
NOUNS = tuple(f"noun{index}" for index in range(40))
CONTROLS = ControlSet(**ABOUT, kind="controls", name="nouns", noun_class="thing", fillers=NOUNS)
PLANTED = 0.4
POSITIONS = {"fine": 1, "lovely": 1, "awful": -1, "poor": -1} | dict.fromkeys(
    ("soup", "bread", "rice"), PLANTED
)


@dataclass(frozen=True)
class Identity:
    fingerprint: str = "planted"
    dtype: str = "float32"


class Planted:
    """The first axis carries what a text says about its noun, the others carry noise of the whole text."""

    subject = Identity()

    def activations(self, prompts, sites, pooling=None):
        rows = [self.row(prompt.text) for prompt in prompts]
        return {site: torch.stack(rows) for site in sites}

    def row(self, text):
        noise = torch.randn(8, generator=torch.Generator().manual_seed(sum(map(ord, text)))) * 0.01
        said = sum(POSITIONS.get(word.strip("."), 0) for word in text.split())
        return noise + said * torch.eye(8)[0]


def session(pair=PAIR):
    return Session(
        model=Planted(), comparisons=(Comparison(TARGETS, pair, CONTROLS),), store=ActivationStore()
    )


@pytest.fixture(scope="module")
def found():
    return {finding.concepts[0]: finding.estimate for finding in MeanDifference().analyze(session()).findings}


def test_it_finds_what_was_planted(found):
    assert found["liked"].value == pytest.approx(PLANTED, abs=0.02)
    assert PLANTED in found["liked"].interval
    assert found["liked"].null.p < 0.01


def test_it_is_silent_where_nothing_was_planted(found):
    assert 0.0 in found["neutral"].interval
    assert found["neutral"].null.p > 0.05


def test_swapping_the_poles_flips_the_sign(found):
    swapped = MeanDifference().analyze(session(PAIR.swapped())).findings
    for finding in swapped:
        assert finding.estimate.value == pytest.approx(-found[finding.concepts[0]].value, abs=1e-9)


def test_the_same_seed_gives_the_same_analysis():
    assert MeanDifference().analyze(session()) == MeanDifference().analyze(session())


def test_it_is_as_short_as_the_guide_says():
    text = Path(mean_difference_analyzer.__file__).read_text()
    assert text.count("\n") <= 85
    assert ast.get_docstring(ast.parse(text))


def test_it_runs_on_the_demo_by_its_entry_point(monkeypatch):
    offered = EntryPoint(
        "mean-difference", "examples.mean_difference_analyzer:MeanDifference", analyzers.GROUP
    )
    monkeypatch.setattr(analyzers, "entry_points", lambda group: (offered,))
    run = biaskit.audit(
        "demo",
        concepts="food",
        analyzers=["mean-difference"],
        settings={"mean-difference.site": "resid_post.2"},
        cache=None,
        offline=True,
    )
    (finding,) = run.findings("mean_difference.position")
    assert str(finding.site) == "resid_post.2"
    assert finding.estimate.interval.low < finding.estimate.value < finding.estimate.interval.high
