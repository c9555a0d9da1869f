"""Words and length alone: what they give away, and that an unseen word moves nothing."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from biaskit.errors import RequestError
from biaskit.probing.evaluation import Task, evaluate
from biaskit.probing.input_only import BagOfWords, text_lengths, word_counts
from biaskit.probing.k_sparse import KSparse
from biaskit.probing.logistic import Logistic
from biaskit.probing.mlp import SmallMlp
from biaskit.probing.probe import Job
from biaskit.probing.problem import Problem
from biaskit.probing.selectors import MeanDifference
from biaskit.probing.splits import GroupFolds, nested_splits

WORDS = ("soup", "bread", "chair", "lamp", "green", "old", "a", "the")


@pytest.fixture
def texts(rng):
    return [" ".join(rng.choice(WORDS, size=rng.integers(3, 9))) for _ in range(200)]


def judged(rows, labels, probe, rng):
    problem = Problem("planted", np.array(labels), np.arange(len(labels)), "distinct texts")
    task = Task(rows, problem, nested_splits(problem, 1, 5, rng).splits)
    return evaluate(task, probe, GroupFolds(3), rng)[""].auc


def test_a_property_of_words_is_read_from_words(texts, rng):
    labels = ["soup" in text for text in texts]
    assert judged(word_counts(texts), labels, BagOfWords(), rng) > 0.99


def test_word_order_is_not(texts, rng):
    """Whether `soup` stands before `bread`, in texts that hold both exactly once."""
    both = [" ".join(rng.permutation(["soup", "bread", *rng.choice(WORDS[2:], 3)])) for _ in range(300)]
    labels = [text.split().index("soup") < text.split().index("bread") for text in both]
    assert judged(word_counts(both), labels, BagOfWords(), rng) == pytest.approx(0.5, abs=0.1)


def test_length_is_read_from_length(texts, rng):
    labels = [len(text) > 25 for text in texts]
    assert judged(text_lengths(texts), labels, Logistic(), rng) == 1
    noise = rng.random(200) < 0.5
    assert judged(text_lengths(texts), noise, Logistic(), rng) == pytest.approx(0.5, abs=0.13)


def test_it_is_scikit_learn_on_the_training_vocabulary(texts, rng):
    labels = np.array(["soup" in text for text in texts]) ^ (rng.random(200) < 0.2)
    texts = [f"{text} rare{number % 90}" for number, text in enumerate(texts)]
    train, held = np.arange(120), np.arange(120, 200)
    probe = BagOfWords(Logistic((1.0,), standardise=False))
    job = Job(word_counts(texts), labels, train, held)
    found = next(iter(probe.fit([job], probe.settings(120, 8), rng)))
    counter = CountVectorizer(token_pattern=r"\b\w+\b")
    counts = counter.fit_transform([texts[i] for i in train])
    reader = LogisticRegression(C=1.0, tol=1e-8, max_iter=1000).fit(counts, labels[train])
    expected = reader.decision_function(counter.transform([texts[i] for i in held]))
    np.testing.assert_allclose(found.log_odds[0], expected, atol=1e-3)


@pytest.mark.parametrize("probe", [Logistic((1.0,)), SmallMlp(), KSparse(MeanDifference(), ks=(2,))])
def test_an_unseen_word_moves_nothing(probe, texts, rng):
    labels = np.array(["soup" in text for text in texts])
    train, held = np.arange(120), np.arange(120, 200)
    strange = [*texts[:120], *(f"{text} unheard of words words" for text in texts[120:])]
    found = []
    for given in (texts, strange):
        job = Job(word_counts(given), labels, train, held)
        bag = BagOfWords(probe)
        found.append(next(iter(bag.fit([job], bag.settings(120, 8), np.random.default_rng(1)))))
    np.testing.assert_array_equal(found[0].log_odds, found[1].log_odds)


def test_columns_are_those_of_all_words(texts, rng):
    """The words come in alphabetical order; the first texts lack the first of them."""
    texts = [*(text.replace("bread", "soup") for text in texts[:120]), *texts[120:]]
    labels = np.array(["lamp" in text for text in texts])
    job = Job(word_counts(texts), labels, np.arange(120), np.arange(120, 200))
    bag = BagOfWords(KSparse(MeanDifference(), ks=(1,)))
    found = next(iter(bag.fit([job], bag.settings(120, 8), rng)))
    assert sorted(WORDS)[found.columns[0][0]] == "lamp"
    everything = next(iter(BagOfWords().fit([job], BagOfWords().settings(120, 8)[:1], rng)))
    assert sorted(WORDS).index("bread") not in everything.columns[0]


def test_training_rows_without_a_word_are_no_crash(rng):
    texts = ["...", "!", "?", "--", "word one", "two"]
    job = Job(word_counts(texts), np.arange(6) % 2 == 0, np.arange(4), np.arange(4, 6))
    found = next(iter(BagOfWords().fit([job], BagOfWords().settings(4, 3), rng)))
    np.testing.assert_allclose(found.log_odds, 0, atol=1e-6)
    same = replace(job, train=np.arange(0, 4, 2))
    assert not any(next(iter(BagOfWords().fit([same], BagOfWords().settings(4, 3), rng))).converged)


def test_texts_without_words_are_refused():
    with pytest.raises(RequestError, match="No text holds a word"):
        word_counts(["...", "?!"])
