import os

import numpy as np
import pytest
from loky import get_reusable_executor
from threadpoolctl import threadpool_info

from biaskit.probing import workers
from biaskit.probing.k_sparse import KSparse
from biaskit.probing.logistic import Logistic
from biaskit.probing.probe import Job
from biaskit.probing.selectors import MeanDifference
from biaskit.probing.workers import Part, shared_out


@pytest.fixture
def two_cores(monkeypatch):
    """Two processes, whatever this machine has and however little there is to do."""
    monkeypatch.setattr(workers, "WORTH_IT", 0)
    monkeypatch.setattr(workers, "_CHUNK", 0)
    monkeypatch.setattr(workers, "_threads", lambda _: 2)
    yield
    get_reusable_executor().shutdown(wait=True)


def parts(count, size=4):
    return [Part(number, 1.0, number // 3, size) for number in range(count)]


def jobs(rng):
    found = []
    for width in (12, 40, 150):
        rows = rng.standard_normal((120, width)).astype(np.float32)
        for _ in range(4):
            labels = rows[:, 0] + rng.standard_normal(120) > 0
            order = rng.permutation(120)
            found.append(Job(rows, labels, order[40:], order[:40]))
    return found


@pytest.mark.parametrize("count", [1, 2, 11])
def test_results_come_back_in_order(two_cores, count):
    assert shared_out(list, parts(count)) == list(range(count))


@pytest.mark.parametrize("probe", [Logistic((0.1, 1.0)), KSparse(MeanDifference("sd"), ks=(1, 8))])
def test_it_does_not_matter_who_computes(rng, monkeypatch, two_cores, probe):
    given = jobs(rng)
    settings = probe.settings(80, 12)
    shared = list(probe.fit(given, settings, rng))
    monkeypatch.setattr(workers, "WORTH_IT", np.inf)
    for one, other in zip(shared, probe.fit(given, settings, rng), strict=True):
        np.testing.assert_array_equal(one.log_odds, other.log_odds)
        assert one.converged == other.converged


def test_other_processes_take_part(two_cores):
    assert len(set(shared_out(lambda chunk: [os.getpid() for _ in chunk], parts(8)))) == 2


def test_they_compute_on_one_thread_and_this_one_is_left_as_it_was(two_cores):
    def limits(chunk=(None,)):
        threads = {library["filepath"]: library["num_threads"] for library in threadpool_info()}
        return [threads for _ in chunk]

    before = limits()
    inside = shared_out(limits, parts(8))
    assert {count for found in inside for count in found.values()} == {1}
    assert limits() == before


def test_what_a_broken_process_had_in_hand_is_done_here(two_cores):
    here = os.getpid()
    work = lambda chunk: [os.getpid() if os.getpid() == here else os._exit(1) for _ in chunk]  # noqa: E731 - sent by value
    assert shared_out(work, parts(7)) == [here] * 7


def test_an_error_is_the_callers(two_cores):
    with pytest.raises(ZeroDivisionError):
        shared_out(lambda chunk: [1 // 0 for _ in chunk], parts(5))


def test_little_work_starts_no_process(monkeypatch):
    monkeypatch.setattr(workers, "_threads", lambda _: 8)
    monkeypatch.setattr(workers, "get_reusable_executor", None)
    assert shared_out(list, parts(3)) == [0, 1, 2]


@pytest.mark.parametrize(
    ("cores", "matrices", "mebibytes", "others"),
    [(1, 5, 1, 0), (8, 5, 1, 7), (64, 5, 1, 12), (8, 1, 500, 0), (8, 5, 200, 2)],
)
def test_processes_are_as_many_as_cores_and_memory_allow(cores, matrices, mebibytes, others):
    given = [Part(None, workers.WORTH_IT, matrix, mebibytes * 2**20) for matrix in range(matrices)]
    assert workers._others(given, cores) == others
