"""Whether numbers follow from the rows that an analysis keeps behind them, and a changed one is caught."""

from biaskit.gates.intervals import interval_again
from biaskit.runner.verifying import Verified, recompute


def recomputed(analysis):
    """Return the metrics that are computed again from their rows.

    Every one must agree, and each must be caught once it is changed by a thousandth.
    """
    told = set()
    for finding in analysis.findings:
        if finding.rows is None or finding.estimate.value is None:
            continue
        found, forged = Verified(), Verified()
        recompute(analysis, finding, found)
        assert (found.problems, found.others, found.recomputed) == ([], {}, 1), finding
        recompute(analysis, _changed(finding), forged)
        assert len(forged.problems) == 1, finding.metric
        told.add(finding.metric.rpartition(".")[2])
    return told


def intervals(analysis):
    """Return the metrics whose intervals are computed again; each must be caught once an end is changed."""
    told = set()
    for finding in analysis.findings:
        if finding.estimate.interval is None or interval_again(analysis, finding) is None:
            continue
        for end, by in (("low", -1e-6), ("high", 1e-6)):
            found, interval = Verified(), finding.estimate.interval
            forged = interval.model_copy(update={end: getattr(interval, end) + by})
            estimate = finding.estimate.model_copy(update={"interval": forged})
            recompute(analysis, finding.model_copy(update={"estimate": estimate}), found)
            assert found.problems[0].startswith(f"The interval of {finding.metric}"), finding
            assert not found.intervals
        told.add(finding.metric.rpartition(".")[2])
    return told


def _changed(finding):
    value = finding.estimate.value + 1e-3
    return finding.model_copy(update={"estimate": finding.estimate.model_copy(update={"value": value})})


def silent(analysis):
    """Return the metrics with a value that neither name rows nor say why none are kept."""
    return {
        finding.metric
        for finding in analysis.findings
        if finding.estimate.value is not None and finding.rows is None and not finding.unkept
    }
