"""Each benchmark's score against values computed by hand."""

import numpy as np
import pytest

from biaskit.behaviour import honest, sentiment, stereoset, winobias, winogender
from biaskit.behaviour.bbq import NO_ANSWER, BbqItem, bbq_scores
from biaskit.behaviour.crows_pairs import CrowsPair, crows_scores
from biaskit.behaviour.score import estimate, finding


def by_metric(scores, group=None):
    kept = [one for one in scores if group in (None, one.group) and one.rows.size]
    return {one.metric: float(one.rows.mean()) for one in kept}


def crows(number, **changed):
    about = {"direction": "stereo", "bias_type": "age", "writer": f"w{number}", "supported": None, **changed}
    return CrowsPair.model_validate({"more": f"m{number}", "less": f"l{number}", **about})


def question(number, **changed):
    about = {
        "key": f"Age/{number}",
        "category": "Age",
        "template": f"Age/{number}",
        "negative": True,
        "ambiguous": False,
        "context": "Two people met.",
        "question": "Who?",
        "answers": ("Unknown", "The young", "The old"),
        "unknown": 0,
        "correct": 1,
        "target": 2,
    }
    return BbqItem.model_validate({**about, **changed})


def test_bbq_by_hand():
    items = [
        question(0),  # against the stereotype; answered right
        question(1),  # against; answered with the target: biased
        question(2, correct=2),  # with the stereotype; right, biased
        question(3, negative=False),  # the one who is not the target fits: biased answer is 1, and right
        question(4, negative=False, correct=2),  # against; answered unknown
        question(5, target=None),  # no single target
        question(6),  # no answer
    ]
    found = by_metric(bbq_scores(items, np.array([1, 2, 2, 1, 0, 1, NO_ANSWER])))
    # Biased: items 1, 2, 3; against: item 0; unknown: item 4.
    assert found["bbq_disambiguated"] == pytest.approx(2 * 3 / 4 - 1)
    assert found["bbq_accuracy_disambiguated"] == pytest.approx(4 / 7)
    # Against: items 0, 1, 4, 5, 6 of which 0 and 5 are right; with: items 2 and 3, both right.
    assert found["bbq_accuracy_cost"] == pytest.approx(2 / 5 - 1)


def test_turning_every_question_turns_both_bias_scores():
    rng = np.random.default_rng(0)
    items = [
        question(i, template=f"Age/{i % 6}", ambiguous=a, correct=0 if a else 1 + i % 2)
        for i in range(60)
        for a in [bool(i % 3)]
    ]
    answers = rng.integers(0, 3, size=60)
    one = by_metric(bbq_scores(items, answers))
    turned = [item.model_copy(update={"negative": False}) for item in items]
    other = by_metric(bbq_scores(turned, answers))
    for metric in ("bbq_ambiguous", "bbq_disambiguated", "bbq_accuracy_cost"):
        assert other[metric] == pytest.approx(-one[metric])
    assert other["bbq_accuracy_ambiguous"] == one["bbq_accuracy_ambiguous"]


def test_the_cost_has_the_interval_of_a_difference():
    items = [question(i, template=f"Age/{i % 8}", correct=1 + i % 2) for i in range(80)]
    answers = np.array([item.correct if i % 5 else 0 for i, item in enumerate(items)])
    cost = next(one for one in bbq_scores(items, answers) if one.metric == "bbq_accuracy_cost")
    found = estimate(cost, np.random.default_rng(0))
    assert found.value == pytest.approx(0.0)
    assert found.interval.low < 0 < found.interval.high
    assert found.null.p > 0.5


def test_crows_pairs_parts():
    pairs = [
        crows(i, bias_type=kind, supported=good)
        for i, (kind, good) in enumerate([("age", True), ("age", False), ("gender", True), ("gender", True)])
    ]
    scores = crows_scores(pairs, np.array([1.0, 1.0, 0.0, 1.0]), np.array([0.0, 0.0, 1.0, 0.0]))
    assert {one.group: one.rows.mean() for one in scores} == {
        "all pairs": 0.75,
        "pairs that annotators support": pytest.approx(2 / 3),
        "age": 1.0,
        "gender": 0.5,
    }
    swapped = crows_scores(pairs, np.array([0.0, 0.0, 1.0, 0.0]), np.array([1.0, 1.0, 0.0, 1.0]))
    assert [one.rows.mean() for one in swapped] == pytest.approx([1 - one.rows.mean() for one in scores])


def test_stereoset_by_hand():
    items = [
        stereoset.StereoItem(
            key=str(i),
            task="intrasentence",
            target=target,
            bias_type="gender",
            context="BLANK",
            sentences=(f"s{i}", f"a{i}", f"u{i}"),
        )
        for i, target in enumerate(["nurse", "nurse", "chief"])
    ]
    rows = np.array([[-1.0, -2, -3], [-2, -1, -1.5], [-3, -3, -4]])
    ss, lms = stereoset.stereoset_scores(items, rows, "all")
    assert ss.rows == pytest.approx([0.5, 0.5])  # chief: one half, a tie; nurse: one of two
    assert ss.clusters.tolist() == ["chief", "nurse"]
    assert lms.rows == pytest.approx([1.0, 0.75])
    found = stereoset.icat(ss.rows, lms.rows, np.random.default_rng(0))
    assert found.value == pytest.approx(0.875 * 0.5 / 0.5)
    assert found.interval is None


def test_random_answers_get_an_icat_of_one_half():
    rng = np.random.default_rng(0)
    ss, lms = (rng.random((2, 400)) < 0.5).astype(float)
    random = stereoset.icat(ss, lms, rng)
    assert 0.4 < random.value <= 0.55
    assert random.interval.low < random.interval.high
    all_stereotype = stereoset.icat(np.ones(400), np.ones(400), rng)
    assert all_stereotype.value == 0
    assert all_stereotype.interval is None
    assert "spread" in all_stereotype.reason


def wino(number, occupation):
    key = f"pro_stereotyped_type1.txt.dev:{number}"
    return winobias.WinoPair(key, "1", "dev", occupation, "The nurse said she.", "The nurse said he.")


def test_a_model_that_always_prefers_one_pronoun_gets_one_half():
    pairs = [wino(i, name) for i, name in enumerate(["nurse", "guard"] * 10)]
    she = np.array([1.0, -1.0] * 10)
    assert by_metric(winobias.winobias_scores(pairs, she, -she))["winobias"] == 0.5


def test_f1_gap_by_hand():
    pairs = [wino(i, f"job{i}") for i in range(8)]
    pro, anti = np.array([1, 1, 1, 1, 1, 1, 0, 0], bool), np.array([1, 1, 0, 0, 0, 0, 0, 0], bool)
    answered = np.array([1, 1, 1, 1, 1, 1, 1, 0], bool)
    found = winobias.f1_gap(
        pairs, winobias.Resolved(pro, anti, answered, answered), np.random.default_rng(0)
    ).estimate
    assert found.value == pytest.approx(2 * 6 / 15 - 2 * 2 / 15)
    # Four occupations differ, all in one way: 2 of 16 ways of exchanging them reach it.
    assert found.null.p == pytest.approx(2 / 16, abs=0.025)
    assert found.interval.low <= found.value <= found.interval.high


def schemas():
    return [
        winogender.Schema(f"{job}.guest.{0 if own else 1}", job, own, f"{job} she", f"{job} he")
        for job in ("nurse", "guard", "cook", "clerk", "tailor")
        for own in (True, False)
    ]


def test_winogender_takes_the_pronouns_own_frequency_off():
    odds = np.array([2.0, 0.5, -1.0, 0.5, 0.5, 0.5, 1.5, 0.5, 0.0, 0.5])
    score = winogender.lean_score(schemas(), odds)
    lean = dict(zip(score.clusters.tolist(), score.rows.tolist(), strict=True))
    assert lean == pytest.approx({"nurse": 1.5, "guard": -1.5, "cook": 0.0, "clerk": 1.0, "tailor": -0.5})
    shares = {"nurse": 90.0, "guard": 10.0, "cook": 40.0, "clerk": 80.0, "tailor": 30.0}
    found = winogender.correlation_finding(score, shares, np.random.default_rng(0)).estimate
    assert found.value == pytest.approx(1.0)
    assert found.null.p == pytest.approx(2 / 120)


def test_winogender_gap_by_hand():
    resolved = np.array([[1, 0], [1, 1], [0, 1], [np.nan, 1], *[[1, 1]] * 6], dtype=float)
    gap, changed = winogender.gap_scores(schemas(), resolved)
    gaps = dict(zip(gap.clusters.tolist(), gap.rows.tolist(), strict=True))
    assert gaps == {"nurse": 0.5, "guard": -1.0, "cook": 0.0, "clerk": 0.0, "tailor": 0.0}
    assert changed.rows.mean() == pytest.approx(2 / 9)


def test_honest_counts_whole_words_in_every_completion_once():
    lexicon = ("ass", "bad apple")
    texts = ["a class act", "such an Ass, an ass", "bad apples", "a bad apple."]
    assert honest.hits(texts, lexicon) == ["", "ass", "", "bad apple"]
    templates = [
        honest.HonestTemplate(prompt=f"{who} is", frame=frame, identity=who, category=group)
        for frame in ("[I] is", "[I] was")
        for who, group in (("she", "female"), ("he", "male"))
    ]
    scores = honest.honest_scores(templates, np.array([0.5, 0.0, 1.0, 0.5]))
    assert by_metric(scores, "all") == {"honest": 0.5}
    assert by_metric(scores, "female") == {"honest": 0.75}
    assert by_metric(scores, "female less male") == {"honest_gap": 0.5}


def test_an_encoders_likeliest_fill_ins_are_its_completions():
    # Tokens 0 to 4; "ass" is 1 and "rat" is 3. Of three completions the first blank takes 1, 0, 2.
    chances = np.array([[0.3, 0.4, 0.2, 0.06, 0.04], [0.05, 0.1, 0.15, 0.3, 0.4]])
    found, mass = honest.filled_in(np.log(chances), {1: "ass", 3: "rat"}, 3)
    assert found == [["ass"], ["rat"]]
    assert mass == pytest.approx([0.46, 0.4])
    assert honest.filled_in(np.log(chances), {1: "ass", 3: "rat"}, 4)[0] == [["ass", "rat"], ["rat", "ass"]]
    assert honest.filled_in(np.log(chances), {1: "ass"}, 1)[0] == [["ass"], []]


def test_tone_of_what_the_lexicon_does_not_know_is_none():
    lexicon = {"good": 1.0, "bad": -1.0}
    assert sentiment.tone("Good, good and bad.", lexicon) == pytest.approx((1 / 3 + 1) / 2)
    assert sentiment.tone("A table.", lexicon) is None


def test_equal_tones_are_no_more_than_chance_and_planted_ones_are():
    rng, alarms = np.random.default_rng(0), 0
    draws = 60
    for _ in range(draws):
        tones = rng.random((8, 2, 6))
        one, group = (found.finding.estimate for found in sentiment.fairness(tones, rng))
        alarms += one.null.p <= 0.05
        assert abs(one.value) < 0.15
    assert alarms <= 8  # at most 8 of 60 at a rate of 5 %, but for one run in a thousand
    shifted = np.stack([rng.random((8, 6)), 0.5 + 0.5 * rng.random((8, 6))], axis=1)
    one, group = (found.finding.estimate for found in sentiment.fairness(shifted, rng))
    assert one.null.p <= 0.01
    assert group.null.p <= 0.01
    assert one.interval.low > 0


def test_opposite_differences_alarm_individual_fairness_alone():
    rng = np.random.default_rng(1)
    tones = rng.random((8, 2, 12)) * 0.5
    tones[::2, 0] += 0.5
    tones[1::2, 1] += 0.5
    one, group = (found.finding.estimate for found in sentiment.fairness(tones, rng))
    assert one.null.p <= 0.01
    assert group.null.p > 0.05


def test_evidence_is_what_moves_the_number_most():
    pairs = [crows(i) for i in range(20)]
    strength = np.linspace(-1, 5, 20)
    shown = finding(crows_scores(pairs, strength, np.zeros(20))[0], np.random.default_rng(0), "crows-pairs")
    assert shown.evidence[0].text == "m19 / l19"
    assert len(shown.evidence) == 10
