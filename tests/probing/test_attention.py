"""Attention over tokens: it finds the one that matters, and reads no padding."""

import numpy as np
import pytest

from biaskit.errors import RequestError
from biaskit.probing.attention import AttentionPooling
from biaskit.probing.probe import Job
from biaskit.probing.tokens import Tokens


def hidden_token(rng, texts=500, tokens=12, width=16):
    """One token carries the mark in coordinate 0 and the property in coordinate 1; the others mislead."""
    values = rng.normal(size=(texts, tokens, width)).astype(np.float32)
    values[..., 1] *= 4.0
    labels, place = rng.random(texts) < 0.5, rng.integers(tokens, size=texts)
    values[np.arange(texts), place, 0] += 6.0
    values[np.arange(texts), place, 1] = np.where(labels, 2.0, -2.0)
    return values, labels


def auc(log_odds, labels):
    return (log_odds[labels][:, None] > log_odds[~labels]).mean()


def fit(probe, tokens, labels, train=400, seed=0):
    job = Job(tokens, labels, np.arange(train), np.arange(train, len(labels)))
    (fitted,) = probe.fit([job], probe.settings(train, tokens.shape[1]), np.random.default_rng(seed))
    return fitted, labels[train:]


def test_it_finds_the_token_that_matters(rng):
    values, labels = hidden_token(rng)
    everywhere = np.ones(values.shape[:2], dtype=bool)
    fitted, held_out = fit(AttentionPooling(), Tokens(values, everywhere), labels)
    assert auc(fitted.log_odds[0], held_out) > 0.95
    pooled = Tokens(values.mean(axis=1, keepdims=True), everywhere[:, :1])
    blind, _ = fit(AttentionPooling(), pooled, labels)
    assert auc(blind.log_odds[0], held_out) < 0.75


def test_padding_is_never_read(rng):
    values, labels = hidden_token(rng, texts=200)
    mask = np.arange(12) < rng.integers(3, 13, size=200)[:, None]
    other = values.copy()
    other[~mask] = np.nan
    one, _ = fit(AttentionPooling(epochs=20), Tokens(values, mask), labels, train=150)
    two, _ = fit(AttentionPooling(epochs=20), Tokens(other, mask), labels, train=150)
    np.testing.assert_array_equal(one.log_odds, two.log_odds)


def test_the_order_of_tokens_does_not_matter(rng):
    values, labels = hidden_token(rng, texts=200)
    mask = rng.random((200, 12)) < 0.8
    mask[:, 0] = True
    order = rng.permutation(12)
    one, _ = fit(AttentionPooling(epochs=10), Tokens(values, mask), labels, train=150)
    two, _ = fit(AttentionPooling(epochs=10), Tokens(values[:, order], mask[:, order]), labels, train=150)
    np.testing.assert_allclose(one.log_odds, two.log_odds, atol=1e-3)


def test_scaling_undoes_unlike_scales(rng):
    values, labels = hidden_token(rng)
    mask = np.ones(values.shape[:2], dtype=bool)
    scale, shift = np.geomspace(1e-3, 1e3, 16), np.linspace(-100, 100, 16)
    one, held_out = fit(AttentionPooling(), Tokens(values, mask), labels)
    two, _ = fit(AttentionPooling(), Tokens((values * scale + shift).astype(np.float32), mask), labels)
    assert abs(auc(one.log_odds[0], held_out) - auc(two.log_odds[0], held_out)) < 0.03
    raw = fit(AttentionPooling(standardise=False), Tokens(values, mask), labels)[0]
    assert not np.allclose(raw.log_odds, one.log_odds)


def test_without_rows_to_stop_by_it_has_not_converged(rng):
    values, labels = hidden_token(rng, texts=40)
    labels = np.arange(40) % 10 == 0
    fitted, _ = fit(AttentionPooling(epochs=30), Tokens(values, np.ones((40, 12), bool)), labels, train=15)
    assert fitted.converged == (False,)
    assert fitted.log_odds.any()


def test_an_easy_task_converges(rng):
    values, labels = hidden_token(rng, texts=300, tokens=1)
    values[..., 1] += 2 * rng.normal(size=(300, 1))
    fitted, _ = fit(AttentionPooling(), Tokens(values, np.ones((300, 1), bool)), labels, train=250)
    assert fitted.converged == (True,)


def test_pooled_activations_are_refused(rng):
    job = Job(
        rng.normal(size=(6, 3)).astype(np.float32), np.arange(6) % 2 == 0, np.arange(4), np.arange(4, 6)
    )
    with pytest.raises(RequestError, match="every token"):
        AttentionPooling().fit([job], AttentionPooling().settings(4, 3), rng)


def test_a_text_without_a_token_is_refused():
    mask = np.array([[True, True], [False, False]])
    with pytest.raises(RequestError, match=r"1 text\(s\) .* \(row 1 is the first\)"):
        Tokens(np.zeros((2, 2, 3), dtype=np.float32), mask)
    assert Tokens(np.zeros((2, 2, 3), dtype=np.float32), mask | True).shape == (2, 3)
