"""Nulls hold nothing, plants hold their doses; BiasLens on both."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from biaskit import analyzers
from biaskit.analyzers.behaviour import Behaviour
from biaskit.analyzers.biaslens import BiasLens
from biaskit.behaviour.log_probability import read_word_probe
from biaskit.records.estimate import Estimate, Unit
from biaskit.records.finding import Finding
from biaskit.records.reading import Reading
from biaskit.runner.specimens import BENCHES, bench, judgements, organism_of
from biaskit.runner.specimens.turns import Repeating, Turns
from biaskit.selfcheck.calibrating import bearing, planting_of

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


def test_biaslens_ends_where_another_token_was_tried(associations):
    """Of the other token only the agreement is known, not the cells behind it."""
    found = replace(LEAN, sites=()).analyze(associations.nulls["random weights"](8).session).findings
    tried = [one for one in found if one.metric == "biaslens.agreement"]
    assert len(tried) > 1
    assert {one.rows is None for one in tried} == {True, False}


def test_every_shipped_analyzer_says_how_it_is_planted():
    for name in analyzers.BUILT_IN:
        planting = planting_of(name)
        assert planting.plant in BENCHES
        made = analyzers.build(name, {**planting.lean, **planting.quick})
        assert set(bearing(asdict(made), planting)).isdisjoint(planting.lean)


@pytest.fixture(scope="module")
def choices():
    return bench("choices")


def behaviour_of(specimen, shown):
    analyzer = specimen.fitted(Behaviour())
    return list(judgements(analyzer.analyze(specimen.session).findings, Behaviour.planting, specimen, shown))


def test_a_word_probe_is_written_for_each_specimen(choices):
    one, other = (choices.nulls["random concepts"](seed) for seed in (0, 1))
    paths = [specimen.settings["log_probability"] for specimen in (one, other)]
    assert len(set(paths)) == 2
    probe = read_word_probe(paths[0])
    assert len(probe.attributes) == 48
    assert not set(probe.attributes) & set(probe.neutral)
    assert all(template.index("{attribute}") < template.index("{target}") for template in probe.templates)


def test_behaviour_reads_the_planted_choices_and_is_silent_on_a_null(choices):
    """Estimates lie along the doses with slope 1, and chance puts no more alarms into 48 tests."""
    tests = behaviour_of(choices.planted(0, (0.05, 0.2)), choices)
    assert len(tests) == 48
    assert np.polyfit([one.dose for one in tests], [one.value for one in tests], 1)[0] == pytest.approx(
        1, abs=0.1
    )
    assert all(one.found for one in tests if abs(one.dose) > 0.1)
    assert sum(one.alarm for one in behaviour_of(choices.nulls["random concepts"](1), choices)) <= 8


class Reader:
    """A classifier that takes every image for the second of two classes."""

    name, fingerprint, attribute, classes = "reader", "0" * 64, "gender", ("female", "male")

    def probabilities(self, pixels):
        return torch.tensor([[0.1, 0.9]]).repeat(len(pixels), 1)


def test_a_reading_is_repeated_as_often_as_asked_and_dealt_with_the_share():
    pixels = torch.rand(2000, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    found = Repeating(Reader(), "labels 1", 0.6, 0.25).probabilities(pixels)
    repeated = (found == Reader().probabilities(pixels)).all(dim=1)
    assert float(repeated.float().mean()) == pytest.approx(0.6, abs=0.04)
    assert float(found[~repeated][:, 0].mean()) == pytest.approx(0.25, abs=0.05)


def test_a_reading_depends_on_the_image_and_the_attribute_alone():
    pixels = torch.rand(50, 3, 2, 2, generator=torch.Generator().manual_seed(1))
    one = Repeating(Reader(), "labels 1", 0.5, 0.5)
    assert torch.equal(one.probabilities(pixels)[10:20], one.probabilities(pixels[10:20]))
    other = Repeating(Reader(), "labels 2", 0.5, 0.5)
    assert not torch.equal(one.probabilities(pixels), other.probabilities(pixels))
    assert one.classes == ("female of labels 1", "male of labels 1")
    assert one.fingerprint != other.fingerprint


def test_the_dose_of_a_turn_is_the_most_that_a_share_can_rise(monkeypatch):
    monkeypatch.setattr(Turns, "_autoencoder", "a folder")
    shown = bench("turns")
    specimen = shown.planted(0, (0.3, 9.0))
    assert specimen.settings == {"autoencoder": "a folder"}
    assert [one.groups.name for one in specimen.session.comparisons] == ["labels 1", "labels 2"]
    doses = [specimen.dose(about("nurse", f"female of labels {number}")) for number in (1, 2, 3)]
    assert doses == [pytest.approx(0.3), pytest.approx(0.75), None]
    null = shown.nulls["dealt labels"](0)
    assert null.dose(about("nurse", "female of labels 1")) == 0
    assert {one.repeated for one in null.session.classifiers} == {0.0}
