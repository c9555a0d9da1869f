"""The page in a browser: no error, no request, no barrier, and hostile text stays text."""

import os
import shutil
from functools import partial
from pathlib import Path

import axe_playwright_python
import pytest
from playwright.sync_api import sync_playwright

from biaskit.reporting import page
from tests.reporting.hostile import FORMULA, MARKUP, hostile_report
from tests.reporting.pictures import pictured
from tests.reporting.probing import probing_report
from tests.reporting.remedied import remedied
from tests.reporting.sample import FORWARD, build_report

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no Chromium; `apt-get install chromium` ends this skip"
)


def small():
    """The sample with one target on one pair in one reading: every kind of block, few of each."""
    analysis = build_report().analyses[0]
    findings = tuple(
        one
        for one in analysis.findings
        if one.references == ("positive", "negative")
        and (one.group or "").startswith(FORWARD)
        and one.concepts[0] in {"food", "review-aspects"}
    )
    return build_report(analyses=(analysis.model_copy(update={"findings": findings}),))


REPORTS = {
    "small": small,
    "comparisons": build_report,
    "hostile": hostile_report,
    "pictures": pictured,
    "probing": probing_report,
    "remedy": remedied,
    "bare": partial(build_report, analyses=(), verdicts=()),
}
AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
VIOLATIONS = """async () => (await axe.run()).violations.map(
    found => [found.impact, found.id, found.nodes.map(node => node.html.slice(0, 200))])"""
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def browser():
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield opened
        opened.close()


@pytest.fixture(scope="module", params=REPORTS)
def file(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("pages") / "report.html"
    path.write_text(page.render(REPORTS[request.param]()), encoding="utf-8")
    return path


@pytest.fixture
def visit(browser, file):
    """Open the page; what it asks for, logs or throws is kept in `troubles`."""
    troubles = []
    opened = []

    def open_page(viewport=WIDE, **settings):
        context = browser.new_context(viewport=viewport, **settings)
        opened.append(context)
        tab = context.new_page()
        tab.on("console", lambda said: troubles.append(f"console: {said.text}"))
        tab.on("pageerror", lambda error: troubles.append(f"error: {error}"))
        tab.on("dialog", lambda dialog: (troubles.append("dialog"), dialog.dismiss()))
        tab.on("request", lambda one: troubles.append(one.url) if one.url != file.as_uri() else None)
        tab.goto(file.as_uri())
        # What is folded away is part of the page.
        tab.locator("details").evaluate_all("all => all.forEach(one => { one.open = true })")
        return tab

    open_page.troubles = troubles
    yield open_page
    for context in opened:
        context.close()


def requests(visit):
    return [one for one in visit.troubles if not one.startswith("data:image/png;base64,")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "file",
    [
        "small",
        "pictures",
        pytest.param("comparisons", marks=pytest.mark.slow),
        pytest.param("hostile", marks=pytest.mark.slow),
        pytest.param("probing", marks=pytest.mark.slow),
        "bare",
    ],
    indirect=True,
)
def test_the_page_is_quiet_and_open_to_all(visit, scheme):
    tab = visit(color_scheme=scheme, bypass_csp=True)
    assert requests(visit) == []
    tab.evaluate(AXE.read_text(encoding="utf-8"))
    assert tab.evaluate(VIOLATIONS) == []


def test_the_page_keeps_its_own_policy(visit):
    tab = visit()
    assert requests(visit) == []
    assert tab.evaluate("document.scripts.length") == 0
    assert tab.locator("main").count() == tab.locator("h1").count() == 1
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "Skip to the verdict"


def test_a_narrow_screen_need_not_scroll_sideways(visit):
    tab = visit(viewport=NARROW)
    assert tab.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]


def test_axe_would_see_a_barrier(browser):
    context = browser.new_context(bypass_csp=True)
    tab = context.new_page()
    tab.set_content("<main><h1>x</h1><img src='data:,'><p style='color:#ccc;background:#fff'>pale</p></main>")
    tab.evaluate(AXE.read_text(encoding="utf-8"))
    assert {"image-alt", "color-contrast"} <= {name for _, name, _ in tab.evaluate(VIOLATIONS)}
    context.close()


def test_hostile_names_are_shown_as_text(browser, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(page.render(hostile_report()), encoding="utf-8")
    context = browser.new_context()
    tab = context.new_page()
    dialogs = []
    tab.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    tab.goto(path.as_uri())
    shown = tab.locator("body").inner_text()
    assert MARKUP in shown
    assert FORMULA in shown
    assert dialogs == []
    assert tab.locator("script, img, iframe, object, embed, form").count() == 0
    context.close()
