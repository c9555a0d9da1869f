"""Tables of a run as data frames."""

import math

import pytest

from biaskit.errors import RequestError, UnknownNameError
from biaskit.runner.run import Run
from tests.reporting import probing


def run(*analyses):
    return Run.model_validate(probing.probing_report(*analyses).model_dump())


def test_a_table_becomes_a_data_frame():
    frame = run().table("folds")
    rows = probing.folds().rows
    assert list(frame.columns) == ["concept", "k", "auc", "validation_auc", "converged", "latents"]
    assert frame.shape == (len(rows), 6)
    assert frame["auc"].tolist() == [row[2] for row in rows]
    assert frame["k"].dtype.kind == "i"
    assert math.isnan(frame["validation_auc"][0])


def test_an_empty_table_keeps_its_columns():
    frame = run(probing.analysis(tables=(probing.folds(0),))).table("folds", "sparse-probing")
    assert len(frame) == 0
    assert frame.columns[0] == "concept"


@pytest.mark.parametrize(
    ("arguments", "near"), [(("fold",), "folds"), (("folds", "sparse-probe"), "sparse-probing")]
)
def test_a_typo_is_answered_with_a_near_name(arguments, near):
    with pytest.raises(UnknownNameError, match=near):
        run().table(*arguments)


def test_a_run_without_tables_says_so():
    with pytest.raises(UnknownNameError, match="No table is available"):
        run(probing.analysis(tables=())).table("folds")


def test_a_name_that_several_analyzers_use_needs_the_analyzer():
    both = run(probing.analysis(), probing.analysis(analyzer="other", tables=(probing.folds(3),)))
    with pytest.raises(RequestError, match="Several analyzers have a table 'folds': sparse-probing, other"):
        both.table("folds")
    assert len(both.table("folds", "other")) == 3
    assert len(both.table("folds", analyzer="sparse-probing")) == 200
