"""The online code: closed forms, the two extremes, and no group on both sides."""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest

from biaskit.errors import RequestError
from biaskit.probing.k_sparse import KSparse
from biaskit.probing.knn import NearestNeighbours
from biaskit.probing.logistic import Logistic
from biaskit.probing.mdl import FRACTIONS, online_code
from biaskit.probing.mean_difference import MeanDifferenceProbe
from biaskit.probing.pca import PcaLogistic
from biaskit.probing.probe import Fitted, Setting
from biaskit.probing.problem import Problem
from biaskit.probing.selectors import MeanDifference


def problem_of(rows, per_group=1, seed=0):
    groups = np.arange(rows) // per_group
    labels = np.random.default_rng(seed).permutation(groups.max() + 1)[groups] % 2 == 0
    return Problem("planted", labels, groups, "fillers")


@dataclass(frozen=True)
class Fixed:
    """Gives the true label a fixed probability, whatever it was fitted on, and remembers its jobs."""

    probabilities: tuple[float, ...]
    jobs: list = field(default_factory=list)
    name: str = "fixed"

    def settings(self, rows, width):
        return tuple(Setting(values={"p": p}) for p in self.probabilities)

    def fit(self, jobs, settings, rng):
        self.jobs.extend(jobs)
        for job in jobs:
            sign = np.where(job.labels[job.held_out], 1.0, -1.0)
            with np.errstate(divide="ignore"):
                odds = [np.log(s.values["p"]) - np.log1p(-s.values["p"]) for s in settings]
            yield Fitted(np.outer(odds, sign), (None,) * len(settings), (True,) * len(settings))


def coded(problem, probe, rng, rows=None, **settings):
    rows = np.zeros((len(problem), 2), np.float32) if rows is None else rows.astype(np.float32)
    return online_code(rows, problem, probe, rng, **settings)


ENDS = (1, 2, 4, 8, 16, 32, 62, 125, 250, 500, 1000)
BLOCKS = list(pairwise(ENDS))


def test_a_fixed_probability_has_a_closed_form(rng):
    """1,000 rows: one is sent raw, the next at 2 in 3, two at 3 in 4, then .8 is not too sure."""
    code = coded(problem_of(1000), Fixed((0.8,)), rng)[""]
    assert code.ends == ENDS
    bits = 1 - np.log2(2 / 3) - 2 * np.log2(3 / 4) - 996 * np.log2(0.8)
    assert code.length == pytest.approx(bits)
    assert code.compression == pytest.approx(1000 / bits)
    assert code.bits.shape == (1000,)


def test_the_blocks_are_the_published_ones():
    assert tuple(f / 100 for f in (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.25, 12.5, 25, 50, 100)) == FRACTIONS


def test_a_coin_is_not_compressed(rng):
    code = coded(problem_of(640), Fixed((0.5,)), rng)[""]
    assert code.compression == pytest.approx(1)
    assert code.estimate().interval is None


def test_certainty_is_believed_by_the_rule_of_succession(rng):
    right = 1 + sum((end - start) * np.log2((start + 2) / (start + 1)) for start, end in BLOCKS)
    assert coded(problem_of(1000), Fixed((1.0,)), rng)[""].length == pytest.approx(right)
    assert right < 1 + 1.45 * len(BLOCKS)
    wrong = 1 + sum((end - start) * np.log2(start + 2) for start, end in BLOCKS)
    assert coded(problem_of(1000), Fixed((0.0,)), rng)[""].length == pytest.approx(wrong)


def test_what_is_read_at_once_compresses_far(rng):
    problem = problem_of(1000)
    rows = np.stack([np.where(problem.labels, 5.0, -5.0), np.zeros(1000)], axis=1)
    code = coded(problem, Logistic((1.0, 1000.0)), rng, rows)[""]
    assert code.compression > 30
    assert code.estimate().interval.low > 10


def test_noise_is_not_compressed(rng):
    found = [
        coded(problem_of(500, seed=seed), Logistic((0.001, 0.1)), rng, rng.normal(size=(500, 10)))[""]
        for seed in range(10)
    ]
    assert 0.85 < np.mean([code.compression for code in found]) < 1.01


def test_the_stronger_signal_compresses_further(rng):
    problem = problem_of(800)
    noise = rng.normal(size=(800, 5))
    signal = np.outer(problem.labels - 0.5, np.eye(5)[0])
    lengths = [
        coded(problem, Logistic((0.01, 0.1, 1.0)), rng, noise + strength * signal)[""].compression
        for strength in (0, 1, 2, 4, 8)
    ]
    assert lengths == sorted(lengths)


def test_settings_are_chosen_on_blocks_that_were_sent_before(rng):
    """The first coded block uses the first setting; then the better one is followed."""
    code = coded(problem_of(1000), Fixed((0.6, 0.9)), rng)[""]
    assert [setting.values["p"] for setting in code.settings] == [0.6] + [0.9] * 9
    early = 2 * np.log2(3 / 4) + 4 * np.log2(5 / 6)
    assert code.length == pytest.approx(1 - np.log2(0.6) - early - 992 * np.log2(0.9))


def test_no_group_is_coded_by_a_probe_that_knows_it(rng):
    problem, probe = problem_of(600, per_group=25), Fixed((0.8,))
    code = coded(problem, probe, rng)[""]
    assert code.ends[0] == 25
    assert code.ends[-1] == 600
    assert all(end % 25 == 0 for end in code.ends)
    for job in probe.jobs:
        assert not set(problem.groups[job.train]) & set(problem.groups[job.held_out])
    sent = np.concatenate([probe.jobs[0].train, *(job.held_out for job in probe.jobs)])
    assert sorted(sent) == list(range(600))
    assert not np.array_equal(sent, np.arange(600))


def test_each_variant_has_a_code_of_its_own(rng):
    @dataclass(frozen=True)
    class Two(Fixed):
        def settings(self, rows, width):
            return tuple(Setting(f"p={p}", values={"p": p}) for p in self.probabilities)

    codes = coded(problem_of(100), Two((0.7, 0.9)), rng)
    assert list(codes) == ["p=0.7", "p=0.9"]
    assert codes["p=0.7"].length > codes["p=0.9"].length


def test_the_interval_covers_other_draws_of_groups(rng):
    """The probability of each group's labels is drawn; the interval is for the mean over all groups."""
    hits = []
    for _ in range(150):
        problem = problem_of(300, per_group=10)
        level = rng.normal(1.5, 1, size=30)[problem.groups]

        @dataclass(frozen=True)
        class Drawn(Fixed):
            odds: np.ndarray = field(default_factory=lambda level=level: level)

            def fit(self, jobs, settings, rng):
                for job in jobs:
                    sign = np.where(job.labels[job.held_out], 1.0, -1.0)
                    yield Fitted((self.odds[job.held_out] * sign)[None], (None,), (True,))

        code = coded(problem, Drawn((0.5,)), rng, fractions=(0.001, 1.0))[""]
        draws = rng.normal(1.5, 1, size=4000)
        # One group of thirty is sent raw, at one bit a row.
        truth = 1 / (29 / 30 * np.mean(np.log2(1 + np.exp(-draws))) + 1 / 30)
        hits.append(truth in code.estimate().interval)
    assert np.mean(hits) > 0.88


def test_a_small_problem_is_sent_raw_where_it_is_one_group(rng):
    problem = Problem("lone", np.array([True, False, True]), np.zeros(3, int), "fillers")
    code = coded(problem, Fixed((0.9,)), rng)[""]
    assert code.ends == (3,)
    assert code.compression == 1
    assert "no spread" in code.estimate().reason


@pytest.mark.parametrize(
    "probe", [PcaLogistic(), NearestNeighbours(), MeanDifferenceProbe(), KSparse(MeanDifference(), ks=(1, 4))]
)
def test_every_probe_copes_with_blocks_of_a_few_rows(probe, rng):
    problem = problem_of(80)
    rows = rng.normal(size=(80, 6)) + np.outer(problem.labels * 4, np.eye(6)[2])
    for code in coded(problem, probe, rng, rows).values():
        assert np.isfinite(code.bits).all()
        assert code.compression > 1.2


def test_wrong_requests_are_refused(rng):
    with pytest.raises(RequestError, match="increase"):
        coded(problem_of(10), Fixed((0.5,)), rng, fractions=(0.5, 0.2, 1.0))
    with pytest.raises(RequestError, match="increase"):
        coded(problem_of(10), Fixed((0.5,)), rng, fractions=(0.5,))
    with pytest.raises(RequestError, match="3 activations and 10"):
        online_code(np.zeros((3, 2), np.float32), problem_of(10), Fixed((0.5,)), rng)
