"""Seven points: on an organism with a planted bias, on a refit that learnt nothing, and on plain faults."""

import json
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
from analyzers.recomputing import intervals, recomputed, silent

from biaskit import models, organisms
from biaskit.errors import RequestError
from biaskit.mitigations.erase import EraseAssociation, TextRemedy
from biaskit.mitigations.erase.behaviour import Behaviour
from biaskit.mitigations.erase.fitting import Fitting
from biaskit.mitigations.judging import JudgeRemedy
from biaskit.mitigations.judging.gap import overcorrection
from biaskit.mitigations.judging.points import Point, State, verdict
from biaskit.mitigations.judging.rows import Parts
from biaskit.mitigations.judging.worth import gap_before, nothing_shown
from biaskit.organisms.building import PLANTED
from biaskit.records.reading import Reading
from tests.analyzers.biaslens.planted import all_targets, new_session, some_targets

QUICK = JudgeRemedy(random_directions=19, shuffles=19, shares=(0.0, 0.5, 1.0), samples=2)
FEW = replace(QUICK, random_directions=3, shuffles=1)


def refit_to_shuffled_labels(session, remedy):
    """The same remedy, fitted after words traded their values."""
    record = remedy.record
    behaviour = Behaviour.of(session.model, session.comparisons[0], record.reading)
    method = EraseAssociation(**{**record.settings, "sites": tuple(record.settings["sites"])})
    rng = np.random.default_rng(5)
    fitting = Fitting(behaviour, record.units.fitted, method.how(record.seed))
    changes = fitting.changes(record.sites, rng)
    return TextRemedy.of(changes, record)


def values(analysis):
    """Estimates by metric and group."""
    return {(one.metric.partition(".")[2], one.group): one.estimate for one in analysis.findings}


def estimate(analysis, metric):
    return next(one for (name, _), one in values(analysis).items() if name == metric)


def said(analysis, name):
    return next(sentence for sentence in analysis.summary if sentence.lower().startswith(name))


@pytest.fixture(scope="module")
def judged(session, remedies):
    return QUICK.judge(session, remedies("leace"))


def test_the_gap_falls_by_four_fifths_on_held_out_words(judged):
    left = estimate(judged, "gap_left")
    assert left.interval.high <= 0.2
    assert left.null.p <= 0.05
    change = estimate(judged, "gap_change")
    assert change.interval.high < 0
    after, before = estimate(judged, "gap_after").value, estimate(judged, "gap_before").value
    assert change.value == pytest.approx(after - before)
    assert left.value == pytest.approx(after / before)


def test_what_a_probe_reads_changes_by_after_less_before(judged):
    found = values(judged)
    for probe in ("logistic", "small-mlp"):
        before, after, change = (
            found[f"leakage_{part}", probe].value for part in ("before", "after", "change")
        )
        assert after - before == pytest.approx(change)


def test_neutral_text_changes_no_more_than_by_random_directions(judged):
    assert estimate(judged, "kl_rank").null.p > 0.05
    assert estimate(judged, "kl").null.p < 0.05
    assert estimate(judged, "neutral_logprob").null.p < 0.05


def test_random_directions_and_shuffled_labels_do_not_do_it(judged):
    assert estimate(judged, "random_left").interval.low > 0.8
    assert estimate(judged, "shuffled_left").value > 0.6
    assert estimate(judged, "shuffled_left").interval.low > estimate(judged, "gap_left").interval.high


def test_the_gap_falls_with_the_strength_and_does_not_turn_round(judged):
    assert estimate(judged, "dose_rise").interval.high < 0
    assert estimate(judged, "overcorrected").value <= 0.05
    curve = judged.figures[0].curves[0]
    assert [point.x for point in curve.points] == [0.0, 0.5, 1.0]
    assert curve.points[0].y == pytest.approx(estimate(judged, "gap_before").value)
    assert curve.points[-1].y == pytest.approx(estimate(judged, "gap_after").value)
    assert all(point.low <= point.y <= point.high for point in curve.points)


def test_every_number_and_most_intervals_are_computed_again_from_rows(judged):
    told = {one.metric.partition(".")[2] for one in judged.findings if one.estimate.value is not None}
    assert recomputed(judged) == told
    assert not silent(judged)
    # An AUC's interval has another scale.
    without = {"kl_rank", "overcorrected", "leakage_before", "leakage_after", "leakage_change"}
    assert intervals(judged) == told - without
    assert {one.name for one in judged.tables} == {"remedy-cells", "remedy-parts"}


def test_the_cells_are_kept(judged):
    table = judged.tables[0]
    words = [row for row in table.rows if row[2]]
    assert np.mean([abs(row[4]) for row in words]) == pytest.approx(
        estimate(judged, "gap_before").value, rel=0.1
    )


def test_the_verdict_names_every_point(judged):
    assert len(judged.summary) == 8
    assert judged.summary[0].startswith("Of 7 points")
    assert "holds" in said(judged, "less bias on held-out words")
    assert "holds" in said(judged, "better than controls")


def test_a_refit_to_shuffled_labels_is_not_taken_for_a_remedy(session, remedies):
    analysis = FEW.judge(session, refit_to_shuffled_labels(session, remedies("leace")))
    assert estimate(analysis, "gap_left").interval.high > 0.7
    assert "fails" in said(analysis, "less bias on held-out words")


def test_a_model_of_random_weights_shows_nothing_to_mitigate(occupations):
    model, targets = occupations
    session = new_session(model.reinitialised(3), some_targets("gender", targets, 40))
    remedy = EraseAssociation(method="mean-projection", sites=("resid_post.0",)).find(session)
    analysis = FEW.judge(session, remedy)
    (sentence,) = analysis.summary
    assert sentence.startswith("Nothing to mitigate was shown")
    assert {name for name, _ in values(analysis)} == {"gap_before", "gap_neutral"}


@dataclass
class Words:
    """What is asked of a case: 20 target words and 40 neutral ones, each with an accident of its own."""

    before: np.ndarray
    rng: object

    @classmethod
    def drawn(cls, lean, seed):
        rng = np.random.default_rng(seed)
        own = rng.normal(0, 0.3, 60) + np.r_[np.where(np.arange(20) % 2, lean, -lean), np.zeros(40)]
        halves = own + rng.normal(0, 0.1, (2, 4, 60))
        signs = np.where(halves[0].mean(axis=0) < 0, -1.0, 1.0)
        return cls(halves[1] * signs, SimpleNamespace(rng=lambda _: np.random.default_rng(seed)))

    @property
    def session(self):
        return self.rng

    @property
    def neutral_gaps(self):
        return self.before[:, 20:]

    def gaps(self, cells):
        return cells[:, :20]


@pytest.mark.parametrize(("lean", "low", "high"), [(0.0, 0.0, 0.08), (0.6, 0.95, 1.0)])
def test_accidents_of_words_are_no_gap_and_leans_beyond_them_are(lean, low, high):
    found = [nothing_shown(*gap_before(Words.drawn(lean, seed)), 0.05) is None for seed in range(100)]
    assert low <= np.mean(found) <= high


def case_of(before, after):
    """A case whose words are those of two targets, three words each."""
    units = SimpleNamespace(targets={"nurse": ("a", "b", "c"), "guard": ("d", "e", "f")})
    finding = lambda metric, estimate, **_: (metric, estimate)  # noqa: E731
    told = {"gaps": lambda cells: cells, "units": units, "finding": finding, "parts": Parts()}
    return SimpleNamespace(before=before, after=after, **told)


@pytest.mark.parametrize(
    ("factors", "state", "turned"),
    [((0.0, 0.0), "holds", 0.0), ((0.0, -0.6), "fails", 0.5), ((-1.0, -1.0), "fails", 1.0)],
)
def test_a_bias_that_is_turned_round_is_no_remedy(factors, state, turned):
    rng = np.random.default_rng(0)
    before = 1.0 + 0.05 * rng.normal(size=(6, 6))
    after = before * np.repeat(factors, 3) + 0.01 * rng.normal(size=(6, 6))
    ((_, estimate),), point = overcorrection(case_of(before, after), 0.2)
    assert (point.state, estimate.value) == (state, turned)


def test_the_same_seed_gives_the_same_judgement(occupations):
    model, targets = occupations
    session = new_session(model, some_targets("gender", targets[:12], 10))
    remedy = EraseAssociation(method="mean-projection", sites=("resid_post.0",)).find(session)
    first, second = (FEW.judge(session, remedy) for _ in range(2))
    assert first == second


def test_other_probe_sets_are_refused(session, remedies):
    comparison = session.comparisons[0]
    other = replace(comparison, pair=comparison.pair.swapped())
    with pytest.raises(RequestError, match="other probe sets"):
        FEW.judge(new_session(session.model, other), remedies("leace"))


def test_a_strength_of_0_is_no_remedy(session, remedies):
    with pytest.raises(RequestError, match="strength 0"):
        FEW.judge(session, remedies("leace").at(0.0))


@pytest.mark.parametrize(
    "settings",
    [
        {"least_gap": -0.1},
        {"shares": (0.0, 0.5)},
        {"shares": (1.0, 0.0)},
        {"shuffles": 0},
        {"least_reduction": 1.0},
    ],
)
def test_settings_that_could_not_judge(settings):
    with pytest.raises(RequestError):
        JudgeRemedy(**settings)


def test_the_verdict_in_words():
    points = [Point("a", State.HOLDS, "x"), Point("b", State.FAILS, "y"), Point("c", State.UNDECIDED, "z")]
    assert verdict(points) == "Of 3 points 1 holds; fails: b; undecided: c."
    assert verdict(points[:1]) == "Of 1 points 1 holds."


@pytest.mark.slow
@pytest.mark.parametrize("pair", PLANTED)
@pytest.mark.parametrize("name", organisms.LANGUAGES)
def test_organisms_lose_four_fifths_of_every_planted_gap(name, pair):
    folder = organisms.folder(name)
    doses = json.loads((folder / "plant.json").read_text(encoding="utf-8"))["doses"][pair]
    session = new_session(models.load(str(folder)), all_targets(pair, tuple(doses)))
    remedy = EraseAssociation(reading=str(PLANTED[pair])).find(session)
    analysis = replace(QUICK, random_directions=20).judge(session, remedy)
    left = estimate(analysis, "gap_left")
    assert left.interval.high <= 0.2
    assert left.null.p <= 0.05
    assert estimate(analysis, "random_left").interval.low > 0.8
    assert estimate(analysis, "overcorrected").value == 0
    assert estimate(analysis, "kl").null.p <= 0.05
    assert estimate(analysis, "kl_rank").null.p > 0.05
    if PLANTED[pair] is Reading.GIVEN_TARGET:
        assert estimate(analysis, "extrinsic_change").interval.high < 0
