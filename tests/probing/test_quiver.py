"""The quiver against closed forms, the identities of its tie rules, and rows of the released tables."""

from itertools import product

import numpy as np
import pytest

from biaskit.errors import RequestError
from biaskit.probing.quiver import Cell, Family, TieRule, best_fixed, quiver

BASELINE, SAE = Family.BASELINE, Family.SAE


def cell(number, *methods, dataset=None):
    """A cell from (name, family, validation, test)."""
    return [Cell(dataset or f"set {number}", 0, *method) for method in methods]


def random_table(rng, *, cells=40, levels=4):
    """Two settings on each data set, five baselines and six SAE probes, coarse validation figures."""
    names = [(f"b{i}", BASELINE) for i in range(5)] + [(f"s{i}", SAE) for i in range(6)]
    return [
        Cell(f"set {number // 2}", number % 2, name, family, rng.integers(levels) / levels, rng.uniform())
        for number in range(cells)
        for name, family in names
    ]


def rows_of(table):
    grouped = {}
    for row in table:
        grouped.setdefault((row.dataset, row.cell), []).append(row)
    return list(grouped.values())


# Validation and test AUC on `5_hist_fig_ismale` in the scarcity regime, Gemma-2-9B layer 20, as released with
# "Are Sparse Autoencoders Useful?" (arXiv 2502.16681), result tables of the public code: baselines from
# baseline_probes_gemma-2-9b/scarcity/summary/all_results.csv, in its order; for 10 rows also the SAE probes
# of width 131k from sae_probes_gemma-2-9b/scarcity_setting/all_metrics.csv.
METHODS = ("logreg", "pca", "knn", "xgboost", "mlp")
RELEASED = {
    2: ((1.0, 0.4953), (1.0, 0.5121), (1.0, 0.4934), (0.5, 0.5), (1.0, 0.4866)),
    4: ((1.0, 0.5882), (1.0, 0.6118), (0.75, 0.4771), (0.5, 0.5), (0.5, 0.4938)),
    10: ((0.8, 0.5681), (0.88, 0.4788), (0.68, 0.4651), (0.5, 0.5), (0.68, 0.4877)),
}
RELEASED_SAE = {10: (("131k k16", 1.0, 0.7615), ("131k k128", 0.96, 0.6448))}


def released_table(sizes, sae):
    table = []
    for size in sizes:
        found = [(name, BASELINE, *row) for name, row in zip(METHODS, RELEASED[size], strict=True)]
        found += [(name, SAE, validation, test) for name, validation, test in sae(size)]
        table += [Cell("5_hist_fig_ismale", size, *row) for row in found]
    return table


def test_a_row_of_the_released_tables_by_hand():
    found = quiver(released_table([10], RELEASED_SAE.__getitem__))
    assert found.tied == 0
    for outcome in found.outcomes.values():
        assert outcome.without == 0.4788
        assert outcome.with_sae == 0.7615
        assert outcome.sae_chosen == 1
        assert outcome.optimism == pytest.approx(1 - 0.7615)
    assert (found.best_baseline.method, found.best_sae.method) == ("pca", "131k k16")


def test_ties_of_the_released_tables_move_the_level():
    found = quiver(released_table([2, 4], lambda _: [("never chosen", 0.0, 0.9)]))
    assert found.tied == 1
    assert found.tied_across == 0
    assert found.outcomes[TieRule.FIRST_LISTED].without == pytest.approx((0.4953 + 0.5882) / 2)
    expected = (np.mean([0.4953, 0.5121, 0.4934, 0.4866]) + np.mean([0.5882, 0.6118])) / 2
    assert found.outcomes[TieRule.RANDOM].without == pytest.approx(expected)
    assert found.range_without == pytest.approx(((0.4866 + 0.5882) / 2, (0.5121 + 0.6118) / 2))
    assert found.outcomes[TieRule.RANDOM].with_sae == pytest.approx(expected)
    assert found.oracle_with_sae == pytest.approx(0.9)
    assert found.oracle_without == pytest.approx((0.5121 + 0.6118) / 2)


def published_shape():
    """1,000 cells with the published tie structure.

    Published for scarcity: SAE probes are chosen in 42.2 % of cells if ties go to baselines and in 87.5 % if
    they go to SAE probes, 64 % of cells are tied; the quiver's gain is -.0013, -.0042, and -.0033 at random.
    So SAE probes win outright in 422 cells, and 875 - 422 = 453 are tied across families. Under
    BASELINES_FIRST only the outright wins move the level (-1.3 in all), under SAE_FIRST the cross ties add
    -2.9; at random a cross tie counts by the SAE probes' share among the tied, on average about
    (3.3 - 1.3) / 2.9 = .69: here 2 of 3 in 302 cells and 3 of 4 in 151. The level itself (.80) is free.
    """
    won = [(("b", BASELINE, 0.9, 0.8), ("s", SAE, 1.0, 0.8 - 1.3 / 422))] * 422
    lost = [(("b", BASELINE, 1.0, 0.8), ("s", SAE, 0.9, 0.7))] * 125
    for number in range(125):
        if number < 187 - 62:
            lost[number] = (*lost[number], ("b2", BASELINE, 1.0, 0.8))
    for number in range(62):
        won[number] = (*won[number], ("s2", SAE, 1.0, 0.8 - 1.3 / 422))
    effect = 0.8 - 2.9 / 453
    two = [tied(("s", "s2"), effect)] * 302
    three = [tied(("s", "s2", "s3"), effect)] * 151
    return [row for number, one in enumerate(won + lost + two + three) for row in cell(number, *one)]


def tied(names, test):
    return (("b", BASELINE, 1.0, 0.8), *((name, SAE, 1.0, test) for name in names))


def test_the_published_tie_structure_gives_the_published_outcomes():
    """What the quoted figures determine; the raw tables that they came from are not at hand."""
    found = quiver(published_shape())
    shares = {rule: round(outcome.sae_chosen, 3) for rule, outcome in found.outcomes.items()}
    assert shares[TieRule.BASELINES_FIRST] == 0.422
    assert shares[TieRule.SAE_FIRST] == 0.875
    deltas = {rule: round(outcome.delta, 4) for rule, outcome in found.outcomes.items()}
    assert deltas[TieRule.SAE_FIRST] == -0.0042
    assert deltas[TieRule.RANDOM] == -0.0033
    assert deltas[TieRule.BASELINES_FIRST] == -0.0013
    assert found.tied == pytest.approx(0.64)
    assert round(found.tied_across, 2) == 0.45
    assert shares[TieRule.RANDOM] == pytest.approx(0.422 + (302 * 2 / 3 + 151 * 3 / 4) / 1000, abs=5e-4)


def test_the_published_shares_agree_with_each_other():
    """The difference of the two shares is the share of cross ties, quoted apart as 45 %."""
    assert round(0.875 - 0.422, 2) == 0.45


@pytest.mark.parametrize("seed", range(5))
def test_identities_of_the_tie_rules(seed):
    found = quiver(random_table(np.random.default_rng(seed)))
    outcomes = found.outcomes
    gap = outcomes[TieRule.SAE_FIRST].sae_chosen - outcomes[TieRule.BASELINES_FIRST].sae_chosen
    assert gap == pytest.approx(found.tied_across)
    for rule in TieRule:
        assert found.range_with_sae[0] <= outcomes[rule].with_sae <= found.range_with_sae[1]
        assert found.range_without[0] <= outcomes[rule].without <= found.range_without[1]
        assert outcomes[rule].with_sae <= found.oracle_with_sae
    assert outcomes[TieRule.FIRST_LISTED] == outcomes[TieRule.BASELINES_FIRST]
    sizes = np.mean(list(found.deltas.values()))
    assert sizes == pytest.approx(outcomes[TieRule.RANDOM].delta)


def test_the_expectation_is_that_of_shuffled_tables():
    rng = np.random.default_rng(3)
    table = random_table(rng, cells=12, levels=3)
    exact = quiver(table).outcomes[TieRule.RANDOM]
    draws = []
    for _ in range(400):
        order = rng.permutation(len(table))
        outcome = quiver([table[i] for i in order]).outcomes[TieRule.FIRST_LISTED]
        draws.append((outcome.without, outcome.with_sae, outcome.sae_chosen))
    error = np.std(draws, axis=0) / np.sqrt(len(draws))
    expected = np.array([exact.without, exact.with_sae, exact.sae_chosen])
    assert (np.abs(np.mean(draws, axis=0) - expected) < 4 * error).all()


def test_the_range_is_what_every_order_can_give():
    table = random_table(np.random.default_rng(1), cells=4, levels=2)
    choices = []
    for rows in rows_of(table):
        own = [row for row in rows if row.family is BASELINE]
        top = max(row.validation for row in own)
        choices.append([row.test for row in own if row.validation == top])
    levels = [np.mean(pick) for pick in product(*choices)]
    assert quiver(table).range_without == pytest.approx((min(levels), max(levels)))


def test_choosing_among_equals_is_optimistic_and_a_fixed_method_is_not():
    """Twenty methods, all of true AUC .8: the best of noisy validations promises more than it keeps."""
    rng = np.random.default_rng(0)
    table = [
        Cell(f"set {number}", 0, f"m{i}", SAE if i > 9 else BASELINE, *(0.8 + 0.05 * rng.normal(size=2)))
        for number in range(300)
        for i in range(20)
    ]
    found = quiver(table)
    # The mean of the largest of 20 normal draws is 1.867 standard deviations.
    assert found.outcomes[TieRule.RANDOM].optimism == pytest.approx(0.05 * 1.867, abs=0.01)
    assert found.best_baseline.validation - found.best_baseline.test == pytest.approx(0, abs=0.012)
    assert found.oracle_with_sae == pytest.approx(0.8 + 0.05 * 1.867, abs=0.01)


def test_the_fixed_method_is_chosen_on_validation_by_data_set():
    """One data set with many cells does not outvote the others, and the test rows have no say."""
    large = [
        Cell("large", n, name, BASELINE, validation, 0.5)
        for n in range(10)
        for name, validation in (("x", 0.9), ("y", 0.8))
    ]
    small = [
        Cell(f"small {n}", 0, name, BASELINE, validation, test)
        for n in range(3)
        for name, validation, test in (("x", 0.6, 1.0), ("y", 0.8, 0.1))
    ]
    chosen = best_fixed(large + small, BASELINE)
    assert chosen.method == "y"
    assert chosen.validation == pytest.approx(0.8)
    assert chosen.test == pytest.approx((10 * 0.5 + 3 * 0.1) / 13)


def test_a_method_that_is_missing_somewhere_does_not_compete():
    table = cell(0, ("b", BASELINE, 0.6, 0.6), ("c", BASELINE, 1.0, 1.0), ("s", SAE, 0.7, 0.7))
    table += cell(1, ("b", BASELINE, 0.6, 0.6), ("s", SAE, 0.7, 0.7))
    assert quiver(table).best_baseline.method == "b"
    table += cell(2, ("d", BASELINE, 0.6, 0.6), ("s", SAE, 0.7, 0.7))
    with pytest.raises(RequestError, match="all 3 cells"):
        quiver(table)


def test_near_ties_count_where_a_tolerance_is_given():
    table = cell(0, ("b", BASELINE, 0.90, 0.6), ("s", SAE, 0.91, 0.8))
    assert quiver(table).outcomes[TieRule.BASELINES_FIRST].with_sae == 0.8
    assert quiver(table, tolerance=0.02).outcomes[TieRule.BASELINES_FIRST].with_sae == 0.6


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "empty table"),
        ([("b", BASELINE, 0.5, 0.5), ("b", BASELINE, 0.5, 0.5)], "twice"),
        ([("b", BASELINE, float("nan"), 0.5), ("s", SAE, 0.5, 0.5)], "not a number"),
        ([("b", BASELINE, 0.5, 0.5)], "no sae method"),
    ],
)
def test_a_table_that_is_none_is_refused(rows, said):
    with pytest.raises(RequestError, match=said):
        quiver(cell(0, *rows))
