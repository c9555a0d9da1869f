"""Whatever a notebook hands to `audit` is taken where its meaning is plain, and else refused in words."""

from pathlib import Path

import pandas as pd
import pytest

import biaskit
from biaskit.errors import BiaskitError, RequestError, UnknownNameError
from biaskit.runner import arguments
from biaskit.runner.request import Options, request

FRAME = pd.DataFrame(
    {"text": ["a", "b", "c", "d"], "label": [1, 0, 1, 0], "who": list("pqpq"), "prompt": list("efgh")}
)


def ask(concepts="food", **options):
    return request("some/model", concepts, (), None, Options(**options))


@pytest.mark.parametrize("concepts", [("food", "service"), ["food", "service"], "food, service"])
def test_names_may_be_listed_in_any_way(concepts):
    assert ask(concepts).spec.concepts == ("food", "service")


def test_the_cache_may_be_switched_on_and_off():
    assert [ask(cache=one).cache for one in (False, None, "x", Path("x"))] == [
        None,
        None,
        Path("x"),
        Path("x"),
    ]
    assert ask(cache=True).cache == arguments.default_cache()


def test_settings_may_stand_under_their_analyzer():
    two = {"analyzers": ("biaslens", "sparse-probing")}
    asked = ask(**two, settings={"sparse-probing": {"ks": (1, 2)}, "biaslens.axes": {"stated"}})
    assert [one.settings for one in asked.spec.analyzers] == [{"axes": ["stated"]}, {"ks": [1, 2]}]


@pytest.mark.parametrize(
    "settings",
    [{"sparse-probng.repeats": 1}, {"sparse-probing": {"repeats": 1}}, {"sparse-probing.repeats": 1}],
)
def test_a_setting_that_nothing_would_read_is_refused(settings):
    with pytest.raises(UnknownNameError, match="analyzer in this run named 'sparse-prob"):
        ask(settings=settings)


@pytest.mark.parametrize("form", [lambda frame: frame, lambda frame: [frame], lambda frame: (frame,)])
def test_a_data_frame_is_data(form):
    asked = ask((), data=form(FRAME), text_column="prompt", group_columns="who", positive=1)
    (found,) = asked.labelled
    assert (found.name, found.texts, found.labels) == ("data", tuple("efgh"), ("1", "0", "1", "0"))
    assert (found.positive, found.groups) == ("1", {"who": tuple("pqpq")})
    assert asked.spec.data == ()


def test_several_data_frames_have_names_of_their_own():
    asked = ask((), data=[FRAME, FRAME.head(3)])
    assert [(one.name, len(one.texts)) for one in asked.labelled] == [("data", 4), ("data-2", 3)]


def test_a_shifted_data_frame():
    (found,) = ask((), data=FRAME, shifted=FRAME.tail(2)).labelled
    assert found.shifted.texts == ("c", "d")


@pytest.mark.parametrize(
    "wrong",
    [
        {"concepts": 3},
        {"concepts": {"food": 1}},
        {"concepts": (("food", "service"),)},
        {"references": 3},
        {"analyzers": 3},
        {"spec": 3},
        {"settings": 3},
        {"settings": {"axes": object()}},
        {"changes": 3},
        {"limit": "a"},
        {"limit": 1},
        {"seed": True},
        {"out_dir": 3},
        {"probes": 3},
        {"cache": 3},
        {"offline": "yes"},
        {"data": {"text": ["a"], "label": ["b"]}},
        {"data": FRAME, "label_column": "lable"},
        {"data": FRAME, "text_column": 3},
        {"data": FRAME.assign(label=[4.37, 5.12, 6.0, None])},
        {"data": "mine.csv", "shifted": FRAME},
        {"nonsense": 1},
        {"analyzer": "biaslens"},
    ],
    ids=" ".join,
)
def test_what_cannot_be_is_refused_in_words(wrong, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.csv").write_text("text,label\na,1\nb,0\n")
    with pytest.raises(BiaskitError) as caught:
        biaskit.audit("some/model", **({"concepts": "food"} | wrong))
    assert isinstance(caught.value, RequestError)
    assert "pydantic" not in str(caught.value)


@pytest.mark.usefixtures("plugins", "fake_model")
def test_the_call_is_written_down_without_the_data():
    command = biaskit.audit("some/model", data=[FRAME], analyzers="counting", seed=3).run.command
    assert command == "biaskit.audit('some/model', analyzers='counting', seed=3)"
