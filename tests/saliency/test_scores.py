import math

import pytest
import torch

from biaskit.errors import RequestError, UnknownNameError
from biaskit.saliency.scores import contrastive, logit, probability, score_named, score_of_rows

LOGITS = torch.tensor([[2.0, 1.0, -1.0], [0.0, 3.0, 0.5]])
TARGETS = torch.tensor([0, 2])


def test_contrastive_is_the_log_odds():
    odds = LOGITS.softmax(1)[[0, 1], TARGETS]
    torch.testing.assert_close(contrastive(TARGETS)(LOGITS), (odds / (1 - odds)).log())


def test_two_classes_contrast_is_the_difference():
    pair = LOGITS[:, :2]
    torch.testing.assert_close(contrastive(torch.tensor([0, 0]))(pair), pair[:, 0] - pair[:, 1])


def test_logit_and_probability():
    assert logit(TARGETS)(LOGITS).tolist() == [2.0, 0.5]
    found = probability(TARGETS)(LOGITS)
    assert math.isclose(
        float(found[0]), math.exp(2) / (math.exp(2) + math.exp(1) + math.exp(-1)), rel_tol=1e-6
    )


def test_only_the_contrast_and_the_probability_ignore_what_all_classes_share():
    for score, moves in ((contrastive, False), (probability, False), (logit, True)):
        change = (score(TARGETS)(LOGITS + 5) - score(TARGETS)(LOGITS)).abs().max()
        assert bool(change > 1) is moves


def test_the_contrast_keeps_its_gradient_where_the_softmax_saturates():
    logits = torch.tensor([[60.0, 0.0]], requires_grad=True)
    (steep,) = torch.autograd.grad(contrastive(torch.tensor([0]))(logits).sum(), logits)
    (flat,) = torch.autograd.grad(probability(torch.tensor([0]))(logits).sum(), logits)
    assert steep.tolist() == [[1.0, -1.0]]
    assert float(flat.abs().max()) < 1e-20


def test_rows_give_the_same_as_the_whole():
    score, rows = contrastive(TARGETS), torch.tensor([1, 1, 0])
    torch.testing.assert_close(score.rows(rows)(LOGITS[rows]), score(LOGITS)[rows])
    plain = score_of_rows(lambda z: z[:, 0], rows)
    assert plain(LOGITS).tolist() == [2.0, 0.0]


def test_refuses_what_does_not_fit():
    with pytest.raises(RequestError, match="score is of 2 images, and 1"):
        contrastive(TARGETS)(LOGITS[:1])
    with pytest.raises(RequestError, match="outside the model's 3 classes"):
        contrastive(torch.tensor([0, 3]))(LOGITS)
    with pytest.raises(RequestError, match="one class"):
        contrastive(torch.tensor([0]))(torch.zeros(1, 1))
    with pytest.raises(UnknownNameError, match="contrastive"):
        score_named("contrastiv", TARGETS)
