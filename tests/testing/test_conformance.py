"""The conformance kit passes what is right, and each check catches what it is for."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
import torch

from biaskit.analyzers.association import Association
from biaskit.analyzers.behaviour import Behaviour
from biaskit.analyzers.bias_features import BiasFeatures
from biaskit.analyzers.biaslens import BiasLens
from biaskit.analyzers.diffusion_pid import DiffusionPid
from biaskit.analyzers.representation import Representation
from biaskit.analyzers.sparse_probing import SparseProbing
from biaskit.analyzers.vig_bias import VigBias
from biaskit.records.calibration import Planting
from biaskit.records.estimate import Estimate
from biaskit.records.finding import Direction
from biaskit.testing import CHECKS, CheckFailedError, analyzer_checks, check_analyzer, parametrize_with_checks
from biaskit.testing.checks import check_finds_a_plant
from examples.mean_difference_analyzer import MeanDifference
from tests.selfcheck.fakes import Gauge, Shelf

MUTANTS = {}


def breaks(*checks):
    """Register a broken analyzer and the checks that must catch it."""

    def register(kind):
        MUTANTS[kind.__name__] = (kind, set(checks))
        return kind

    return register


def changed(analysis, **update):
    return analysis.model_copy(update=update)


def first_estimate(analysis, **update):
    """Change the first finding's estimate behind pydantic's back."""
    first, *others = analysis.findings
    estimate = Estimate.model_construct(**dict(first.estimate) | update)
    return changed(analysis, findings=(first.model_copy(update={"estimate": estimate}), *others))


@breaks("check_class_variables_are_complete")
class Unspoken(Gauge):
    nulls: ClassVar[tuple[str, ...]] = ()


@breaks("check_class_variables_are_complete")
class Immeasurable(Gauge):
    unit: ClassVar[str] = "badness"


@breaks("check_is_a_frozen_dataclass")
class Mutable:
    """Written at the end of the module: a dataclass cannot thaw a frozen one."""


@breaks(
    "check_says_how_it_is_planted",
    "check_finds_its_planted_metric",
    "check_is_silent_on_a_null",
    "check_finds_a_plant",
)
class Unplanted(Gauge):
    planting: ClassVar[None] = None


@breaks("check_finds_its_planted_metric", "check_is_silent_on_a_null", "check_finds_a_plant")
class Elsewhere(Gauge):
    planting: ClassVar[Planting] = Planting(metric="gauge.other", plant="labels")


@breaks("check_metrics_are_declared")
class Undeclared(Gauge):
    metrics: ClassVar[tuple[str, ...]] = ("gauge.other",)


@breaks("check_estimates_are_complete", "check_analysis_survives_json")
class Reasonless(Gauge):
    def analyze(self, session):
        return first_estimate(super().analyze(session), interval=None, reason=None)


@breaks(
    "check_estimates_are_complete",
    "check_numbers_are_finite",
    "check_numbers_follow_from_rows",
    "check_analysis_survives_json",
)
class Undefined(Gauge):
    def analyze(self, session):
        return first_estimate(super().analyze(session), value=math.nan)


@breaks("check_findings_are_told_apart")
class Twofold(Gauge):
    def analyze(self, session):
        found = super().analyze(session)
        return changed(found, findings=(*found.findings, found.findings[0]))


@breaks("check_numbers_follow_from_rows")
class Bare(Gauge):
    def analyze(self, session):
        found = super().analyze(session)
        first, *others = found.findings
        return changed(found, findings=(first.model_copy(update={"rows": None}), *others))


@breaks("check_numbers_follow_from_rows")
class Rounding(Gauge):
    def analyze(self, session):
        found = super().analyze(session)
        return first_estimate(found, value=found.findings[0].estimate.value + 1e-6)


@breaks("check_analysis_survives_json", "check_records_its_settings")
class Untidy(Gauge):
    def analyze(self, session):
        return changed(super().analyze(session), settings={"error": (0.1,)})


@breaks("check_records_its_settings")
class Forgetful(Gauge):
    def analyze(self, session):
        return changed(super().analyze(session), settings={})


@breaks("check_is_deterministic")
class Wavering(Gauge):
    def analyze(self, session):
        noise = float(np.random.default_rng().normal()) * 1e-9
        return super().analyze(session).model_copy(update={"notes": (f"{noise}",)})


@breaks("check_leaves_no_hook", "check_removes_hooks_when_interrupted")
class Hooked(Gauge):
    def read(self, module):
        module.register_forward_hook(lambda *_: None)
        return super().read(module)


@breaks("check_removes_hooks_when_interrupted")
class Careless(Gauge):
    def read(self, module):
        handle = module.register_forward_hook(lambda *_: None)
        found = super().read(module)
        handle.remove()
        return found


@breaks("check_restores_the_model")
class Meddling(Gauge):
    def read(self, module):
        with torch.no_grad():
            module[0].weight.add_(1.0)
        return super().read(module)


@breaks("check_restores_the_model")
class Training(Gauge):
    def read(self, module):
        module.train()
        return super().read(module)


@breaks("check_leaves_global_generators_alone")
class Seeding(Gauge):
    def read(self, module):
        torch.manual_seed(0)
        torch.rand(1)
        return super().read(module)


@breaks("check_leaves_global_generators_alone")
class Drawing(Gauge):
    def read(self, module):
        np.random.rand()  # noqa: NPY002  the mutant's point
        return super().read(module)


@breaks("check_prints_nothing")
class Chatty(Gauge):
    def read(self, module):
        print("reading")  # noqa: T201  the mutant's point
        return super().read(module)


@breaks("check_is_silent_on_a_null")
class Alarmist(Gauge):
    def analyze(self, session):
        return replace(self, error=self.error / 4)._as(self, super().analyze(session))

    def _as(self, other, analysis):
        findings = tuple(self._finding(i, one.estimate.value) for i, one in enumerate(analysis.findings))
        return changed(analysis, findings=findings)


@breaks("check_finds_a_plant")
class Blind(Gauge):
    def analyze(self, session):
        return super().analyze(type(session)(**vars(session) | {"doses": [0.0] * len(session.doses)}))


@breaks("check_finds_a_plant")
class Backward(Gauge):
    def analyze(self, session):
        turned = [-dose for dose in session.doses]
        return super().analyze(type(session)(**vars(session) | {"doses": turned}))


@breaks("check_fails_clearly_without_data")
class Crashing(Gauge):
    def analyze(self, session):
        session.doses[0]
        return super().analyze(session)


@breaks("check_every_setting_has_a_default")
class Needy:
    """Written at the end of the module: it needs a field of its own."""


@breaks("check_settings_round_trip", "check_records_its_settings")
class Stubborn:
    """Written at the end of the module: it turns a setting into something else."""


def _thawed():
    body = {name: value for name, value in vars(Gauge).items() if not name.startswith("__")}
    body["__annotations__"] = Gauge.__annotations__
    return dataclass(type("Mutable", (), body))


@dataclass(frozen=True, kw_only=True)
class _Needy(Gauge):
    must: str


@dataclass(frozen=True)
class _Stubborn(Gauge):
    """Adds to what it is given.

    Attributes:
        added: Grows each time it is made.
    """

    added: float = 1.0

    def __post_init__(self):
        object.__setattr__(self, "added", self.added + 1)


MUTANTS["Mutable"] = (_thawed(), {"check_is_a_frozen_dataclass"})
MUTANTS["Needy"] = (_Needy, {"check_every_setting_has_a_default"})
MUTANTS["Stubborn"] = (_Stubborn, {"check_settings_round_trip", "check_records_its_settings"})


def failed(kind, settings=None):
    with pytest.raises(CheckFailedError) as caught:
        check_analyzer(kind, settings, bench=Shelf())
    return {line.split(":")[0].removeprefix("- ") for line in str(caught.value).splitlines()[1:]}


def test_an_analyzer_that_is_right_passes_every_check():
    results = check_analyzer(Gauge, bench=Shelf())
    assert [one.name for one in results] == [check.__name__ for check in CHECKS]
    assert all(one.passed and one.meaning for one in results)


@pytest.mark.parametrize("name", sorted(MUTANTS))
def test_a_broken_analyzer_is_caught_by_the_check_that_is_for_it(name):
    kind, expected = MUTANTS[name]
    given = {"must": "x"} if name == "Needy" else None
    assert expected <= failed(kind, given)


@pytest.mark.parametrize("name", sorted(set(MUTANTS) - {"Stubborn", "Needy"}))
def test_no_other_check_complains(name):
    """A check that fails whatever is wrong would tell an author nothing."""
    kind, expected = MUTANTS[name]
    assert failed(kind) == expected


def test_every_check_has_a_mutant():
    assert {check.__name__ for check in CHECKS} == set().union(*(caught for _, caught in MUTANTS.values()))


def test_whatever_an_analyzer_raises_is_reported_by_its_checks():
    class Raising(Gauge):
        def analyze(self, session):
            raise ZeroDivisionError("no unit")

    assert "check_is_deterministic" in failed(Raising)


def test_each_check_can_be_a_test_of_its_own():
    mark = parametrize_with_checks([Gauge])
    names, cases = mark.args
    assert names == "check"
    assert [case.id for case in cases] == [f"gauge-{check.__name__}" for check in CHECKS]


@pytest.fixture(scope="module")
def example():
    return dict(analyzer_checks(MeanDifference))


@pytest.mark.parametrize("name", [one.__name__ for one in CHECKS if one is not check_finds_a_plant])
def test_the_example_conforms(example, name):
    example[name]()


def test_the_kit_says_that_a_stated_axis_misses_a_plant(example):
    """The example's own limitation, measured: it finds almost no association of 1 nat."""
    with pytest.raises(AssertionError, match="it finds 0 of 12 strong plants"):
        example["check_finds_a_plant"]()


def test_biaslens_conforms():
    check_analyzer(BiasLens, {"sites": ["resid_post.2"], "readings": ["references given target"]})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (SparseProbing, {}),
        (VigBias, {}),
        (Behaviour, {}),
        (Association, {"views": ["readout"], "sites": ["resid_post.2"]}),
    ],
)
def test_the_other_analyzers_conform(kind, settings):
    check_analyzer(kind, settings)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "settings"),
    [(DiffusionPid, {"steps": 8}), (Representation, {"steps": 12, "images": 32}), (BiasFeatures, {})],
)
def test_analyzers_of_prompts_conform(kind, settings):
    check_analyzer(kind, settings)


def test_a_check_names_what_is_wrong():
    checks = dict(analyzer_checks(Hooked, bench=Shelf()))
    with pytest.raises(AssertionError, match="hooks are left on the model"):
        checks["check_leaves_no_hook"]()


def test_direction_toward_zero_is_what_the_fake_is_judged_by():
    """The fake's findings aim at zero, so that an interval that holds zero is no find."""
    found = Gauge()._finding(0, 0.1)
    assert found.direction is Direction.TOWARD_ZERO
