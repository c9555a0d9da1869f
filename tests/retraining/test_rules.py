from __future__ import annotations

import copy
import itertools

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from biaskit.errors import RequestError, RunError
from biaskit.retraining.amplify import Amplify, spread
from biaskit.retraining.erm import ERM
from biaskit.retraining.examples import Examples
from biaskit.retraining.group_accuracy import accuracy_of, group_accuracy, predict
from biaskit.retraining.group_balanced import GroupBalanced
from biaskit.retraining.group_dro import Adversary, GroupDRO
from biaskit.retraining.just_train_twice import JustTrainTwice, errors
from biaskit.retraining.last_layer import LastLayer
from biaskit.retraining.training import Course, Schedule, balanced, fit, shuffled
from biaskit.retraining.useful import Useful, slow_part
from tests.retraining.conftest import vectors

SHORT = Schedule(steps=60, learning_rate=0.02)
BRIEF = Schedule(steps=20, learning_rate=0.02)
RULES = (
    ERM(SHORT),
    GroupBalanced(SHORT),
    GroupDRO(SHORT, eta=0.1),
    JustTrainTwice(SHORT, first=BRIEF, copies=20),
    Useful(SHORT, early=BRIEF, copies=20),
    Amplify(BRIEF),
    LastLayer(),
)
MENDING = (RULES[1], RULES[2], RULES[3], RULES[4], RULES[6])


def head(seed: int = 0) -> nn.Linear:
    torch.manual_seed(seed)
    return nn.Linear(10, 2)


def minority(examples: Examples) -> set[int]:
    return set(torch.nonzero((examples.groups == 1) | (examples.groups == 2)).flatten().tolist())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_leaves_the_network_and_the_random_state_alone(rule, biased, generator):
    network, before = head(), torch.random.get_rng_state()
    weights = copy.deepcopy(network.state_dict())
    trained = rule.train(network, biased, generator)
    assert all(torch.equal(weights[name], value) for name, value in network.state_dict().items())
    assert not torch.equal(trained.weight, network.weight)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_the_same_seed_gives_the_same_weights(rule, biased):
    first, second = (rule.train(head(), biased, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first.weight, second.weight)


@pytest.mark.parametrize("rule", MENDING, ids=lambda rule: rule.name)
def test_the_worst_group_is_mended(rule, biased, fair, generator):
    plain = group_accuracy(RULES[0].train(head(), biased, generator), fair)
    mended = group_accuracy(rule.train(head(), biased, generator), fair)
    assert plain.worst < 0.75
    assert mended.worst > plain.worst + 0.1


@pytest.mark.parametrize(
    "rule",
    [rule for rule in MENDING if rule.name != "useful"] + [Useful(SHORT, early=BRIEF)],
    ids=lambda rule: rule.name,
)
def test_without_a_shortcut_it_does_not_hurt(rule, generator):
    unbiased, test = vectors(0.5, 1000, 7), vectors(0.5, 1000, 8)
    plain = group_accuracy(RULES[0].train(head(), unbiased, generator), test)
    mended = group_accuracy(rule.train(head(), unbiased, generator), test)
    assert mended.worst > plain.worst - 0.03
    assert mended.average > plain.average - 0.03


def test_the_adversary_follows_its_closed_form():
    """Constant group losses: q_g is proportional to exp(eta t (l_g + C / sqrt(n_g)))."""
    sizes, levels = torch.tensor([400, 100, 25]), torch.tensor([0.2, 1.0, 0.5])
    adversary = Adversary(sizes, eta=0.1, adjustment=2.0)
    groups = torch.tensor([0, 1, 2, 0])
    for _ in range(30):
        loss = adversary(levels[groups], groups)
    expected = (0.1 * 30 * (levels.double() + 2.0 / sizes.double().sqrt())).softmax(dim=0)
    assert torch.allclose(adversary.weights, expected, atol=1e-6)
    assert float(loss) == pytest.approx(float(expected @ levels.double()), abs=1e-6)


def test_an_absent_group_has_loss_zero():
    adversary = Adversary(torch.tensor([10, 10]), eta=0.5, adjustment=0.0)
    adversary(torch.tensor([1.0, 3.0]), torch.tensor([0, 0]))
    assert torch.allclose(adversary.weights, torch.tensor([1.0, 0.0]).double().softmax(0))


def test_the_adversary_survives_a_huge_loss():
    adversary = Adversary(torch.tensor([10, 10]), eta=1.0, adjustment=0.0)
    adversary(torch.tensor([5000.0, 1.0]), torch.tensor([0, 1]))
    assert torch.isfinite(adversary.weights).all()


def test_balanced_batches_hold_groups_equally_often(generator):
    groups = torch.tensor([0] * 900 + [1] * 90 + [2] * 10)
    stream = balanced(torch.arange(1000), groups, 100, generator)
    drawn = torch.cat(list(itertools.islice(stream, 90)))
    counts = torch.bincount(groups[drawn])
    # Standard deviation of each count is 45.
    assert (abs(counts - 3000) < 180).all()


def test_every_row_comes_once_a_pass(generator):
    rows = torch.arange(10)
    drawn = torch.cat(list(itertools.islice(shuffled(rows, 4, generator), 5)))
    assert drawn[:10].sort().values.tolist() == drawn[10:].sort().values.tolist() == rows.tolist()


def test_copied_rows_come_as_often_as_asked(generator):
    examples = vectors(0.5, 50, 0)
    seen: list[int] = []
    copies = torch.ones(50, dtype=torch.long)
    copies[7] = 5

    def objective(losses, groups):
        seen.extend(groups.tolist())
        return losses.mean()

    numbered = Examples(examples.inputs, examples.labels, torch.arange(50))
    fit(head(), Course(numbered, Schedule(steps=6, batch=27), objective, copies=copies), generator)
    counts = torch.bincount(torch.tensor(seen), minlength=50)
    assert counts[7] == 15
    assert counts.sum() - counts[7] == 49 * 3


def test_errors_of_a_brief_network_are_the_minority(biased, generator):
    found = set(JustTrainTwice(SHORT, first=BRIEF).error_rows(head(), biased, generator).tolist())
    assert len(found & minority(biased)) / len(found) >= 0.9


def test_the_slow_part_is_the_minority(biased, generator):
    found = set(Useful(SHORT, early=BRIEF).slow_rows(head(), biased, generator).tolist())
    assert len(found & minority(biased)) / len(minority(biased)) >= 0.9
    assert len(found) <= 0.1 * len(biased)


def test_the_slow_part_is_the_one_with_the_higher_loss():
    outputs = torch.tensor([[5.0, 0.0]] * 6 + [[0.0, 5.0]] * 2)
    losses = torch.tensor([0.1] * 6 + [3.0] * 2)
    assert slow_part(outputs, losses, 0).tolist() == [6, 7]
    assert slow_part(outputs, 3 - losses, 0).tolist() == [0, 1, 2, 3, 4, 5]
    assert slow_part(torch.zeros(3, 2), torch.zeros(3), 0).tolist() == []


def test_amplifying_makes_the_errors_the_minority(biased, generator):
    amplified = Amplify(Schedule(steps=40, learning_rate=0.02, check_every=10)).train(
        head(), biased, generator
    )
    found = set(errors(amplified, biased).tolist())
    assert len(found & minority(biased)) / len(found) >= 0.9


def test_amplifying_chooses_the_widest_spread(biased):
    schedule = Schedule(steps=40, learning_rate=0.02, check_every=10)
    runs = {
        decay: Amplify(schedule, (decay,)).train(head(), biased, torch.Generator().manual_seed(1))
        for decay in (30.0, 0.1)
    }
    chosen = Amplify(schedule, (30.0, 0.1)).train(head(), biased, torch.Generator().manual_seed(1))
    assert spread(runs[0.1], biased) > spread(runs[30.0], biased)
    assert torch.equal(chosen.weight, runs[0.1].weight)


def test_spread_by_hand():
    network = nn.Linear(1, 2, bias=False)
    network.weight.data = torch.tensor([[0.0], [1.0]])
    inputs = torch.tensor([[40.0], [-40.0], [40.0]])
    examples = Examples(inputs, torch.tensor([1, 1, 0]), torch.zeros(3, dtype=torch.long))
    # Class 1: p = 1 and 0, variance 1/4; class 0: one example, variance 0.
    assert spread(network, examples) == pytest.approx(0.125)


def test_the_refitted_head_is_scikit_learn_s(biased, generator):
    strength = 1e-2
    found = LastLayer((strength,)).train(head(), biased, generator)
    rows = biased.inputs.double()
    rows = ((rows - rows.mean(0)) / rows.std(0, correction=0)).numpy()
    share = 1.0 / (4 * biased.group_sizes()[biased.groups].double().numpy())
    # Two softmax columns with half the logit each: their penalty is half of the one logit's.
    solver = LogisticRegression(C=2 / strength, tol=1e-10, max_iter=5000)
    solver.fit(rows, biased.labels.numpy(), sample_weight=share)
    ours = predict(found, biased.inputs)
    assert (ours[:, 1] - ours[:, 0]).numpy() == pytest.approx(solver.decision_function(rows), abs=2e-3)


def test_training_stops_early_and_keeps_the_best(biased, generator):
    looked = []
    schedule = Schedule(steps=400, learning_rate=0.05, held_out=0.25, check_every=5, patience=2)
    course = Course(
        biased, schedule, balanced=True, watch=lambda network: looked.append(copy.deepcopy(network))
    )
    trained = fit(head(), course, generator)
    assert len(looked) < 80
    assert any(torch.equal(trained.weight, seen.weight) for seen in looked)


def test_accuracy_by_group_by_hand():
    labels, groups = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0, 2, 3])
    logits = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    examples = Examples(torch.zeros(4, 1), labels, groups)
    found = accuracy_of(logits, examples, torch.tensor([6, 0, 2, 2]))
    assert found.accuracies == (0.5, None, 1.0, 1.0)
    assert (found.worst, found.worst_group, found.average) == (0.5, 0, 0.75)
    assert found.adjusted == pytest.approx((6 * 0.5 + 2 + 2) / 10)
    assert accuracy_of(logits, examples, torch.tensor([6, 1, 2, 2])).adjusted is None


def test_an_object_with_logits_is_a_network(biased, generator):
    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = head()

        def forward(self, inputs):
            return type("Output", (), {"logits": self.head(inputs)})

    found = group_accuracy(ERM(BRIEF).train(Wrapped(), biased, generator), biased)
    assert found.average > 0.9


@pytest.mark.parametrize("rule", [RULES[1], RULES[2], RULES[6]], ids=lambda rule: rule.name)
def test_a_rule_that_needs_groups_says_which_is_empty(rule, biased, generator):
    gapped = Examples(biased.inputs, biased.labels, torch.where(biased.groups == 1, 4, biased.groups))
    with pytest.raises(RequestError, match="group 1 has no example"):
        rule.train(head(), gapped, generator)
    alone = Examples(biased.inputs, biased.labels, torch.zeros_like(biased.groups))
    with pytest.raises(RequestError, match="at least two groups"):
        rule.train(head(), alone, generator)


def test_a_network_that_cannot_be_trained_is_refused(biased, generator):
    with pytest.raises(RequestError, match="nothing to train"):
        ERM().train(head().requires_grad_(requires_grad=False), biased, generator)
    with pytest.raises(RequestError, match="linear head"):
        LastLayer().train(nn.Sequential(head()), biased, generator)
    wild = Examples(biased.inputs * float("inf"), biased.labels, biased.groups)
    with pytest.raises(RunError, match="not a number"):
        ERM().train(head(), wild, generator)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Schedule(steps=0),
        lambda: Schedule(held_out=1.0),
        lambda: GroupDRO(eta=0),
        lambda: JustTrainTwice(copies=0),
        lambda: Useful(copies=0),
        lambda: Amplify(weight_decays=()),
        lambda: LastLayer(strengths=(0.0,)),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(RequestError):
        wrong()
