"""Pictures in matplotlib: what is drawn stands where the numbers are."""

import subprocess
import sys

import pytest

from biaskit.errors import RequestError, UnknownNameError
from biaskit.records.dot_plot import Dot, DotPlot, DotRow
from biaskit.records.figure import Curve, Figure, Point
from biaskit.runner.run import Run
from tests.reporting import sample

plt = pytest.importorskip("matplotlib.pyplot")
HOSTILE = "$x_{$ <b>\x1b[31m"


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def with_pictures():
    views = tuple(
        DotPlot(
            name=f"views-{number}",
            title=HOSTILE,
            series=("inside", "behaviour"),
            chance=0.0,
            rows=(
                DotRow(name=HOSTILE, n=4, dots=(Dot(series="inside", value=0.5, low=0.25, high=0.75),)),
                DotRow(name="none", n=0, dots=(Dot(series="behaviour", value=None),)),
            ),
        )
        for number in (1, 2)
    )
    curve = Curve(name="probe", points=(Point(x=1, y=0.5, low=0.4, high=0.6), Point(x=10, y=0.9)))
    figure = Figure(name="rows", title="t", x_label="rows", y_label="AUC", x_scale="log", curves=(curve,))
    held = sample.build_report().model_dump()
    pictures = {"dots": [one.model_dump() for one in views], "figures": [figure.model_dump()]}
    return Run.model_validate(held | {"analyses": [held["analyses"][0] | pictures]})


@pytest.fixture(scope="module")
def run():
    return with_pictures()


def placed(axes):
    """Where marks stand: the x of each line of one point."""
    return [float(line.get_xdata()[0]) for line in axes.lines if len(line.get_xdata()) == 1]


def test_the_headline_numbers_stand_where_they_are(run):
    panels = run.plot()
    headline = [one for one in run.findings() if one.headline]
    assert len(panels) == len({(one.metric, one.estimate.unit) for one in headline})
    drawn = [value for axes in panels for value in placed(axes)]
    assert sorted(drawn) == sorted(one.estimate.value for one in headline if one.estimate.value is not None)


def test_intervals_are_drawn_from_end_to_end(run):
    (axes,) = run.plot("biaslens.score")
    spans = {tuple(map(float, line.get_xdata())) for line in axes.lines if len(line.get_xdata()) == 2}
    wanted = [one.estimate.interval for one in run.findings("biaslens.score") if one.estimate.interval]
    assert {(one.low, one.high) for one in wanted} <= spans
    assert "95 % interval" in axes.get_xlabel()
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first row is the upper one


def test_a_number_that_was_not_measured_says_so():
    held = sample.build_report().model_dump()
    finding = held["analyses"][0]["findings"][0]
    finding["estimate"] |= {"value": None, "interval": None, "null": None, "reason": "no word was left"}
    (axes,) = Run.model_validate(held).plot(finding["metric"])
    assert [text.get_text() for text in axes.texts] == ["not measured"]


def test_a_name_stands_for_its_numbered_pictures(run):
    assert len(run.plot("views")) == 2
    (axes,) = run.plot("views-1")
    assert placed(axes) == [0.5]
    assert len(axes.get_yticklabels()) == 2


def test_curves_have_bands_and_their_scale(run):
    (axes,) = run.plot("rows")
    assert axes.get_xscale() == "log"
    assert list(axes.lines[0].get_ydata()) == [0.5, 0.9]
    assert len(axes.collections) == 1


def test_hostile_names_are_drawn_as_they_are(run):
    (axes,) = run.plot("views-1")
    axes.figure.canvas.draw()
    shown = axes.get_yticklabels()[0].get_text()
    assert "\x1b" not in shown
    assert r"\$x_{\$" in shown


def test_a_typo_is_answered_with_near_names(run):
    with pytest.raises(UnknownNameError, match="views"):
        run.plot("vews")


def test_without_headline_numbers_a_picture_is_named(run):
    held = run.model_dump()
    for finding in held["analyses"][0]["findings"]:
        finding["headline"] = False
    with pytest.raises(RequestError, match="no headline number") as told:
        Run.model_validate(held).plot()
    assert "views" in told.value.fix


def test_without_matplotlib_it_says_what_to_install(tmp_path):
    Run.model_validate(sample.build_report().model_dump()).save(tmp_path)
    code = (
        "import sys\nsys.modules['matplotlib'] = None\nimport biaskit\n"
        f"biaskit.load_report({str(tmp_path)!r}).plot()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "MissingExtraError" in done.stderr
    assert "pip install 'biaskit[plot]'" in done.stderr
