"""A gate on a metric that does not exist is refused before anything runs."""

from importlib.metadata import EntryPoint

import pytest

import biaskit
from biaskit import analyzers
from biaskit.errors import UnknownNameError
from biaskit.records.audit_spec import AuditSpec, Gate
from biaskit.runner import metrics


def gate(metric):
    return Gate(id="g", metric=metric, at_most=1.0)


@pytest.mark.parametrize(
    ("metric", "near"),
    [
        ("biaslens.scor", "biaslens.score"),
        ("biaslnes.score", "biaslens.score"),
        ("sparse_probing.leakge", "sparse_probing.leakage"),
        ("sparse-probing.leakage", "sparse_probing.leakage"),
    ],
)
def test_a_misspelt_metric_is_answered_with_near_ones(metric, near):
    with pytest.raises(UnknownNameError, match="The gate 'g' names it") as caught:
        metrics.check([gate("biaslens.score"), gate(metric)])
    assert near in caught.value.near


def test_what_another_package_measures_is_not_known_here(plugins):
    metrics.check([gate("steady.anything")])
    metrics.check([gate("gone_away.score")], ran=["gone-away"])
    metrics.check([gate("biaslens.of_an_older_version")], found=["biaslens.of_an_older_version"])


def test_a_plug_in_may_declare_its_metrics(plugins, fake_model):
    plugins.append(EntryPoint("picky", "tests.runner.fakes:Picky", analyzers.GROUP))
    for metric, near in (("picky.scroe", "picky.score"), ("biaslens.scor", "biaslens.score")):
        with pytest.raises(UnknownNameError, match=near):
            biaskit.audit(
                "some/model", "food", spec=AuditSpec(name="s", gates=(gate(metric),)), analyzers="picky"
            )
