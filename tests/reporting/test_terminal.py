"""The table that `biaskit audit` prints."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from biaskit.records.estimate import Estimate, Interval, Unit
from biaskit.reporting import terminal
from tests.reporting.hostile import hostile_report
from tests.reporting.probing import analysis, finding, probing_report
from tests.reporting.test_page import slight


def test_the_table(report, snapshot, tmp_path):
    assert terminal.as_text(report, None, 110) == snapshot


@pytest.mark.parametrize("width", [80, 100])
def test_no_line_is_wider_than_the_terminal(report, width):
    lines = terminal.as_text(report, None, width).splitlines()
    assert max(map(len, lines)) <= width
    assert any("+1.32 [+1.16, +1.48]" in line and "FAIL" in line for line in lines)


def test_the_path_of_the_report_is_never_cut(report):
    folder = Path("a" * 60) / ("b" * 60)
    assert str(folder / "report.html") in terminal.as_text(report, folder, 80)


def test_hostile_text_does_nothing_to_the_terminal():
    text = terminal.as_text(hostile_report())
    assert not set(text) & {"\x1b", "\x07", "\N{RIGHT-TO-LEFT OVERRIDE}"}
    assert "<script>" in text


def test_markup_in_a_name_is_not_obeyed(make_report):
    report = make_report()
    named = report.model_copy(update={"subject": report.subject.model_copy(update={"name": "[red]x[/red]"})})
    assert "[red]x[/red]" in terminal.as_text(named)


def coloured(report, monkeypatch, **environment):
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    stream = StringIO()
    Console(file=stream, force_terminal=True, width=110).print(terminal.render(report))
    return "\x1b[31m" in stream.getvalue() or "\x1b[1;31m" in stream.getvalue()


def test_colours_on_a_terminal_only_if_wanted(report, monkeypatch):
    assert coloured(report, monkeypatch, TERM="xterm-256color")
    assert not coloured(report, monkeypatch, TERM="xterm-256color", NO_COLOR="1")


def test_many_undecided_verdicts_are_cut_short(make_report):
    report = make_report()
    undecided = [verdict for verdict in report.verdicts if verdict.outcome == "undecided"]
    many = report.model_copy(update={"verdicts": tuple(undecided * 10)})
    assert "undecided: 15 more; the report says why" in terminal.as_text(many)


def test_a_comparison_with_nothing_to_tell_takes_one_line(report):
    text = terminal.as_text(slight(report, (("positive", "negative"), "target given references")), None, 110)
    assert "no association to speak of; the largest: food +0.002 [+0.001, +0.003] nat" in text
    assert len(text.splitlines()) < len(terminal.as_text(report, None, 110).splitlines())


def test_a_range_of_shuffles_does_not_look_like_an_interval_and_breaks_no_number():
    ranged = Estimate(
        value=0.452,
        unit=Unit.AUC,
        n=20,
        resampling_unit="shuffles",
        method="mean",
        interval=Interval(low=0.41, high=0.53, level=19 / 21, method="range of 20 shuffles"),
        reason="it is the null",
    )
    shown = finding("auc", group="a rather long name of a probe, and where it was read")
    found = analysis(findings=(shown, shown.model_copy(update={"estimate": ranged})), tables=(), figures=())
    text = terminal.as_text(probing_report(found), None, 80)
    assert "0.452 [0.410, 0.530]" in text
    assert "0.981 [0.969, 0.993]" in text
    assert "range of 20" in text


def test_the_text_is_returned_in_a_notebook_too(report, monkeypatch):
    expected = terminal.as_text(report, width=100)
    shown = []
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr("rich.jupyter.display", lambda *given: shown.append(given))
    assert terminal.as_text(report, width=100) == expected
    assert not shown
