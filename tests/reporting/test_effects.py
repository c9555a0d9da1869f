"""What a text remedy did, as one table in every rendering."""

import pytest

from biaskit.records.estimate import Unit
from biaskit.reporting import headline, markdown, page, terminal, view
from biaskit.reporting.effects import Effect, effects
from tests.reporting.remedied import VERDICT, remedied
from tests.reporting.sample import estimate


@pytest.fixture(scope="module")
def report():
    return remedied()


def test_each_measure_is_one_row(report):
    rows = {one.name: one for one in effects(report.analyses[0])}
    assert list(rows) == [
        "gap of held-out words, nat",
        "left of the gap",
        "gap of neutral words, nat",
        "read by a probe (logistic), AUC",
        "stated poles recognised",
    ]
    gap = rows["gap of held-out words, nat"]
    assert (gap.before.value, gap.after.value, gap.change.value) == (1.25, 0.02, -1.23)
    assert rows["stated poles recognised"].before is None


def test_only_the_change_keeps_its_interval_where_there_is_little_room():
    one = Effect("gap", estimate(1.25, 0.1), estimate(0.5, 0.1), estimate(-0.75, 0.1))
    assert [cell.count("[") for cell in one.cells(intervals=False)] == [0, 0, 0, 1]
    assert [cell.count("[") for cell in one.cells()] == [0, 1, 1, 1]


def test_a_change_has_a_sign():
    shown = Effect("poles", None, None, estimate(0.012, 0.1, Unit.PROPORTION)).cells()
    assert shown[3].startswith("+1 %")


@pytest.mark.parametrize("width", [80, 120])
def test_the_terminal_opens_with_the_verdict_and_shows_one_table(report, width):
    lines = terminal.as_text(report, width=width).splitlines()
    assert max(map(len, lines)) <= width
    assert lines[lines.index("erase") + 1].strip().startswith("Of 7 points")
    assert sum("before" in line and "change" in line for line in lines) == 1
    assert not any("target " in line for line in lines)
    point = next(place for place, line in enumerate(lines) if "No leakage" in line)
    assert point > next(place for place, line in enumerate(lines) if "read by a probe" in line)


def test_no_panel_of_leans_and_the_verdict_as_headline(report):
    assert not view.panels(report)
    assert headline.headline(report).startswith("Of 7 points 5 hold")


def test_page_and_markdown_hold_the_table(report):
    html = page.render(report)
    assert 'class="plain effects"' in html
    assert html.index(VERDICT) < html.index("gap of held-out words") < html.index("No leakage (fails)")
    assert "<b>food</b>" not in html
    text = markdown.render(report)
    assert "| measure | before | after | change |" in text
    assert text.index("Of 7 points") < text.index("| measure |") < text.index("No leakage")
