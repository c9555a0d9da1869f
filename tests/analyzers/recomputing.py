"""Whether numbers follow from the rows that an analysis keeps behind them."""

from biaskit.gates.rows import mean, measurements


def recomputed(analysis):
    """Return the metrics of which every value is the mean of its rows; a wrong one fails at once."""
    told = set()
    for finding in analysis.findings:
        if finding.rows is None or finding.estimate.value is None:
            continue
        rows = measurements(analysis, finding)
        assert not isinstance(rows, str), (finding.metric, rows)
        again = mean([value for _, value in rows])
        assert abs(again - finding.estimate.value) <= 1e-9 * max(1.0, abs(again)), finding
        told.add(finding.metric.rpartition(".")[2])
    return told
