"""organism:portraits is read as it was planted, and what was not planted is not called."""

from __future__ import annotations

import pytest

from benchmarks.planted_portraits import accused, audited, floor, planted_shares, ranks
from biaskit import organisms


def check_ranks(run, folder):
    shares = planted_shares(folder)
    found = ranks(run, shares)
    assert found["log_odds"] >= 0.9
    assert found["gap"] >= 0.9
    assert found["share_drawn"] >= 0.85
    assert floor(len(shares)) <= 0.6


@pytest.mark.slow
def test_the_shipped_organism_is_read_as_it_was_planted():
    check_ranks(audited("organism:portraits", "portrait-gender", neutral=0), organisms.folder("portraits"))


@pytest.mark.slow
def test_an_attribute_that_was_not_planted_is_not_called():
    assert accused(audited("organism:portraits", "portrait-age")) == {
        "gap_beyond_neutral": [],
        "log_odds_beyond_neutral": [],
    }


@pytest.mark.slow
def test_a_new_organism_is_read_as_it_was_planted(built_portraits):
    folder = built_portraits(1)
    check_ranks(audited(folder, "portrait-gender", neutral=0), folder)


@pytest.mark.slow
def test_nothing_is_called_in_a_null_twin(built_portraits):
    assert not any(accused(audited(built_portraits(100, null=True), "portrait-gender")).values())
