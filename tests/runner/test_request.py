"""Every name of a request is found, and every mistake answered, before a model is opened."""

from datetime import date

import pytest

from biaskit.errors import BiaskitError, CatalogueError, RequestError, UnknownNameError
from biaskit.records.audit_spec import AnalyzerSpec, AuditSpec, Gate, Subject
from biaskit.runner.request import Options, parse_value, request


def ask(model="some/model", concepts="food", references=(), spec=None, **options):
    return request(model, concepts, references, spec, Options(**options))


def test_the_shortest_request_is_complete():
    asked = ask()
    assert asked.spec.subject == Subject(model="some/model")
    assert asked.spec.concepts == ("food",)
    assert asked.spec.analyzers == (AnalyzerSpec(name="biaslens"),)
    assert [(t.name, p.name, c.name) for t, p, c in asked.comparisons] == [
        ("food", "sentiment", "neutral-nouns")
    ]
    assert not asked.partial


@pytest.mark.parametrize(
    "concepts", ["food,service", " food , service", ["food", "service"], ("food,service",)]
)
def test_names_come_with_commas_or_as_a_list(concepts):
    assert ask(concepts=concepts).spec.concepts == ("food", "service")


def test_what_is_asked_wins_over_the_suite():
    suite = AuditSpec(
        name="mine",
        subject=Subject(model="other/model", dtype="bfloat16", device="cpu"),
        concepts=("service",),
        analyzers=(AnalyzerSpec(name="biaslens", settings={"axis_controls": 8}),),
        gates=(Gate(id="gap", metric="biaslens.score", at_most=0.5),),
        seed=3,
    )
    asked = ask(
        concepts="food",
        spec=suite,
        dtype="float32",
        seed=4,
        settings={"words_per_pole": 2, "biaslens.axis_controls": 9},
        changes={"gates.0.at_most": 0.25},
    )
    assert asked.spec.subject == Subject(model="some/model", dtype="float32", device="cpu")
    assert asked.spec.concepts == ("food",)
    assert asked.spec.analyzers[0].settings == {"axis_controls": 9, "words_per_pole": 2}
    assert asked.spec.gates[0].at_most == 0.25
    assert asked.spec.seed == 4
    kept = ask(model=None, concepts=(), spec=suite)
    assert kept.spec == suite


def test_a_setting_may_be_a_tuple():
    asked = request("demo", "food", (), None, {"settings": {"axes": ("stated", "cav")}})
    assert asked.spec.analyzers[0].settings == {"axes": ["stated", "cav"]}


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ({"concepts": "foood"}, "food"),
        ({"references": "sentimnt"}, "sentiment"),
        ({"analyzers": ["biaslense"]}, "biaslens"),
        ({"spec": "qick"}, "quick"),
        ({"model": "organism:revews"}, "reviews"),
    ],
)
def test_a_typo_is_answered_with_near_names(wrong, near):
    with pytest.raises(UnknownNameError, match=near):
        ask(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": None},
        {"concepts": ()},
        {"dtype": "float12"},
        {"batch_size": 0},
        {"changes": {"gates.7.at_most": 1}},
        {"changes": {"no.such.field": 1}},
        {"changes": {"surprise": 1}},
        {"spec": AuditSpec(name="x", gates=(Gate(id="g", metric="a.b"),))},
        {"probes": "/no/such/folder"},
        {"concepts": "sentiment"},
    ],
)
def test_what_cannot_be_carried_out_is_refused(wrong):
    with pytest.raises(RequestError) as caught:
        ask(**wrong)
    assert caught.value.exit_code == 2


def test_a_suite_from_a_file_may_name_what_stands_beside_it(tmp_path):
    (tmp_path / "mine.toml").write_text(
        'format = 1\nname = "mine"\nconcepts = ["food"]\n[subject]\nmodel = "some/model"\n', encoding="utf-8"
    )
    assert ask(model=None, concepts=(), spec=tmp_path / "mine.toml").spec.name == "mine"
    (tmp_path / "bad.toml").write_text(
        'format = 1\nname = "bad"\nconcepts = ["../x.toml"]\n', encoding="utf-8"
    )
    with pytest.raises(CatalogueError):
        ask(spec=tmp_path / "bad.toml", concepts=())


def test_a_limit_keeps_a_few_and_marks_the_run():
    asked = ask(limit=3)
    targets, pair, controls = asked.comparisons[0]
    assert asked.partial
    assert len(targets.templates) == 3
    assert {len(words) for words in targets.targets.values()} == {3}
    assert {len(words) for words in pair.fillers.values()} == {3}
    assert len(controls.fillers) == 20
    assert pair.continuations == ask().comparisons[0][1].continuations


def test_a_loaded_model_is_handed_on():
    model = object()
    asked = ask(model=model)
    assert asked.model is model
    assert asked.spec.subject.model == "object"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("0.5", 0.5),
        ("true", True),
        ('["a", "b"]', ["a", "b"]),
        ('"3"', "3"),
        ("auto", "auto"),
        ("resid_post.6", "resid_post.6"),
        ("", ""),
        ("2027-03-31", date(2027, 3, 31)),
    ],
)
def test_values_of_the_command_line(text, value):
    assert parse_value(text) == value


def test_every_refusal_is_one_of_ours():
    for wrong in ({"concepts": "x" * 200}, {"concepts": "../../etc/passwd"}, {"concepts": "food/nurse"}):
        with pytest.raises(BiaskitError):
            ask(**wrong)


@pytest.mark.parametrize(
    ("settings", "near"),
    [({"behaviour.crows_pair": "x.csv"}, "crows_pairs"), ({"association.test": "weat.json"}, "tests")],
)
def test_a_misspelt_file_of_a_benchmark_is_what_is_wrong(settings, near):
    name = next(iter(settings)).partition(".")[0]
    with pytest.raises(UnknownNameError, match=f"setting of {name}") as caught:
        request("demo", (), (), None, {"analyzers": (name,), "settings": settings})
    assert near in str(caught.value)
