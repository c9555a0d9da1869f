import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from biaskit.probing import newton
from biaskit.probing.newton import Problems, minimise


def problems(rows, labels, cost):
    """Problems from (p, n, d) rows."""
    rows = np.asarray(rows, dtype=float)
    design = np.ascontiguousarray(np.concatenate([np.ones_like(rows[:, :, :1]), rows], axis=2).mT)
    return Problems(design, design.astype(np.float32), np.asarray(labels, dtype=float), cost)


def draw(n, d, *, strength=1.0, seed=0, share=0.5):
    rng = np.random.default_rng(seed)
    labels = rng.random(n) < share
    labels[:2] = True, False
    rows = rng.standard_normal((n, d))
    rows[:, : max(1, d // 4)] += strength * labels[:, None]
    return rows, labels


def reference(rows, labels, cost):
    # The default memory of 10 makes lbfgs crawl where the penalty is weak; newton-cholesky has no such limit.
    model = LogisticRegression(C=cost, solver="newton-cholesky", tol=1e-10, max_iter=10_000)
    model.fit(rows, labels)
    return np.concatenate([model.intercept_, model.coef_[0]])


@pytest.mark.parametrize("cost", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize(
    ("n", "d", "strength", "share"),
    [
        (200, 1, 1.0, 0.5),
        (300, 5, 0.0, 0.5),
        (60, 100, 0.5, 0.5),
        (400, 90, 0.3, 0.05),
        (400, 90, 2.0, 0.5),
        (50, 3, 6.0, 0.3),
        (2, 3, 0.0, 0.5),
    ],
)
def test_the_optimum_is_scikit_learns(n, d, strength, share, cost):
    rows, labels = draw(n, d, strength=strength, share=share)
    found = minimise(problems(rows[None], labels[None], cost))
    assert found.converged.all()
    np.testing.assert_allclose(found.weights[0], reference(rows, labels, cost), atol=1e-4)


def test_lbfgs_agrees_where_it_converges():
    rows, labels = draw(300, 20, strength=0.4)
    model = LogisticRegression(C=1.0, solver="lbfgs", tol=1e-10, max_iter=10_000).fit(rows, labels)
    found = minimise(problems(rows[None], labels[None], 1.0))
    np.testing.assert_allclose(found.weights[0, 1:], model.coef_[0], atol=1e-4)


@pytest.mark.parametrize("cost", [1.0, 1e5])
def test_collinear_and_constant_columns(cost):
    rows, labels = draw(120, 4, strength=0.7)
    wide = np.concatenate([rows, rows[:, :2], rows.sum(axis=1, keepdims=True), np.zeros((120, 1))], axis=1)
    found = minimise(problems(wide[None], labels[None], cost))
    assert found.converged.all()
    weights = found.weights[0]
    np.testing.assert_allclose(weights, reference(wide, labels, cost), atol=1e-4)
    np.testing.assert_allclose(weights[1:3], weights[5:7], atol=1e-4)
    assert abs(weights[-1]) < 1e-6


def test_columns_of_very_different_scale():
    rows, labels = draw(500, 100, strength=0.2)
    rows *= np.geomspace(1e-3, 1e3, 100)
    found = minimise(problems(rows[None], labels[None], 10.0))
    assert found.converged.all()
    np.testing.assert_allclose(found.weights[0], reference(rows, labels, 10.0), atol=1e-4)


@pytest.mark.parametrize("strength", [0.0, 1.0, 5.0])
def test_the_norm_is_that_of_the_gradient(strength):
    rows, labels = draw(150, 12, strength=strength)
    found = minimise(problems(rows[None], labels[None], 10.0))
    weights = found.weights[0]
    chance = 1 / (1 + np.exp(-(weights[0] + rows @ weights[1:])))
    gradient = np.concatenate([[10 * (chance - labels).sum()], 10 * rows.T @ (chance - labels) + weights[1:]])
    assert float(found.gradient_norm[0]) == pytest.approx(np.linalg.norm(gradient), rel=1e-3, abs=1e-9)
    assert bool(found.converged[0])


def test_what_cannot_converge_says_so():
    rows, labels = draw(50, 3)
    rows[7, 1] = np.nan
    good = draw(50, 3)
    found = minimise(problems([rows, good[0]], [labels, good[1]], 1.0))
    assert found.converged.tolist() == [False, True]


@pytest.mark.parametrize("d", [6, 120])
def test_a_batch_gives_what_one_at_a_time_gives(d):
    many = [draw(150, d, strength=strength, seed=seed) for seed, strength in enumerate([0, 0.3, 1, 3, 8])]
    together = minimise(problems([rows for rows, _ in many], [labels for _, labels in many], 1.0))
    for place, (rows, labels) in enumerate(many):
        alone = minimise(problems(rows[None], labels[None], 1.0))
        np.testing.assert_allclose(together.weights[place], alone.weights[0], atol=1e-4)


def test_a_start_moves_the_path_and_not_the_end():
    rows, labels = draw(150, 100, strength=0.6)
    given = problems(rows[None], labels[None], 1.0)
    cold = minimise(given)
    warm = minimise(given, np.random.default_rng(1).standard_normal((1, 101)))
    np.testing.assert_allclose(cold.weights, warm.weights, atol=1e-4)


def test_padding_counts_for_nothing():
    rows, labels = draw(80, 6)
    given = problems(rows[None], labels[None], 1.0)
    padded = np.pad(given.design, ((0, 0), (0, 3), (0, 40)))
    longer = Problems(padded, padded.astype(np.float32), np.pad(given.labels, ((0, 0), (0, 40))), 1.0)
    expected, found = minimise(given), minimise(longer)
    np.testing.assert_allclose(found.weights[:, :7], expected.weights, atol=1e-4)
    assert (found.weights[:, 7:] == 0).all()


@pytest.mark.parametrize("cost", [10.0, 1e3])
def test_padding_bears_nothing_where_the_classes_part(cost):
    rows, labels = draw(104, 96, strength=4.0)
    given = problems(rows[None], labels[None], cost)
    padded = np.pad(given.design, ((0, 0), (0, 0), (0, 40)))
    longer = Problems(padded, padded.astype(np.float32), np.pad(given.labels, ((0, 0), (0, 40))), cost)
    found = minimise(longer)
    assert found.converged.all()
    np.testing.assert_allclose(found.weights[0], reference(rows, labels, cost), atol=1e-4)


def test_stopping_early_says_so(monkeypatch):
    monkeypatch.setattr(newton, "_STEPS", 1)
    monkeypatch.setattr(newton, "_QUICK_STEPS", 1)
    rows, labels = draw(300, 100, strength=1.0)
    found = minimise(problems(rows[None], labels[None], 10.0))
    assert not found.converged.any()
    assert float(found.gradient_norm[0]) > 1e-3


def test_converged_means_close_over_many_draws():
    for seed in range(12):
        rows, labels = draw(250, 60 + seed, strength=0.1 * seed, seed=seed)
        mixed = rows @ np.random.default_rng(seed).standard_normal((rows.shape[1], rows.shape[1]))
        found = minimise(problems(mixed[None], labels[None], 1.0))
        assert found.converged.all()
        np.testing.assert_allclose(found.weights[0], reference(mixed, labels, 1.0), atol=1e-4)
