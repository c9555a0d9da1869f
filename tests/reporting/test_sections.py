"""What an analyzer without reference pairs says, in every form."""

import json
import re

import jsonschema
import pytest

from biaskit.records.figure import Curve, Figure, Point
from biaskit.records.finding import Analysis
from biaskit.records.report import Report, Verdict
from biaskit.reporting import curves, folder, markdown, page, terminal, view, words
from biaskit.reporting.headline import headline
from biaskit.reporting.sections import sections
from tests.reporting import probing
from tests.reporting.hostile import ALL, ESCAPE
from tests.reporting.sample import build_report, checks
from tests.reporting.test_page import HARMLESS, Page

SVG_TEXT = {"title", "desc"}


@pytest.fixture(scope="module")
def report():
    return probing.probing_report()


@pytest.fixture(scope="module")
def html(report):
    return page.render(report)


def many(headline=0, others=0, figures=0):
    """An analysis with so many findings and figures."""
    found = tuple(
        probing.finding("auc", f"concept{count}", headline=count < headline)
        for count in range(headline + others)
    )
    drawn = tuple(
        probing.against_k().model_copy(update={"name": f"f{count}", "title": f"Figure {count} of many"})
        for count in range(figures)
    )
    return probing.analysis(findings=found, figures=drawn, tables=())


def hostile():
    texts = {"title": ALL, "x_label": ALL, "y_label": ALL, "band": ALL}
    curve = Curve(name=ALL, points=(Point(x=1, y=1, low=0, high=2),))
    figure = probing.against_k().model_copy(update={**texts, "curves": (curve,)})
    table = probing.folds(3)
    columns = tuple(one.model_copy(update={"description": ALL}) for one in table.columns)
    rows = ((ALL, None, 1.0, None, True, ALL),)
    table = table.model_copy(update={"title": ALL, "columns": columns, "rows": rows})
    estimate = probing.estimate(probing.Unit.AUC, 0.5, 0.1, True).model_copy(update={"resampling_unit": ALL})
    finding = probing.finding("auc", ALL, group=ALL, estimate=estimate)
    return probing.analysis(
        analyzer=ALL,
        summary=(ALL, ALL),
        findings=(finding,),
        figures=(figure,),
        tables=(table,),
        notes=(ALL,),
        limitations=(ALL,),
    )


def test_only_an_analysis_with_something_of_its_own_has_a_section(report):
    quiet = build_report().analyses[0].model_copy(update={"tables": probing.analysis().tables})
    assert sections(build_report()) == ()
    assert [one.anchor for one in sections(build_report(analyses=(quiet, probing.analysis())))] == [
        "analysis-2"
    ]
    assert len(sections(build_report(analyses=(quiet.model_copy(update={"summary": ("One.",)}),)))) == 1


def test_the_page_says_sentences_then_numbers_then_figures_and_at_the_end_tables(html):
    text = Page(html).text
    order = [
        "What sparse-probing found",
        probing.SENTENCES[1],
        "read on held-out rows, AUC resid_post.6 SAE latents 0.981 [0.969, 0.993] p 0.001 48",
        f"SAE probe less the best fixed baseline, AUC resid_post.6 SAE latents {words.MINUS}0.006",
        "food: how many coordinates it takes",
        "coordinates used, k",
        "What the SAE adds where classes are uneven",
        "What was not measured",
        "That a property can be read does not say",
        "The layer was chosen inside the folds.",
        "Every single measurement",
        "Every probe on every fold : 200 rows in tables/sparse-probing.folds.csv",
        "How to reproduce this",
    ]
    places = [text.find(one) for one in order]
    assert -1 not in places
    assert places == sorted(places)
    assert "How far each target leans" not in text
    assert "Audited: food, service, price." in text


def test_beside_comparisons_it_stands_after_them():
    both = build_report(analyses=(build_report().analyses[0], probing.analysis()))
    text = Page(page.render(both)).text
    assert text.index("How far each target leans") < text.index("What sparse-probing found")
    assert headline(both) == headline(build_report())


def test_links_of_the_page_lead_somewhere(html):
    seen = Page(html)
    anchors = {value for _, name, value in seen.attributes if name == "id"}
    assert {value[1:] for _, name, value in seen.attributes if name == "href"} <= anchors


def test_each_figure_has_a_name_a_description_and_a_legend(html, report):
    assert html.count("<desc>") == len(report.analyses[0].figures)
    for figure in report.analyses[0].figures:
        assert f"<title>{figure.title}</title>" in html
    legends = re.findall(r'<ul class="legend">(.*?)</ul>', html, re.DOTALL)
    (first, *_) = legends
    assert re.findall(r"<span>(.*?)</span>", first) == [one.name for one in probing.against_k().curves]
    at_one, at_two, *_ = (point.y for point in probing.against_k().curves[0].points)
    assert f"SAE latents: {at_one:.3f} at 1, {at_two:.3f} at 2, " in html


def test_chance_is_drawn_where_it_is(html, report):
    plot = curves.draw(report.analyses[0].figures)[0]
    y = plot.y(0.5)
    assert f'<line class="chance" x1="0" x2="100%" y1="{y}" y2="{y}"/>' in html
    without = probing.analysis(figures=(probing.against_k().model_copy(update={"chance": None}),))
    assert 'class="chance"' not in page.render(probing.probing_report(without))


def test_curves_stand_in_the_page_as_they_were_worked_out(html, report):
    drawn = [one for plot in curves.draw(report.analyses[0].figures) for one in plot.drawn]
    paths = re.findall(r'<path class="curve [^"]*" d="(M[\d.]+ [^"]*)"', html)
    assert sorted(path for path in paths if path != "M0 7H34") == sorted(one.line for one in drawn)
    assert html.count('class="area ') == sum(bool(one.ribbon) for one in drawn)


@pytest.mark.parametrize("make", [page.render, page.render_fragment])
def test_hostile_text_in_a_section_is_shown_and_inert(make):
    made = make(probing.probing_report(hostile()))
    seen = Page(made)
    assert seen.open == []
    assert set(seen.tags) <= HARMLESS | SVG_TEXT
    assert not [name for _, name, _ in seen.attributes if name.startswith("on") or name in {"src", "srcset"}]
    assert "<script" not in made
    assert "\x1b" not in made
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in made
    assert words.plain(ALL).split("@")[0] in seen.text


def test_hostile_text_elsewhere():
    made = probing.probing_report(hostile())
    shown = terminal.as_text(made)
    assert not set(shown) & {"\x1b", "\x07", "\N{RIGHT-TO-LEFT OVERRIDE}"}
    body = re.sub(r"\\.", "", markdown.render(made).split("## Reproduce")[0])
    for trick in ("<script", "](javascript", "@everyone", "`code`", "\n# heading", "\x1b"):
        assert trick not in body
    assert ESCAPE not in headline(made)


def test_a_hostile_run_is_written_inside_its_folder(tmp_path):
    made = probing.probing_report(hostile())
    folder.write(made, tmp_path / "run")
    assert folder.read(tmp_path / "run", Report) == made
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    (table,) = (tmp_path / "run" / "tables").iterdir()
    assert re.fullmatch(r"[A-Za-z0-9._-]+\.folds\.csv", table.name)


@pytest.mark.parametrize(
    ("headline", "others", "said"),
    [
        (40, 0, None),
        (41, 0, "1 more headline numbers"),
        (3, 7, "7 more other numbers"),
        (0, 7, "7 other numbers"),
    ],
)
def test_what_is_too_much_is_folded_away(headline, others, said):
    html = page.render(probing.probing_report(many(headline, others)))
    section = html.split('<section id="analysis-1">')[1].split("</section>")[0]
    assert section.count('<tr role="row">') == headline + others + ((headline > 0) + (said is not None))
    open_part = section.split("<details>")[0]
    assert open_part.count('class="name"') == min(40, headline)
    assert re.findall(r"<summary>(.*?)</summary>", section) == ([said] if said else [])


def test_so_many_numbers_that_they_are_left_out():
    text = Page(page.render(probing.probing_report(many(2, 1300)))).text
    assert "100 more stand in report.json." in text


@pytest.mark.parametrize(
    ("count", "at_once", "folded", "left"), [(12, 12, 0, 0), (13, 12, 1, 0), (70, 12, 48, 10)]
)
def test_many_figures_are_folded_and_very_many_left_out(count, at_once, folded, left):
    html = page.render(probing.probing_report(many(figures=count)))
    before, _, after = html.partition(f"<details><summary>{folded} more figures</summary>")
    assert before.count("<desc>") == at_once
    assert after.count("<desc>") == folded
    assert (f"{left} more figures stand in report.json." in html) == (left > 0)
    assert len(html.encode()) < 2 * 2**20


def test_the_terminal_says_sentences_and_headline_numbers(report, snapshot):
    assert terminal.as_text(report, None, 110) == snapshot


@pytest.mark.parametrize("width", [60, 80, 100])
def test_no_line_is_wider_than_the_terminal(report, width):
    lines = terminal.as_text(report, None, width).splitlines()
    assert max(map(len, lines)) <= width
    assert any("0.981 [0.969, 0.993]" in line for line in lines)


def test_the_terminal_and_the_summary_stop_at_thirty():
    made = probing.probing_report(many(50, 1000), many(2))
    text, summary = terminal.as_text(made), markdown.render(made)
    assert text.count("resid_post.6") == 32 + text.count("read from resid_post.6")
    assert "and 1,020 more in the report" in text
    assert "And 1,020 more in the report." in summary
    assert summary.count("| p 0.001 |") == 32
    alone = probing.probing_report(many(0, 5))
    assert "5 numbers in the report" in terminal.as_text(alone)
    assert "\n5 numbers in the report." in markdown.render(alone)


def test_the_summary_for_a_pull_request(report, snapshot):
    assert markdown.render(report) == snapshot


def test_the_verdict_line_is_the_first_sentence(report):
    assert headline(report) == f"{probing.SENTENCES[0][:-1]}; no gate was declared"
    assert view.tone(report) == "none"
    verdict = Verdict(gate="g", concept="food", outcome="pass", reason="Within.")
    assert headline(report.model_copy(update={"verdicts": (verdict,)})) == "1 passed"
    advisory = verdict.model_copy(update={"advisory": True})
    assert headline(report.model_copy(update={"verdicts": (advisory,)})) == "Advisory gates: 1 passed"


def test_without_a_sentence_the_verdict_line_counts_against_chance():
    silent = probing.analysis(summary=())
    assert headline(probing.probing_report(silent)).startswith("9 of 9 numbers differ from chance; no gate")
    bare = probing.analysis(summary=(), findings=())
    assert headline(probing.probing_report(bare)) == "No gate was declared: nothing was judged"


def test_empty_cases_render():
    empty = Figure(
        name="one",
        title="One",
        x_label="x",
        y_label="y",
        curves=(Curve(name="c", points=(Point(x=0, y=0),)),),
    )
    table = probing.folds(0)
    for made in (
        Analysis(analyzer="a", settings={}, findings=(), summary=("Nothing was found.",)),
        Analysis(analyzer="a", settings={}, findings=(), figures=(empty,)),
        Analysis(analyzer="a", settings={}, findings=(), tables=(table,)),
        Analysis(analyzer="a", settings={}, findings=(probing.finding("auc", site=None, group=None),)),
        Analysis(analyzer="a", settings={}, findings=tuple(checks(("x", "y"), None))),
    ):
        report = probing.probing_report(made)
        assert Page(page.render(report)).open == []
        assert terminal.as_text(report)
        assert markdown.render(report)


def test_a_missing_number_says_why_everywhere():
    reason = "fewer fillers than folds"
    missing = probing.finding("auc").estimate.model_copy(
        update={"value": None, "interval": None, "null": None, "reason": reason}
    )
    made = probing.probing_report(probing.analysis(findings=(probing.finding("auc", estimate=missing),)))
    for text in (
        page.render(made),
        markdown.render(made),
        " ".join(terminal.as_text(made, None, 160).split()),
    ):
        assert reason in text


def test_a_report_with_curves_and_tables_fits_its_schema(report):
    schema = Report.model_json_schema(mode="serialization")
    content = json.loads(folder.to_json(report))
    jsonschema.validate(content, schema)
    content["analyses"][0]["figures"][0]["curves"][0].pop("points")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, schema)
