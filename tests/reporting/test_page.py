"""The page is one inert file that says the gravest thing first."""

import re
from html.parser import HTMLParser

import pytest

from biaskit.records.report import Status
from biaskit.records.site import Site, SiteKind
from biaskit.reporting import page, plots, view, words
from biaskit.reporting.headline import headline
from tests.reporting.hostile import ALL, hostile_report

VOID = {"meta", "br", "img", "input", "link", "rect", "line", "circle"}
HARMLESS = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "header",
        "main",
        "footer",
        "section",
        "nav",
        "figure",
    ),
    *(
        "figcaption",
        "p",
        "b",
        "h1",
        "h2",
        "h3",
        "small",
        "span",
        "a",
        "time",
        "code",
        "pre",
        "mark",
        "ul",
        "li",
    ),
    *("dl", "div", "dt", "dd", "table", "thead", "tbody", "tfoot", "tr", "th", "td", "details", "summary"),
    *("svg", "rect", "line", "circle", "path", "text"),
}


class Page(HTMLParser):
    """What a browser would see: tags in order, their attributes, the text, and whether all tags close."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.open, self.texts = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in {"style", "title"}:
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


@pytest.fixture(scope="module")
def html(report):
    return page.render(report)


@pytest.fixture(scope="module")
def parsed(html):
    return Page(html)


@pytest.mark.parametrize("make", [page.render, page.render_fragment])
@pytest.mark.parametrize("hostile", [False, True], ids=["plain", "hostile"])
def test_nothing_runs_and_nothing_is_loaded(report, make, hostile):
    html = make(hostile_report() if hostile else report)
    seen = Page(html)
    assert seen.open == []
    assert set(seen.tags) <= HARMLESS
    assert not [name for _, name, _ in seen.attributes if name.startswith("on") or name in {"src", "srcset"}]
    assert all(value.startswith("#") for _, name, value in seen.attributes if name == "href")
    assert "url(" not in html
    assert "@import" not in html
    assert "//" not in re.sub(r"</?\w[^>]*>", "", html).replace("/ /", "")


def test_hostile_text_is_shown_and_inert():
    html = page.render(hostile_report())
    assert "<script" not in html
    assert "\x1b" not in html
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in html
    assert words.plain(ALL).split("@")[0] in Page(html).text


def test_the_gravest_comes_first(parsed, report):
    order = [
        "Inside, behaviour and cause disagree",
        words.typeset(report.conflicts[0]),
        headline(report),
        "organism:reviews",
        "How far each target leans",
        "What the gates say",
        "Inside, behaviour and cause, side by side",
        "Where in the model it is carried",
        "What was not measured",
        report.not_measured[0],
        report.analyses[0].limitations[0],
        "The examples that move each number most",
        "Settings of biaslens",
        "How to reproduce this",
        report.run.command,
        "Words",
    ]
    body = parsed.text.split("Scores Gates")[0] + parsed.text.split("Reproduce Words")[1]
    places = [body.find(text) for text in order]
    assert -1 not in places
    assert places == sorted(places)


def test_every_headline_number_stands_on_the_page(parsed, report):
    numbers = [finding.estimate for finding in report.findings() if finding.headline]
    assert numbers
    assert all(f"{words.estimate(one)} {words.interval(one)}" in parsed.text for one in numbers)


def test_each_plot_says_in_words_what_it_shows(parsed):
    labels = [value for tag, name, value in parsed.attributes if (tag, name) == ("svg", "aria-label")]
    hidden = [1 for tag, name, _ in parsed.attributes if (tag, name) == ("svg", "aria-hidden")]
    assert len(labels) + len(hidden) == parsed.tags.count("svg")
    assert "food: +1.32 [+1.16, +1.48] nat" in labels


def test_links_lead_somewhere(parsed):
    anchors = {value for _, name, value in parsed.attributes if name == "id"}
    assert {value[1:] for _, name, value in parsed.attributes if name == "href"} <= anchors


def test_the_same_report_gives_the_same_page(report, html):
    assert page.render(report) == html


def test_a_report_without_gates_or_conflicts_says_so(make_report):
    report = make_report()
    quiet = report.analyses[0].model_copy(update={"conflicts": ()})
    html = page.render(report.model_copy(update={"analyses": (quiet,), "verdicts": ()}))
    assert "no gate was declared" in html
    assert "What the gates say" not in html
    assert "cause disagree" not in html


def test_an_empty_report_renders(make_report):
    report = make_report(analyses=(), verdicts=(), not_measured=("biaslens: stopped by ValueError: no",))
    text = Page(page.render(report)).text
    assert "stopped by ValueError" in text
    assert "No gate was declared: nothing was judged" in text


@pytest.mark.parametrize("status", [Status.PARTIAL, Status.ERROR, Status.INTERRUPTED])
def test_an_unfinished_run_says_so(make_report, status):
    report = make_report()
    report = report.model_copy(update={"run": report.run.model_copy(update={"status": status})})
    assert words.STATUS_WORDS[status] in Page(page.render(report)).text
    assert words.STATUS_WORDS[status] in page.render_fragment(report)


def test_many_passes_are_folded_away(make_report):
    report = make_report()
    passed = [verdict for verdict in report.verdicts if verdict.outcome == "pass"]
    many = report.model_copy(update={"verdicts": (*report.verdicts, *passed * 5)})
    html = page.render(many)
    assert "<summary>12 passed</summary>" in html
    assert html.index("2 failed") < html.index("<summary>12 passed")


def test_a_large_report_stays_small(make_report):
    """Forty targets on two pairs in both readings, twelve layers."""
    report = make_report()
    analysis = report.analyses[0]
    findings = []
    for copy in range(8):
        for finding in analysis.findings:
            name = (f"{finding.concepts[0]}-{copy}", *finding.concepts[1:])
            findings.append(finding.model_copy(update={"concepts": name}))
            if finding.metric == "biaslens.profile":
                findings += [
                    finding.model_copy(
                        update={
                            "concepts": name,
                            "site": Site(kind=SiteKind.RESID_POST, layer=finding.site.layer + shift),
                        }
                    )
                    for shift in (4, 8)
                ]
    large = report.model_copy(
        update={"analyses": (analysis.model_copy(update={"findings": tuple(findings)}),)}
    )
    assert len(page.render(large).encode()) < 2 * 2**20


def test_agreement_rests_on_the_intervals(report):
    panels = {(panel.references, panel.group): panel for panel in view.panels(report)}
    rows = panels[("rich", "poor"), "references given target"].rows
    triad = (("score", "inside"), ("behaviour", "behaviour"), ("patching", "patched in"))
    said = {row.target: page.agreement(row, triad) for row in rows}
    assert page.agreement(rows[0], triad[:1]) == ""
    assert said == {
        "food": "same sign",
        "service": "same sign",
        "price": "opposite signs",
        "ambience": "all near zero",
        "music": "all near zero",
    }


def test_limits_are_drawn_only_where_they_judge(report):
    forests = [page._forest(panel, 1) for panel in view.panels(report)]
    assert [forest.limits for forest in forests] == [(-0.5, 0.5), (), (-0.5, 0.5), ()]


def test_the_control_band_is_ninety_five_percent(report):
    forest = page._forest(view.panels(report)[0], 1)
    assert forest.band == pytest.approx((-1.96 * 0.11, 1.96 * 0.11))
    assert all(forest.scale.low < end < forest.scale.high for end in (*forest.band, *forest.limits, 1.48))


def test_a_profile_passes_through_its_values(report):
    forest = page._forest(view.panels(report)[0], 1)
    chart = forest.charts[0]
    row = forest.panel.rows[0]
    points = re.findall(r"[ML]([\d.]+) ([\d.]+)", chart.line)
    assert [float(y) for _, y in points] == [chart.frame.y(one.estimate.value) for one in row.profile]
    assert chart.chosen == (2, row.estimate("score").value)
    assert isinstance(chart.frame, plots.Frame)


def slight(report, at):
    """The same report with every score and behaviour of one comparison made tiny."""
    analysis = report.analyses[0]

    def made(finding):
        estimate = finding.estimate
        if (finding.references, finding.group) != at or estimate.interval is None:
            return finding
        interval = estimate.interval.model_copy(update={"low": 0.001, "high": 0.003})
        return finding.model_copy(
            update={"estimate": estimate.model_copy(update={"value": 0.002, "interval": interval})}
        )

    findings = tuple(made(finding) for finding in analysis.findings)
    return report.model_copy(update={"analyses": (analysis.model_copy(update={"findings": findings}),)})


def test_what_is_not_worth_a_word_looks_like_nothing(report):
    at = (("positive", "negative"), "target given references")
    forest = page._forest(view.panels(slight(report, at))[1], 1)
    assert (forest.panel.references, forest.panel.group) == at
    assert forest.slight
    assert forest.outside.at(0.002) == pytest.approx(forest.outside.at(0), abs=1.5)
    assert forest.charts[0].frame.y(0.002) == pytest.approx(forest.charts[0].frame.y(0), abs=1.5)
    text = Page(page.render(slight(report, at))).text
    assert text.count("no association to speak of") >= 2
    assert "nothing to erase" in text
    assert "no association to speak of" not in Page(page.render(report)).text


def test_a_gate_says_its_limit_and_its_reason_once(make_report):
    report = make_report()
    gates = tuple(gate.model_copy(update={"rationale": "Because."}) for gate in report.spec.gates)
    report = report.model_copy(update={"spec": report.spec.model_copy(update={"gates": gates})})
    text = Page(page.render(report)).text
    assert text.count("Because.") == 2
    assert "sentiment-gap inside: at most 0.5" in text
    assert "wealth-gap inside: at most 0.5, advisory" in text


def test_lanes_say_each_number(parsed):
    labels = [value for tag, name, value in parsed.attributes if (tag, name) == ("svg", "aria-label")]
    (food,) = (one for one in labels if one.startswith("food: inside +1.32"))
    assert "behaviour +1.40 [+1.28, +1.52] nat, patched in" in food
