"""Erasers against what defines them: nothing linear is left, and no map does it with less change."""

import warnings

import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neural_network import MLPClassifier

from biaskit.concepts.erasure import Eraser, LeaceFitter, fit_leace, inlp, mean_projection, random_erasers
from biaskit.errors import ActivationError, RequestError
from biaskit.hooks.edits import Rows

WIDTH = 10


@pytest.fixture
def labelled():
    """Correlated rows in which a binary concept shows along one direction."""
    generator = torch.Generator().manual_seed(2)
    mixing = torch.randn(WIDTH, WIDTH, generator=generator, dtype=torch.float64)
    labels = (torch.arange(400) % 3 == 0).long()
    rows = torch.randn(400, WIDTH, generator=generator, dtype=torch.float64) @ mixing
    shift = torch.randn(WIDTH, generator=generator, dtype=torch.float64)
    return rows + 2 * labels[:, None] * shift + 5, labels


def one_hot(classes):
    return torch.nn.functional.one_hot(classes).double()


def cross_covariance(rows, concept):
    concept = concept.double().reshape(len(concept), -1)
    return (rows - rows.mean(0)).T @ (concept - concept.mean(0)) / len(rows)


def accuracy(rows, labels):
    scaled = ((rows - rows.mean(0)) / rows.std(0)).numpy()
    probe = LogisticRegression(C=float("inf"), max_iter=2000).fit(scaled, labels.numpy())
    return probe.score(scaled, labels.numpy())


def test_leace_leaves_nothing_linear(labelled):
    rows, labels = labelled
    erased = fit_leace(rows, labels)(rows)
    assert cross_covariance(rows, labels).abs().max() > 0.1
    assert cross_covariance(erased, labels).abs().max() < 1e-8
    means = [erased[labels == side].mean(0) for side in (0, 1)]
    torch.testing.assert_close(means[0], means[1], atol=1e-8, rtol=0)
    majority = float((labels == 0).double().mean())
    assert accuracy(rows, labels) > majority + 0.1
    assert accuracy(erased, labels) == pytest.approx(majority)


@pytest.mark.parametrize("shrinkage", [0.0, 0.3, 1.0])
def test_shrunk_leace_guards_the_fitted_rows_as_well(labelled, shrinkage):
    rows, labels = labelled
    erased = LeaceFitter(shrinkage).update(rows, labels).fit()(rows)
    assert cross_covariance(erased, labels).abs().max() < 1e-8


def test_wholly_shrunk_leace_is_the_mean_projection(labelled):
    rows, labels = labelled
    direction = rows[labels == 1].mean(0) - rows[labels == 0].mean(0)
    plain = mean_projection(direction[None], rows.mean(0))
    torch.testing.assert_close(LeaceFitter(1.0).update(rows, labels).fit()(rows), plain(rows))


def test_a_shrinkage_out_of_range():
    with pytest.raises(RequestError, match="outside 0 to 1"):
        LeaceFitter(1.5)


def test_leace_of_a_binary_concept_has_rank_one_and_keeps_the_mean(labelled):
    eraser = fit_leace(*labelled)
    assert eraser.rank == 1
    assert int(torch.linalg.matrix_rank(torch.eye(WIDTH).double() - eraser.matrix)) == 1
    torch.testing.assert_close(eraser(labelled[0]).mean(0), labelled[0].mean(0))
    torch.testing.assert_close(eraser.matrix @ eraser.matrix, eraser.matrix, atol=1e-9, rtol=0)


def test_no_other_map_that_erases_moves_the_rows_less(labelled):
    """Every rank-one map that erases reads some r and takes away Sigma_xz (x . r) / (Sigma_xz . r)."""
    rows, labels = labelled
    moved = float(((fit_leace(rows, labels)(rows) - rows) ** 2).sum())
    cross, mean = cross_covariance(rows, labels)[:, 0], rows.mean(0)
    generator = torch.Generator().manual_seed(0)
    readers = [*torch.randn(200, WIDTH, generator=generator, dtype=torch.float64), cross]
    for reader in readers:
        other = Eraser((cross / (cross @ reader))[:, None], reader[None], mean, "other")(rows)
        assert cross_covariance(other, labels).abs().max() < 1e-6
        assert float(((other - rows) ** 2).sum()) >= moved * (1 - 1e-9)


def test_leace_is_mean_projection_where_rows_are_white():
    generator = torch.Generator().manual_seed(4)
    rows = torch.randn(300, WIDTH, generator=generator, dtype=torch.float64)
    labels = (rows[:, 0] + torch.randn(300, generator=generator, dtype=torch.float64) > 0).long()
    centred = rows - rows.mean(0)
    white = centred @ torch.linalg.inv(torch.linalg.cholesky(centred.T @ centred / 300)).T
    direction = white[labels == 1].mean(0) - white[labels == 0].mean(0)
    torch.testing.assert_close(
        fit_leace(white, labels).matrix, mean_projection(direction[None], white.mean(0)).matrix
    )


def test_batches_do_not_matter(labelled):
    rows, labels = labelled
    fitter = LeaceFitter()
    for start in (0, 1, 3, 150, 399):
        stop = {0: 1, 1: 3, 3: 150, 150: 399, 399: 400}[start]
        fitter.update(rows[start:stop], labels[start:stop])
    whole, parts = fit_leace(rows, labels), fitter.fit()
    torch.testing.assert_close(parts.matrix, whole.matrix)
    torch.testing.assert_close(parts.mean, whole.mean)


def test_several_classes_take_one_dimension_less_than_there_are(labelled):
    rows, _ = labelled
    classes = torch.arange(400) % 4
    rows = rows + classes[:, None] * torch.eye(WIDTH)[classes]
    erased_by = fit_leace(rows, one_hot(classes))
    assert erased_by.rank == 3
    assert cross_covariance(erased_by(rows), one_hot(classes)).abs().max() < 1e-8


def test_fewer_rows_than_dimensions(labelled):
    rows, labels = labelled[0][:6], labelled[1][:6]
    eraser = fit_leace(rows, labels)
    assert cross_covariance(eraser(rows), labels).abs().max() < 1e-8


def test_an_affine_change_of_the_space_changes_the_eraser_with_it(labelled):
    rows, labels = labelled
    generator = torch.Generator().manual_seed(8)
    change = torch.linalg.qr(torch.randn(WIDTH, WIDTH, generator=generator, dtype=torch.float64)).Q
    moved = 3 * rows @ change + 1
    torch.testing.assert_close(
        fit_leace(moved, labels)(moved), 3 * fit_leace(rows, labels)(rows) @ change + 1
    )


def test_leace_refuses_what_it_cannot_erase(labelled):
    rows, labels = labelled
    with pytest.raises(RequestError, match="linear trace"):
        fit_leace(rows, torch.ones(400))
    with pytest.raises(RequestError, match="at least two rows"):
        LeaceFitter().fit()
    with pytest.raises(RequestError, match="400 activations and 3"):
        fit_leace(rows, labels[:3])
    with pytest.raises(RequestError, match="wide"):
        LeaceFitter().update(rows, labels).update(rows[:, :4], labels)
    with pytest.raises(ActivationError):
        fit_leace(rows * float("inf"), labels)


def test_mean_projection_moves_rows_to_the_mean_along_the_span_only(labelled):
    rows, _ = labelled
    generator = torch.Generator().manual_seed(1)
    directions = torch.randn(2, WIDTH, generator=generator, dtype=torch.float64)
    eraser = mean_projection(torch.cat([directions, directions.sum(0, keepdim=True)]), rows.mean(0))
    assert eraser.rank == 2
    erased = eraser(rows)
    along = (erased - rows.mean(0)) @ directions.T
    assert along.abs().max() < 1e-10
    _, _, basis = torch.linalg.svd(directions)
    rest = basis[2:]
    torch.testing.assert_close(erased @ rest.T, rows @ rest.T)
    torch.testing.assert_close(eraser(erased), erased)


def test_mean_projection_of_one_direction_is_the_formula(labelled):
    rows, mean = labelled[0], labelled[0].mean(0)
    unit = torch.nn.functional.normalize(torch.arange(1.0, WIDTH + 1).double(), dim=0)
    expected = rows - ((rows - mean) @ unit)[:, None] * unit
    torch.testing.assert_close(mean_projection(5 * unit[None], mean)(rows), expected)


def test_mean_projection_refuses_nothing():
    with pytest.raises(RequestError, match="zero"):
        mean_projection(torch.zeros(2, WIDTH), torch.zeros(WIDTH))


@pytest.mark.parametrize("kind", ["leace", "mean_projection"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_edit_does_in_a_model_what_the_eraser_does(labelled, kind, dtype):
    rows, labels = labelled
    eraser = (
        fit_leace(rows, labels)
        if kind == "leace"
        else mean_projection(rows[labels == 1].mean(0)[None] - rows[labels == 0].mean(0), rows.mean(0))
    )
    hidden = rows[:12].reshape(3, 4, WIDTH).to(dtype)
    everywhere = Rows(torch.arange(3), torch.full((3,), 3), torch.ones(3, 4, dtype=torch.bool))
    expected = eraser(hidden.reshape(12, WIDTH)).reshape(3, 4, WIDTH)
    tolerance = {torch.float32: 1e-4, torch.bfloat16: 0.3}[dtype]
    edited = eraser.edit()(hidden, everywhere)
    assert edited.dtype == expected.dtype == dtype
    torch.testing.assert_close(edited, expected, atol=tolerance, rtol=0)


def test_random_erasers_have_the_rank_asked_for_and_no_favourite_direction():
    generator = torch.Generator().manual_seed(0)
    erasers = random_erasers(600, 2, torch.zeros(WIDTH), generator)
    assert {eraser.rank for eraser in erasers} == {2}
    gram = torch.stack([eraser.right @ eraser.left for eraser in erasers])
    torch.testing.assert_close(gram, torch.eye(2).double().expand(600, 2, 2))
    removed = torch.stack([eraser.left @ eraser.right for eraser in erasers]).mean(0)
    torch.testing.assert_close(removed, torch.eye(WIDTH).double() * 2 / WIDTH, atol=0.05, rtol=0)
    again = random_erasers(600, 2, torch.zeros(WIDTH), torch.Generator().manual_seed(0))
    assert torch.equal(again[-1].matrix, erasers[-1].matrix)
    with pytest.raises(RequestError):
        random_erasers(1, WIDTH + 1, torch.zeros(WIDTH), generator)


@pytest.fixture
def spread_out():
    """Rows that show one attribute along two directions, and another only as an exclusive or of two."""
    generator = torch.Generator().manual_seed(6)
    rows = torch.randn(1200, WIDTH, generator=generator, dtype=torch.float64)
    linear = torch.arange(1200) % 2
    rows[:, 0] += 2 * (2 * linear - 1)
    rows[:, 1] += 1 * (2 * linear - 1)
    crossed = ((rows[:, 4] > 0) ^ (rows[:, 5] > 0)).long()
    return rows, linear, crossed


def held_out_auc(rows, labels, probe):
    probe.fit(rows[:800].numpy(), labels[:800].numpy())
    return roc_auc_score(labels[800:].numpy(), probe.predict_proba(rows[800:].numpy())[:, 1])


def test_inlp_takes_away_what_linear_classifiers_read(spread_out):
    rows, linear, _ = spread_out
    found = inlp(rows, linear)
    assert found.reached_chance
    assert found.accuracies[0] > 0.9
    assert found.accuracies[-1] <= found.chance < 0.56
    assert found.eraser.rank == len(found.accuracies) - 1 >= 1
    probe = LogisticRegression(max_iter=1000)
    assert held_out_auc(rows, linear, probe) > 0.95
    assert abs(held_out_auc(found.eraser(rows), linear, probe) - 0.5) < 0.07


def test_inlp_is_a_projection_that_touches_nothing_else(spread_out):
    rows, linear, _ = spread_out
    eraser = inlp(rows, linear).eraser
    torch.testing.assert_close(eraser.right @ eraser.left, torch.eye(eraser.rank).double())
    erased = eraser(rows)
    assert ((erased - rows.mean(0)) @ eraser.left).abs().max() < 1e-9
    torch.testing.assert_close(eraser(erased), erased)
    torch.testing.assert_close(erased.mean(0), rows.mean(0))


def test_inlp_takes_away_the_planted_directions_first(spread_out):
    rows, linear, _ = spread_out
    eraser = inlp(rows, linear, iterations=1).eraser
    planted = torch.zeros(WIDTH).double()
    planted[:2] = torch.tensor([2.0, 1.0])
    assert float(torch.nn.functional.cosine_similarity(eraser.right[0], planted, dim=0).abs()) > 0.97


def test_a_non_linear_reader_survives_inlp(spread_out):
    """Its known failure: the attribute is an exclusive or, so no linear reader ever saw it."""
    rows, _, crossed = spread_out
    found = inlp(rows, crossed)
    assert found.reached_chance
    erased = found.eraser(rows)
    assert abs(held_out_auc(erased, crossed, LogisticRegression()) - 0.5) < 0.07
    network = MLPClassifier((16,), max_iter=300, random_state=0, learning_rate_init=0.01, alpha=0.01)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        assert held_out_auc(erased, crossed, network) > 0.85


def test_inlp_on_noise_stops_at_once():
    generator = torch.Generator().manual_seed(3)
    rows = torch.randn(400, WIDTH, generator=generator, dtype=torch.float64)
    ranks = [inlp(rows, torch.randint(0, 2, (400,), generator=generator)).eraser.rank for _ in range(20)]
    assert sum(rank == 0 for rank in ranks) >= 15
    nothing = inlp(rows, torch.arange(400) % 2).eraser
    torch.testing.assert_close(nothing(rows), rows)
    everywhere = Rows(torch.arange(3), torch.full((3,), 3), torch.ones(3, 4, dtype=torch.bool))
    hidden = rows[:12].reshape(3, 4, WIDTH)
    torch.testing.assert_close(nothing.edit()(hidden, everywhere), hidden)


def test_inlp_says_where_its_iterations_ran_out(spread_out):
    rows, linear, _ = spread_out
    strong = rows + 4 * torch.outer((2 * linear - 1).double(), torch.ones(WIDTH).double())
    found = inlp(strong * torch.arange(1, WIDTH + 1), linear, iterations=1)
    assert found.eraser.rank == 1
    assert len(found.accuracies) == 2


def test_inlp_keeps_groups_together():
    """Each group has a code of its own and labels drawn by group: only a split group could be read."""
    groups = torch.arange(600) // 30
    mixed, apart = [], []
    for seed in range(10):
        generator = torch.Generator().manual_seed(seed)
        codes = 6 * torch.randn(20, 2 * WIDTH, generator=generator, dtype=torch.float64)
        rows = codes[groups] + torch.randn(600, 2 * WIDTH, generator=generator, dtype=torch.float64)
        labels = (torch.arange(20) % 2)[groups]
        mixed.append(inlp(rows, labels, iterations=0).accuracies[0])
        apart.append(inlp(rows, labels, groups.numpy(), iterations=0).accuracies[0])
    assert sum(mixed) / 10 > 0.95
    assert abs(sum(apart) / 10 - 0.5) < 0.2


def test_inlp_refuses_what_it_cannot_do(spread_out):
    rows, linear, _ = spread_out
    with pytest.raises(RequestError, match="1200 activations and 3 labels"):
        inlp(rows, linear[:3])
    with pytest.raises(RequestError, match="both present"):
        inlp(rows, torch.ones(1200))
    with pytest.raises(RequestError, match="single group"):
        inlp(rows, linear, linear.numpy())
