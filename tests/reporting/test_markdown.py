"""The form for a pull request."""

import re

from biaskit.reporting import markdown
from tests.reporting.hostile import hostile_report


def test_the_page(report, snapshot):
    assert markdown.render(report) == snapshot


def test_hostile_text_is_inert():
    text = markdown.render(hostile_report())
    body = re.sub(r"\\.", "", text.split("## Reproduce")[0])  # an escaped mark is only a mark
    for trick in ("<script", "<img", "](javascript", "@everyone", "`code`", "\n# heading", "\x1b"):
        assert trick not in body
    rows = [line for line in body.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} <= {7, 8}


def test_the_command_stays_one_indented_block():
    tail = markdown.render(hostile_report()).split("## Reproduce\n\n")[1]
    assert len(tail.strip("\n").splitlines()) == 1
    assert tail.startswith("    ")
