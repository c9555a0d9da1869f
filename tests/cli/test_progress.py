"""Who is told how far the work is."""

from io import StringIO

from rich.console import Console

from biaskit.cli import progress
from biaskit.records.progress import Silent


def test_quiet_is_silent(capfd):
    with progress.reporter(quiet=True) as shown:
        assert isinstance(shown, Silent)
        assert list(shown.track([1, 2], "work")) == [1, 2]
    assert capfd.readouterr() == ("", "")


def test_without_a_terminal_there_are_lines(monkeypatch):
    monkeypatch.setattr(progress, "_BETWEEN_LINES_S", -1.0)
    monkeypatch.setattr(progress, "_WORTH_A_LINE_S", -1.0)
    stream = StringIO()
    lines = progress.Lines(Console(file=stream, width=80))
    assert list(lines.track(iter("ab"), "[red]work[/red]", 2)) == ["a", "b"]
    said = stream.getvalue().splitlines()
    assert said[:2] == ["[red]work[/red]: 1 of 2", "[red]work[/red]: 2 of 2"]
    assert said[2].startswith("[red]work[/red]: 2 done in")


def test_quick_work_is_not_worth_a_line():
    stream = StringIO()
    assert list(progress.Lines(Console(file=stream)).track([1], "work")) == [1]
    assert stream.getvalue() == ""


def test_a_terminal_gets_bars(monkeypatch):
    stream = StringIO()
    monkeypatch.setattr(progress, "Console", lambda **_: Console(file=stream, force_terminal=True, width=80))
    with progress.reporter(quiet=False) as shown:
        assert isinstance(shown, progress.Bars)
        assert list(shown.track([1, 2, 3], "work")) == [1, 2, 3]
    assert "work" in stream.getvalue()


def test_a_bar_goes_away_when_the_work_stops(monkeypatch):
    stream = StringIO()
    monkeypatch.setattr(progress, "Console", lambda **_: Console(file=stream, force_terminal=True, width=80))
    with progress.reporter(quiet=False) as shown:
        work = shown.track([1, 2], "work")
        next(work)
        assert len(shown._bars.tasks) == 1
        work.close()
        assert shown._bars.tasks == []
