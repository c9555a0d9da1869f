"""Nulls hold nothing, plants hold their doses; BiasLens on both."""

import pytest

from biaskit.analyzers.biaslens import BiasLens
from biaskit.records.estimate import Estimate, Unit
from biaskit.records.finding import Finding
from biaskit.records.reading import Reading
from biaskit.runner.specimens import BENCHES, bench, judgements, organism_of

LEAN = BiasLens(
    axes=(),
    autoencoder="none",
    random_directions=1,
    readings=(str(Reading.GIVEN_TARGET),),
    sites=("resid_post.2",),
)


def about(concept, group=None):
    reason = "it stands for another"
    estimate = Estimate(value=1.0, unit=Unit.NAT, n=1, resampling_unit="x", method="x", reason=reason)
    return Finding(metric="biaslens.score", concepts=(concept,), group=group, estimate=estimate)


def judged(specimen, shown):
    findings = LEAN.analyze(specimen.session).findings
    return list(judgements(findings, BiasLens.planting, specimen, shown))


@pytest.fixture(scope="module")
def associations():
    return bench("associations")


@pytest.fixture(scope="module")
def planted(associations):
    return associations.planted(0, (0.05, 0.2))


def test_every_kind_of_plant_has_an_organism():
    assert {organism_of(plant) for plant in BENCHES} == {"reviews", "shapes", "portraits"}


def test_a_null_takes_neutral_nouns_and_leaves_the_others_as_controls(associations):
    (compared,) = associations.nulls["random concepts"](0).session.comparisons
    nouns = [noun for own in compared.targets.targets.values() for noun in own]
    assert len(set(nouns)) == len(nouns) == 48
    assert not set(nouns) & set(compared.controls.fillers)
    assert len(compared.controls.fillers) >= 50


def test_another_seed_draws_other_nouns(associations):
    one, other = (associations.nulls["random concepts"](seed).session.comparisons[0] for seed in (0, 2))
    assert one.targets.targets != other.targets.targets


def test_a_plant_shifts_the_behaviour_by_its_dose(planted):
    """The shift that was measured in the model is the one that was asked for, within a tenth."""
    found = [abs(planted.dose(about(target))) for target in planted.session.comparisons[0].targets.targets]
    assert sorted(found) == pytest.approx([0.05] * 6 + [0.2] * 6, rel=0.1)


def test_a_plant_says_nothing_about_the_other_direction_of_reading(planted):
    target = next(iter(planted.session.comparisons[0].targets.targets))
    assert planted.dose(about(target, str(Reading.GIVEN_REFERENCE))) is None
    assert planted.dose(about(target, str(Reading.GIVEN_TARGET))) == planted.dose(about(target))


def test_planting_leaves_the_shipped_organism_alone(associations, planted):
    plain = associations.nulls["random concepts"](0).session.model
    weights = [model.module.get_input_embeddings().weight for model in (plain, planted.session.model)]
    moved = (weights[0] != weights[1]).any(dim=1)
    assert moved.sum() == 48
    assert list(associations.subjects.values()) == [plain.subject.fingerprint]


def test_biaslens_reads_the_planted_doses(associations, planted):
    """Estimates lie along the doses with slope 1, and the larger ones are found."""
    tests = judged(planted, associations)
    assert len(tests) == 12
    for test in tests:
        assert test.value == pytest.approx(test.dose, abs=0.04)
    assert all(test.found for test in tests if abs(test.dose) > 0.1)


def test_biaslens_is_silent_on_random_concepts(associations):
    tests = judged(associations.nulls["random concepts"](1), associations)
    assert sum(test.alarm for test in tests) <= 3
