"""What was left out or put together is said wherever a report is read, the count included."""

from biaskit.cli import shown
from biaskit.reporting import markdown, page, terminal
from tests.reporting.probing import analysis, probing_report

MANY = tuple(f"'q{count}' was split into 3 folds, not 5: a class has 3 fillers." for count in range(9))


def lines(*analyses):
    return terminal.as_text(probing_report(*analyses), None, 110).splitlines()


def test_the_terminal_shows_a_handful_and_counts_the_rest():
    said = lines(analysis(caveats=MANY, notes=("The layer was chosen inside the folds.",)))
    assert [line for line in said if "was split into" in line] == [f"note: {line}" for line in MANY[:5]]
    assert "+ 5 more notes in the report" in said


def test_each_analyzer_gets_its_turn():
    said = lines(analysis(caveats=MANY), analysis(analyzer="other", caveats=("mine: one row is left out.",)))
    assert "note: mine: one row is left out." in said


def test_plain_notes_are_counted_alone():
    assert "1 note in the report" in lines(analysis())
    assert not any("in the report" in line and "note" in line for line in lines(analysis(notes=())))


def test_page_and_markdown_hold_them_all():
    report = probing_report(analysis(caveats=MANY))
    for text in (page.render(report), markdown.render(report)):
        assert all(f"q{count}" in text for count in range(9))


def test_verbose_tells_them_too(capsys):
    shown.show(probing_report(analysis(caveats=MANY)), None, verbose=True)
    assert "q8" in capsys.readouterr().out
