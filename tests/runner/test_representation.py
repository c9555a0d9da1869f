"""Representation audits from the call to the report."""

from __future__ import annotations

import pytest

import biaskit
from biaskit.errors import RequestError
from biaskit.organisms import portraits
from biaskit.records.report import Status

FEW = {"images": 3, "steps": 2, "shown": 1, "named": 0, "discover": 0}


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    place = tmp_path_factory.mktemp("portraits") / "untrained"
    portraits.untrained(place, 0)
    return str(place)


@pytest.fixture(scope="module")
def run(pipeline, tmp_path_factory):
    return biaskit.audit(
        pipeline,
        concepts="portrait-occupations",
        analyzers="representation",
        classifier="organism:portraits",
        settings=FEW,
        out_dir=tmp_path_factory.mktemp("run"),
    )


def test_every_target_and_group_has_a_share(run):
    assert run.run.status is Status.COMPLETE
    assert len(run.findings("representation.share")) == 10 * 4
    assert len(run.findings("representation.fd")) == 20
    assert all(one.estimate.n == 3 for one in run.findings("representation.share"))


def test_the_report_says_it_in_words(run):
    assert type(run).read(run.folder).findings() == run.findings()
    page = (run.folder / "report.html").read_text()
    assert "share of images that show the group" in page
    assert "Fairness discrepancy" in page
    assert "equal shares" in page


def test_without_anybody_to_tell_groups_it_is_refused(pipeline):
    with pytest.raises(RequestError, match="Nobody tells the groups"):
        biaskit.audit(pipeline, concepts="portrait-occupations", analyzers="representation", settings=FEW)
