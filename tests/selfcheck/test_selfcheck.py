"""What a self-check says of an instrument that is right, one that cries out and one that is blind."""

import pytest

from biaskit import selfcheck as package
from biaskit.errors import InstrumentError, RequestError, UnknownNameError
from biaskit.records.calibration import Calibration
from biaskit.selfcheck import selfcheck
from biaskit.stats.power import minimum_detectable_effect
from tests.selfcheck.conftest import offer
from tests.selfcheck.fakes import ERROR, Gauge, Shelf


@pytest.fixture(scope="module")
def right():
    with pytest.MonkeyPatch.context() as patch:
        offer(patch)
        return selfcheck("gauge", "full")


def test_an_instrument_that_is_right_passes(right):
    assert right.valid
    assert right.false_alarms.n == 625
    assert 0.05 in right.false_alarms.interval
    assert right.false_alarms.value <= 0.07


def test_its_dose_is_the_analytic_one(right):
    expected = minimum_detectable_effect(ERROR)
    assert right.detectable_analytic == pytest.approx(expected)
    assert right.detectable.value == pytest.approx(expected, rel=0.25)
    assert expected in right.detectable.interval
    assert right.agrees
    at_it = next(one for one in right.power if one.dose == pytest.approx(expected))
    assert at_it.rate.interval.high >= 0.8


def test_doses_are_planted_around_the_stated_one(right):
    stated = minimum_detectable_effect(ERROR)
    assert [one.dose / stated for one in right.power] == pytest.approx([0.5, 0.75, 1, 1.25, 1.5, 2])


def test_one_that_understates_its_error_fails(gauge):
    made = selfcheck(gauge, "standard", settings={"error": ERROR / 2})
    assert not made.valid
    assert "false alarms" in made.trouble[0]
    assert made.false_alarms.interval.low > 0.07


def test_one_that_is_blind_fails(gauge):
    made = selfcheck(gauge, "standard", settings={"gain": 0.0})
    assert not made.valid
    assert "the largest" in made.trouble[-1]
    assert made.detectable.value is None


def test_one_that_turns_signs_round_finds_nothing(gauge):
    made = selfcheck(gauge, "standard", settings={"gain": -1.0})
    assert "less than 80%" in made.trouble[-1]


def test_one_that_states_too_small_a_dose_is_told_apart(gauge):
    made = selfcheck(gauge, "standard", settings={"gain": 0.6})
    assert made.detectable.value == pytest.approx(minimum_detectable_effect(ERROR) / 0.6, rel=0.15)
    assert made.agrees is False
    assert selfcheck(gauge, "standard", settings={"gain": 0.4}).agrees is False


def test_the_record_survives_json_and_has_a_digest(right):
    again = Calibration.model_validate_json(right.model_dump_json())
    assert again == right
    assert again.digest == right.digest
    assert right.model_copy(update={"seed": 1}).digest != right.digest


def test_settings_that_do_not_bear_on_the_metric_are_left_out(right):
    assert set(right.settings) == {"error", "shift", "gain"}


def test_the_same_seed_gives_the_same_numbers(gauge):
    one, other = selfcheck(gauge), selfcheck(gauge)
    assert one.model_copy(update={"created_at": other.created_at}) == other
    assert selfcheck(gauge, seed=5).power != one.power


def test_the_sentence_says_it_all(right):
    assert right.sentence.startswith("gauge: false alarms in ")
    assert "625 tests on nulls; a dose of" in right.sentence
    assert right.sentence.endswith("is what its own estimates state.")


def test_names_that_do_not_exist_are_answered(gauge):
    with pytest.raises(UnknownNameError):
        selfcheck("gaug")
    with pytest.raises(UnknownNameError):
        selfcheck(gauge, settings={"eror": 1})
    with pytest.raises(RequestError, match="no profile 'huge'"):
        selfcheck(gauge, "huge")


def test_an_analyzer_that_does_not_say_how_it_is_planted_is_refused(gauge, monkeypatch):
    monkeypatch.delattr(Gauge, "planting")
    with pytest.raises(RequestError, match="does not say how it is planted"):
        selfcheck(gauge)


def test_nothing_tested_is_no_proof(gauge, monkeypatch):
    monkeypatch.setattr(package.calibrating, "bench", lambda plant: Untested())
    with pytest.raises(InstrumentError, match="its false alarms are not known"):
        selfcheck(gauge)


class Untested(Shelf):
    def _made(self, kind, seed, doses):
        made = super()._made(kind, seed, doses)
        return type(made)(kind, made.session, lambda finding: None)


def test_a_number_in_another_unit_than_the_doses_is_not_compared_with_them(gauge, monkeypatch):
    """A cosine says nothing about how large a dose in nats is worth planting."""
    monkeypatch.setattr(Shelf, "unit", "logit")
    made = selfcheck(gauge, "standard")
    assert made.detectable_analytic is None
    assert [one.dose for one in made.power] == pytest.approx([0.02, 0.05, 0.1, 0.25, 0.5, 1.0])
    assert made.detectable.unit == "logit"


def test_a_metric_that_measures_something_else_than_the_dose_is_not_compared_with_it(gauge, monkeypatch):
    """Both may count in nats, as an information and log-odds do."""
    monkeypatch.setattr(Gauge, "planting", Gauge.planting.model_copy(update={"measures_dose": False}))
    made = selfcheck(gauge)
    assert made.detectable_analytic is None
    assert made.agrees is None
    assert made.detectable.unit == "nat"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["behaviour", "biaslens"])
def test_the_effect_that_estimates_state_is_the_one_that_is_found(name):
    """With power 0.8, within a quarter; and every dose that is larger by a quarter is found so often."""
    made = selfcheck(name)
    assert made.valid, made.trouble
    assert made.detectable.value == pytest.approx(made.detectable_analytic, rel=0.25)
    larger = [one.rate.value for one in made.power if one.dose >= 1.25 * made.detectable_analytic]
    assert larger
    assert min(larger) >= 0.8
