"""Contact sheets and dot plots in every form of a report."""

import re

import pytest
from pydantic import ValidationError

from biaskit.images.tiles import colour_bar
from biaskit.records.contact_sheet import ColourBar
from biaskit.records.dot_plot import Dot, DotPlot, DotRow
from biaskit.reporting import dots, markdown, page, terminal
from tests.reporting import pictures
from tests.reporting.hostile import ALL
from tests.reporting.test_page import HARMLESS, Page

SVG_TEXT = {"title", "desc"}


@pytest.fixture(scope="module")
def html():
    return page.render(pictures.pictured())


def test_every_picture_travels_inside_the_page(html):
    sources = re.findall(r'<img src="([^"]+)"', html)
    assert len(sources) == 18
    assert all(one.startswith("data:image/png;base64,iVBORw0KGgo") for one in sources)
    assert "img-src data:" in html
    assert len(html) < 2_000_000


def test_a_picture_says_what_it_shows_and_a_mistake_is_no_matter_of_colour(html):
    assert html.count('alt="heat map over test/002.png"') == 1
    assert html.count("✕</span> seven") == 5
    assert html.count("✓</span> seven") == 1
    assert "taken for</span> four" in html


def test_what_was_drawn_is_neither_right_nor_wrong():
    drawn = {"label": "a photo of the nurse", "prediction": "female", "confidence": None, "remark": "97%"}
    html = page.render(
        pictures.pictured(sheets=(pictures.sheet(tiles=(pictures.tile(0).model_copy(update=drawn),)),))
    )
    assert "a photo of the nurse: <b>female</b>" in html
    assert ">97 %<" in html
    assert "taken for" not in html


def test_the_first_column_of_a_dot_plot_says_what_its_rows_are(html):
    assert ">group</th>" in html
    (plot,) = pictures.pictured().analyses[0].dots
    target = pictures.pictured(dots=(plot.model_copy(update={"of": "target"}),))
    assert ">target</th>" in page.render(target)


def test_maps_on_one_scale_have_a_bar_of_its_colours():
    bar = ColourBar(image=colour_bar(), low="0", high="<b>2</b> nats")
    html = page.render(pictures.pictured(sheets=(pictures.sheet(bar=bar),)))
    assert 'alt="colours of the heat maps, from 0 to &lt;b&gt;2&lt;/b&gt; nats"' in html
    assert html.count('class="bar"') == 1


def test_a_sheet_stays_text_whatever_its_names_are():
    tile = pictures.tile(0).model_copy(update={"name": ALL, "label": ALL, "remark": ALL})
    hostile = pictures.pictured(sheets=(pictures.sheet(title=ALL, caption=ALL, tiles=(tile,)),))
    seen = Page(page.render(hostile))
    assert seen.open == []
    assert set(seen.tags) <= HARMLESS | SVG_TEXT | {"img"}
    assert all(
        value.startswith("data:") for tag, name, value in seen.attributes if (tag, name) == ("img", "src")
    )
    assert not [name for _, name, _ in seen.attributes if name.startswith("on")]
    assert "<script" not in markdown.render(hostile)
    assert "\x1b" not in page.render(hostile)


@pytest.mark.parametrize("data", ['x" onerror="', "PHN2Zz48L3N2Zz4=", ""])
def test_what_is_no_png_is_no_picture(data):
    with pytest.raises(ValidationError):
        pictures.tile(0).model_validate(pictures.tile(0).model_dump() | {"image": data})


def test_groups_stand_on_one_axis_with_their_intervals(html):
    assert "seven, blue: before 12 % [7 %, 13 %], after 91 % [85 %, 93 %]" in html
    assert "four, blue: before not measured, after 67 %" in html
    assert "Whiskers: 95 % interval" in html


def test_shares_lie_between_nothing_and_all_and_other_units_around_zero():
    assert (dots.Plot.of(pictures.dots()).scale.low, dots.Plot.of(pictures.dots()).scale.high) == (0, 1)
    signed = pictures.dots(
        rows=(DotRow(name="a", n=3, dots=(Dot(series="before", value=-0.4, low=-0.6, high=0.1),)),)
    )
    assert dots.Plot.of(signed).scale.low < -0.6


def test_a_dot_of_no_series_is_refused():
    with pytest.raises(ValidationError, match="unnamed series"):
        DotPlot(
            name="a",
            title="a",
            series=("x",),
            rows=(DotRow(name="r", n=1, dots=(Dot(series="y", value=1),)),),
        )


def test_markdown_lists_groups_and_members():
    text = markdown.render(pictures.pictured())
    assert "| seven, blue | 12 % \\[7 %, 13 %\\] | 91 % \\[85 %, 93 %\\] | 212 |" in text
    assert "test/000.png" in text


def test_the_terminal_says_that_there_are_pictures():
    assert "1 contact sheet" in terminal.as_text(pictures.pictured())
