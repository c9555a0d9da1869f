from dataclasses import dataclass, field

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, f1_score, log_loss, roc_auc_score

from biaskit.errors import RequestError, RunError
from biaskit.probing.evaluation import Evaluation, Task, best_of, evaluate, evaluate_many
from biaskit.probing.probe import Fitted, Setting
from biaskit.probing.problem import Problem
from biaskit.probing.split import Split
from biaskit.probing.splits import GroupFolds, nested_splits


@dataclass(frozen=True)
class Ridge:
    """scikit-learn's logistic regression on the first k coordinates, one fit at a time."""

    name: str = "ridge"
    ks: tuple[int, ...] = (1, 4)
    costs: tuple[float, ...] = (0.01, 1.0, 100.0)
    calls: list = field(default_factory=list, compare=False)

    def settings(self, rows, width):
        return tuple(Setting(f"k={k}", k, {"C": cost}) for k in self.ks for cost in self.costs)

    def fit(self, jobs, settings, rng):
        self.calls.append((len(jobs), len(settings)))
        for job in jobs:
            scores = [self.score(job, setting) for setting in settings]
            columns = tuple(np.arange(setting.k) for setting in settings)
            yield Fitted(np.stack(scores), columns, (True,) * len(settings))

    def score(self, job, setting):
        model = LogisticRegression(C=setting.values["C"], max_iter=1000)
        model.fit(job.activations[job.train, : setting.k], job.labels[job.train])
        return model.decision_function(job.activations[job.held_out, : setting.k])


@dataclass(frozen=True)
class Memory:
    """Knows the group of each row (coordinate 0) and says what its group was in training."""

    name: str = "memory"

    def settings(self, rows, width):
        return (Setting(),)

    def fit(self, jobs, settings, rng):
        for job in jobs:
            groups, told = job.activations[:, 0], job.labels
            seen = dict.fromkeys(groups, 0.0)
            for row in job.train:
                seen[groups[row]] += 1.0 if told[row] else -1.0
            yield Fitted(np.array([[seen[groups[row]] for row in job.held_out]]), (None,), (True,))


@dataclass(frozen=True)
class Leaker:
    """Picks the coordinate by the labels of all rows, held-out ones too, as selection before folds does."""

    name: str = "leaker"
    honest: bool = False

    def settings(self, rows, width):
        return (Setting("k=1", 1),)

    def fit(self, jobs, settings, rng):
        for job in jobs:
            rows = job.train if self.honest else np.concatenate([job.train, job.held_out])
            x, y = job.activations[rows], job.labels[rows]
            gap = x[y].mean(0) - x[~y].mean(0)
            best = int(np.argmax(np.abs(gap)))
            scores = np.sign(gap[best]) * job.activations[job.held_out, best]
            yield Fitted(scores[None], (np.array([best]),), (True,))


def planted(rng, *, groups=24, rows=4, width=6, shift=1.0):
    unit = np.repeat(np.arange(groups), rows)
    labels = unit % 2 == 0
    activations = rng.normal(size=(len(unit), width)).astype(np.float32)
    activations[:, 0] += shift * labels
    return activations, Problem("food", labels, unit, "fillers")


def task(rng, repeats=1, **given):
    activations, problem = planted(rng, **given)
    return Task(activations, problem, nested_splits(problem, repeats, 4, rng).splits)


def brute_force(one, probe, folds):
    """The same choice, loop by loop."""
    found = {}
    for split, inner in zip(one.splits, folds, strict=True):
        for k in probe.ks:
            means = {}
            for cost in probe.costs:
                aucs = []
                for fit, held in inner:
                    model = LogisticRegression(C=cost, max_iter=1000)
                    model.fit(one.activations[fit, :k], one.problem.labels[fit])
                    scores = model.decision_function(one.activations[held, :k])
                    aucs.append(roc_auc_score(one.problem.labels[held], scores))
                means[cost] = np.mean(aucs)
            best = max(means, key=means.get)
            model = LogisticRegression(C=best, max_iter=1000)
            model.fit(one.activations[split.train, :k], one.problem.labels[split.train])
            scores = model.decision_function(one.activations[split.test, :k])
            test = roc_auc_score(one.problem.labels[split.test], scores)
            found.setdefault(f"k={k}", []).append((best, means[best], test))
    return found


@dataclass(frozen=True)
class Remembered:
    """Hands out folds that were drawn before."""

    rule: GroupFolds
    drawn: list = field(default_factory=list)

    def folds(self, labels, groups, train, rng):
        self.drawn.append(self.rule.folds(labels, groups, train, rng))
        return self.drawn[-1]


def test_the_chosen_setting_is_that_of_brute_force(rng):
    activations, problem = planted(rng, shift=0.7)
    # A small coordinate with a strong signal is used only where the penalty lets it.
    activations[:, 1] = 0.05 * (activations[:, 1] + 1.5 * problem.labels)
    one = Task(activations, problem, nested_splits(problem, 1, 4, rng).splits)
    probe, inner = Ridge(), Remembered(GroupFolds(3))
    found = evaluate(one, probe, inner, rng)
    expected = brute_force(one, probe, inner.drawn)
    assert list(found) == ["k=1", "k=4"]
    for variant, evaluation in found.items():
        assert [fold.split for fold in evaluation.folds] == list(one.splits)
        for fold, (cost, validation, test) in zip(evaluation.folds, expected[variant], strict=True):
            assert fold.values == {"C": cost}
            assert fold.validation_auc == pytest.approx(validation)
            assert fold.metrics.auc == pytest.approx(test)
            assert len(fold.columns) == fold.k
    assert len({cost for variant in expected.values() for cost, *_ in variant}) > 1


def test_validation_measures_are_those_of_the_chosen_setting_on_the_inner_folds(rng):
    activations, problem = planted(rng, shift=0.7)
    one = Task(activations, problem, nested_splits(problem, 1, 3, rng).splits)
    inner = Remembered(GroupFolds(3))
    for variant, evaluation in evaluate(one, Ridge(), inner, rng).items():
        k = int(variant.removeprefix("k="))
        for fold, drawn in zip(evaluation.folds, inner.drawn, strict=True):
            expected = []
            for fit, held in drawn:
                model = LogisticRegression(C=fold.values["C"], max_iter=1000)
                model.fit(activations[fit, :k], problem.labels[fit])
                told = model.predict_proba(activations[held, :k])[:, 1]
                true = problem.labels[held]
                judged = (roc_auc_score, average_precision_score, brier_score_loss, log_loss)
                expected.append([f1_score(true, told > 0.5), *(measure(true, told) for measure in judged)])
            found = fold.validation
            reached = [found.f1, found.auc, found.pr_auc, found.brier, found.log_loss]
            assert reached == pytest.approx(np.mean(expected, axis=0).tolist(), abs=1e-5)
            assert found.auc == pytest.approx(fold.validation_auc)


def test_auc_and_optimism_are_means_over_folds(rng):
    one = task(rng)
    found = evaluate(one, Ridge(), GroupFolds(3), rng)["k=4"]
    tests = np.array([fold.metrics.auc for fold in found.folds])
    validated = np.array([fold.validation_auc for fold in found.folds])
    assert found.auc == pytest.approx(tests.mean())
    assert found.optimism == pytest.approx((validated - tests).mean())


def test_all_tasks_go_to_the_probe_in_two_calls(rng):
    probe = Ridge()
    tasks = [task(rng), task(rng), task(rng)]
    evaluate_many(tasks, probe, GroupFolds(3), rng)
    assert len(probe.calls) == 2
    assert probe.calls[0] == (3 * 4 * 3, 6)
    assert probe.calls[1][0] == 3 * 4


def test_many_tasks_give_what_each_gives_alone(rng):
    tasks = [task(rng, shift=0.5), task(rng, shift=2.0)]
    together = evaluate_many(tasks, Ridge(), GroupFolds(3), np.random.default_rng(5))
    alone = evaluate(tasks[0], Ridge(), GroupFolds(3), np.random.default_rng(5))
    assert together[0]["k=1"].auc == alone["k=1"].auc
    assert together[1]["k=1"].auc > together[0]["k=1"].auc


def test_layers_that_share_splits_share_inner_folds(rng):
    activations, problem = planted(rng)
    splits = nested_splits(problem, 1, 4, rng).splits
    inner = Remembered(GroupFolds(3))
    evaluate_many(
        [Task(activations, problem, splits), Task(activations * 2, problem, splits)], Ridge(), inner, rng
    )
    assert len(inner.drawn) == 4


def test_of_equal_settings_the_first_is_taken(rng):
    """Cost does not change the order of rows on one coordinate."""
    found = evaluate(task(rng, shift=3.0), Ridge(ks=(1,), costs=(7.0, 1.0)), GroupFolds(3), rng)["k=1"]
    assert {fold.values["C"] for fold in found.folds} == {7.0}


def test_noisy_labels_are_learnt_and_true_ones_judge(rng):
    activations, problem = planted(rng, shift=4.0)
    train, test = np.flatnonzero(problem.groups < 16), np.flatnonzero(problem.groups >= 16)
    flipped = Split(train, test, labels=~problem.labels)
    found = evaluate(Task(activations, problem, (flipped,)), Ridge(), GroupFolds(3), rng)["k=1"].folds[0]
    assert found.validation_auc > 0.9
    assert found.metrics.auc < 0.1


def test_memory_of_groups_is_worth_nothing_under_group_splits_and_everything_without(rng):
    unit = np.repeat(np.arange(40), 5)
    labels = rng.random(40)[unit] < 0.5
    activations = unit[:, None].astype(np.float32)
    by_group = Problem("x", labels, unit, "fillers")
    by_row = Problem("x", labels, np.arange(200), "rows")
    held = evaluate(
        Task(activations, by_group, nested_splits(by_group, 1, 5, rng).splits), Memory(), GroupFolds(), rng
    )
    mixed = evaluate(
        Task(activations, by_row, nested_splits(by_row, 1, 5, rng).splits), Memory(), GroupFolds(), rng
    )
    assert (held[""].auc, held[""].optimism) == (0.5, 0.0)
    assert mixed[""].auc == 1.0


@pytest.mark.parametrize(("honest", "low", "high"), [(True, 0.4, 0.6), (False, 0.65, 1.0)])
def test_a_probe_that_selects_on_held_out_rows_is_caught_on_noise(rng, honest, low, high):
    aucs = []
    for _ in range(5):
        activations = rng.normal(size=(60, 800)).astype(np.float32)
        problem = Problem("noise", np.arange(60) % 2 == 0, np.arange(60), "rows")
        noise = Task(activations, problem, nested_splits(problem, 1, 5, rng).splits)
        aucs.append(evaluate(noise, Leaker(honest=honest), GroupFolds(), rng)["k=1"].auc)
    assert low < np.mean(aucs) < high


def test_the_inner_round_is_skipped_only_where_nothing_is_chosen_and_nobody_asks(rng):
    one, single, several = task(rng), Ridge(costs=(1.0,)), Ridge()
    found = evaluate(one, single, GroupFolds(3), rng, optimism=False)
    assert [jobs for jobs, _ in single.calls] == [4]
    assert found["k=1"].optimism is None
    evaluate(one, several, GroupFolds(3), rng, optimism=False)
    assert [jobs for jobs, _ in several.calls] == [12, 4]


def test_too_few_training_rows_take_the_first_setting(rng):
    activations, problem = planted(rng)
    split = Split(np.array([0, 4]), np.arange(8, 96))
    found = evaluate(Task(activations, problem, (split,)), Ridge(), GroupFolds(3), rng)["k=1"]
    assert found.folds[0].validation_auc is None
    assert found.folds[0].values == {"C": 0.01}
    assert found.optimism is None
    assert found.auc is not None


@dataclass(frozen=True)
class Given:
    pairs: list

    def folds(self, labels, groups, train, rng):
        return self.pairs


def test_inner_folds_that_lack_a_class_are_left_out(rng):
    activations, problem = planted(rng)
    split = Split(np.arange(48), np.arange(48, 96))
    good = (np.arange(24), np.arange(24, 48))
    one_class = (np.arange(44), np.arange(44, 48))
    one = Task(activations, problem, (split,))
    both = evaluate(one, Ridge(), Given([good, one_class, one_class[::-1]]), rng)["k=4"].folds[0]
    alone = evaluate(one, Ridge(), Given([good]), rng)["k=4"].folds[0]
    assert both.validation_auc == alone.validation_auc


def test_test_rows_of_one_class_have_no_auc_and_do_not_count(rng):
    activations, problem = planted(rng)
    splits = (Split(np.arange(48), np.arange(48, 52)), Split(np.arange(48), np.arange(48, 96)))
    found = evaluate(Task(activations, problem, splits), Ridge(), GroupFolds(3), rng)["k=1"]
    assert found.folds[0].metrics.auc is None
    assert found.auc == found.folds[1].metrics.auc
    assert len(found.fold_scores()) == 1
    alone = Evaluation(problem, "ridge", "k=1", found.folds[:1])
    assert (alone.auc, alone.estimate().value) == (None, None)
    assert "no split's test rows hold both classes" in alone.estimate().reason


def test_the_estimate_names_its_groups_and_agrees_with_the_mean(rng):
    found = evaluate(task(rng, repeats=2), Ridge(), GroupFolds(3), rng)["k=4"]
    estimate = found.estimate()
    assert estimate.value == pytest.approx(found.auc)
    assert (estimate.n, estimate.resampling_unit) == (24, "fillers")
    assert estimate.interval.low < found.auc < estimate.interval.high


def test_sparse_rows_are_handed_on_as_they_are(rng):
    activations, problem = planted(rng)

    @dataclass(frozen=True)
    class Sparse(Ridge):
        def score(self, job, setting):
            assert isinstance(job.activations, csr_array)
            return super().score(
                type(job)(job.activations.toarray(), job.labels, job.train, job.held_out), setting
            )

    splits = nested_splits(problem, 1, 4, rng).splits
    seeds = [np.random.default_rng(3) for _ in range(2)]
    dense = evaluate(Task(activations, problem, splits), Ridge(), GroupFolds(3), seeds[0])
    sparse = evaluate(Task(csr_array(activations), problem, splits), Sparse(), GroupFolds(3), seeds[1])
    assert sparse["k=4"].auc == dense["k=4"].auc


@dataclass(frozen=True)
class Broken(Ridge):
    fault: str = "nan"

    def fit(self, jobs, settings, rng):
        for fitted in list(super().fit(jobs, settings, rng))[: 1 if self.fault == "few" else None]:
            yield Fitted(
                np.full_like(fitted.log_odds, np.nan) if self.fault == "nan" else fitted.log_odds,
                fitted.columns,
                fitted.converged,
            )


@pytest.mark.parametrize(
    ("fault", "said"), [("nan", "log-odds that are not numbers"), ("few", "1 of 12 jobs")]
)
def test_a_broken_probe_is_an_error_of_its_own(rng, fault, said):
    with pytest.raises(RunError, match=said):
        evaluate(task(rng), Broken(fault=fault), GroupFolds(3), rng)


def test_activations_of_another_problem_are_refused(rng):
    activations, problem = planted(rng)
    with pytest.raises(RequestError, match="95 rows of activations"):
        Task(activations[1:], problem, nested_splits(problem, 1, 4, rng).splits)
    with pytest.raises(RequestError, match="0 splits"):
        Task(activations, problem, ())


def test_the_best_candidate_is_chosen_on_the_training_rows(rng):
    activations, problem = planted(rng, shift=2.0)
    splits = nested_splits(problem, 2, 4, rng).splits
    noise = rng.normal(size=activations.shape).astype(np.float32)
    tasks = [Task(noise, problem, splits), Task(activations, problem, splits)]
    weak, strong = (found["k=4"] for found in evaluate_many(tasks, Ridge(), GroupFolds(3), rng))
    best = best_of({"layer 0": weak, "layer 1": strong})
    for number, fold in enumerate(best.folds):
        pair = (weak.folds[number], strong.folds[number])
        winner = max(pair, key=lambda one: one.validation_auc)
        assert fold.metrics == winner.metrics
        assert fold.validation_auc == winner.validation_auc
        assert fold.values["chosen"] == ("layer 0" if winner is pair[0] else "layer 1")
    assert best.auc == pytest.approx(strong.auc, abs=0.05)


def test_the_best_of_many_noises_looks_good_inside_and_is_chance_outside(rng):
    optimism, tests = [], []
    for _ in range(3):
        activations, problem = planted(rng, groups=40, rows=1, shift=0.0)
        splits = nested_splits(problem, 1, 5, rng).splits
        layers = [
            Task(rng.normal(size=activations.shape).astype(np.float32), problem, splits) for _ in range(8)
        ]
        found = evaluate_many(layers, Ridge(ks=(4,), costs=(1.0,)), GroupFolds(4), rng)
        best = best_of({f"layer {number}": one["k=4"] for number, one in enumerate(found)})
        optimism.append(best.optimism)
        tests.append(best.auc)
    assert abs(np.mean(tests) - 0.5) < 0.15
    assert np.mean(optimism) > 0.1


def test_candidates_of_other_splits_are_refused(rng):
    found = [evaluate(task(rng), Ridge(), GroupFolds(3), rng)["k=1"] for _ in range(2)]
    with pytest.raises(RequestError, match="not judged on the same splits"):
        best_of({"a": found[0], "b": found[1]})
    with pytest.raises(RequestError, match="nothing to choose from"):
        best_of({})
