"""The verbs around the audit."""

import json

import jsonschema
import pytest

from biaskit import cli, organisms, reporting
from biaskit.reporting import folder, view, words
from tests.reporting.hostile import hostile_report
from tests.reporting.sample import build_report


@pytest.fixture
def saved(tmp_path):
    folder.write(build_report(), tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize("verb", sorted(cli.VERBS))
def test_every_verb_has_help(biaskit, verb):
    done = biaskit(verb, "--help")
    assert done.code == 0
    assert "Usage: biaskit" in done.out


def test_the_help_page_names_every_verb(biaskit):
    out = biaskit("--help").out
    assert all(f"\n  {verb} " in out for verb in cli.VERBS)


@pytest.mark.parametrize(
    ("flags", "code"), [((), 1), (("--fail-on", "never"), 0), (("--fail-on", "undecided"), 1)]
)
def test_gate_judges_a_saved_run(biaskit, saved, flags, code):
    before = (saved / "report.json").read_bytes()
    done = biaskit("gate", saved, *flags)
    assert done.code == code
    assert "sentiment-gap" in done.out
    assert (saved / "report.json").read_bytes() == before


def test_gate_takes_the_limits_of_another_audit(biaskit, saved, tmp_path):
    spec = 'format = 1\nname = "lax"\n[[gates]]\nid = "lax"\nmetric = "biaslens.score"\nat_most = 9.0\n'
    (tmp_path / "lax.toml").write_text(spec)
    done = biaskit("gate", saved, "-c", tmp_path / "lax.toml", "-q")
    assert done.code == 0
    assert "20 passed" in done.out


def test_report_writes_several_forms_by_ending(biaskit, saved, tmp_path):
    endings = [form.endings[0] for form in reporting.FORMS.values()]
    files = [tmp_path / f"x{ending}" for ending in endings]
    assert biaskit("report", saved, *(part for file in files for part in ("-o", file))).code == 0
    assert [file.name for file in files if "food" not in file.read_text()] == []


@pytest.mark.parametrize("form", sorted(reporting.FORMS))
def test_a_form_alone_goes_to_the_standard_output(biaskit, saved, form):
    done = biaskit("report", saved, "--format", form)
    assert (done.code, "food" in done.out) == (0, True)


def test_forms_and_files_come_in_pairs(biaskit, saved, tmp_path):
    done = biaskit("report", saved, "-f", "junit", "-f", "sarif", "-o", "a.txt", "-o", "b.txt")
    assert done.code == 0
    assert (tmp_path / "a.txt").read_text().startswith("<?xml")
    assert json.loads((tmp_path / "b.txt").read_text())["version"] == "2.1.0"
    done = biaskit("report", saved, "-f", "junit", "-f", "sarif", "-o", "c.txt")
    assert (done.code, "2 forms were named for 1 files" in done.err) == (2, True)


def test_report_writes_over_nothing_unless_told_to(biaskit, saved, tmp_path):
    (tmp_path / "x.md").write_text("mine")
    done = biaskit("report", saved, "-o", "new.html", "-o", "x.md")
    assert (done.code, "'x.md' exists already" in done.err) == (2, True)
    assert (tmp_path / "x.md").read_text() == "mine"
    assert not (tmp_path / "new.html").exists()
    assert biaskit("report", saved, "-o", "x.md", "--force").code == 0
    assert "food" in (tmp_path / "x.md").read_text()


UNREADABLE = "is not a report that this version reads"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"schema_version": 1', '"schema_version": 9'),
        lambda text: text.replace('"value": 1.32', '"value": NaN', 1),
        lambda text: text.replace('"unit": "nat"', '"unit": "nats"', 1),
        lambda text: "[]",
        lambda text: "",
    ],
    ids=["cut", "newer", "nan", "unit", "list", "empty"],
)
@pytest.mark.parametrize("verb", ["report", "gate"])
def test_a_report_that_was_tampered_with_is_refused_in_words(biaskit, saved, spoil, verb):
    file = saved / "report.json"
    file.write_text(spoil(file.read_text()))
    done = biaskit(verb, saved)
    assert done.code == 2
    newer = "is a report of schema version 9, and this version of biaskit reads 1"
    assert (newer if '"schema_version": 9' in file.read_text() else UNREADABLE) in done.err
    assert "→" in done.err
    assert "Traceback" not in done.err


def test_verify_tells_what_the_run_did_not_write(biaskit, saved):
    (saved / "notes.txt").write_text("ours")
    out = biaskit("verify", str(saved)).out
    assert "not written by the run, nothing vouches for it: notes.txt" in out


def test_report_shows_a_run(biaskit, saved):
    assert "+1.32 [+1.16, +1.48]" in biaskit("report", saved).out
    assert "+1.32 [+1.16, +1.48]" in biaskit("show", saved).out


def test_report_refuses_an_unknown_form(biaskit, saved):
    done = biaskit("report", saved, "-o", "x.pdf")
    assert (done.code, "form of report named '.pdf'" in done.err, "--format" in done.err) == (2, True, True)
    done = biaskit("report", saved, "--format", "juint")
    assert (done.code, "Did you mean junit" in done.err) == (2, True)


@pytest.mark.parametrize("verb", ["gate", "report"])
def test_what_is_no_run_is_refused(biaskit, tmp_path, verb):
    assert biaskit(verb, tmp_path).code == 2
    assert biaskit(verb, tmp_path / "nowhere").code == 2


@pytest.mark.parametrize("verb", ["gate", "report"])
def test_hostile_text_reaches_no_terminal(biaskit, tmp_path, verb):
    folder.write(hostile_report(), tmp_path / "run")
    done = biaskit(verb, tmp_path / "run")
    assert not set(done.out + done.err) & {"\x1b", "\x07", "\N{RIGHT-TO-LEFT OVERRIDE}"}


@pytest.mark.parametrize("kind", ["report", "spec", "probe-set"])
def test_schemas_are_schemas(biaskit, kind):
    jsonschema.Draft202012Validator.check_schema(json.loads(biaskit("schema", kind).out))


def test_a_saved_run_fits_the_printed_schema(biaskit, saved):
    schema = json.loads(biaskit("schema", "report").out)
    jsonschema.validate(json.loads((saved / "report.json").read_text()), schema)


@pytest.mark.parametrize(
    ("what", "holds"),
    [
        ("concepts", "food"),
        ("references", "sentiment"),
        ("controls", "neutral-nouns"),
        ("audits", "quick"),
        ("analyzers", "biaslens"),
        ("organisms", "organism:reviews"),
    ],
)
def test_list(biaskit, what, holds):
    done = biaskit("list", what)
    assert done.code == 0
    assert holds in done.out


def test_list_and_doctor_show_broken_plug_ins_and_go_on(biaskit, plugins, tmp_path, monkeypatch):
    (tmp_path / "raises_at_once.py").write_text("raise RuntimeError('no licence')")
    monkeypatch.syspath_prepend(tmp_path)
    point = type(plugins[0])
    plugins[:] = [
        point("odd", "no_such_package:Thing", "biaskit.analyzers"),
        point("bursting", "raises_at_once:Thing", "biaskit.analyzers"),
        plugins[0],
    ]
    out = biaskit("list", "analyzers").out
    assert out.count("broken:") == 2
    assert all(word in out for word in ("no_such_package", "no licence", "steady"))
    told = biaskit("doctor")
    assert told.code == 1
    assert "! bursting: RuntimeError: no licence" in told.out


def test_list_goes_on_past_a_broken_file(biaskit, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "odd.toml").write_text("kind = ")
    done = biaskit("list", "concepts", "--probes", tmp_path / "mine")
    assert "food" in done.out
    assert "odd.toml" in done.err


@pytest.mark.parametrize(
    ("name", "holds"),
    [
        ("food", "soup"),
        ("sentiment", "poles"),
        ("neutral-nouns", "nouns"),
        ("quick", "biaslens"),
        ("biaslens", "axis_controls"),
        ("winobias-occupations/nurse", "nurse"),
    ],
)
def test_show(biaskit, name, holds):
    done = biaskit("show", name)
    assert done.code == 0, done.err
    assert holds in done.out


def test_show_answers_a_typo(biaskit):
    done = biaskit("show", "biaslense")
    assert (done.code, "biaslens" in done.err) == (2, True)


def test_validate_accepts_what_ships(biaskit):
    done = biaskit("validate", "food", "sentiment", "neutral-nouns", "quick")
    assert (done.code, "4 of 4" in done.out) == (0, True)


def test_validate_tells_each_fault_and_goes_on(biaskit, tmp_path):
    (tmp_path / "a.toml").write_text("kind = ")
    (tmp_path / "b.toml").write_text('format = 1\nname = "b"\nconcepts = ["foood"]\n')
    (tmp_path / "c.toml").write_bytes(b"\xff\xfe")
    (tmp_path / "d.toml").write_text('format = 1\nname = "d"\nconcepts = ["food"]\n')
    done = biaskit("validate", tmp_path)
    assert done.code == 2
    assert "1 of 4" in done.out
    assert all(name in done.err for name in ("a.toml", "foood", "c.toml"))


def test_validate_of_nothing(biaskit, tmp_path):
    assert biaskit("validate", tmp_path).code == 5


def test_organism_build_hands_its_flags_on(biaskit, monkeypatch, tmp_path):
    seen = {}
    monkeypatch.setattr(organisms, "build", lambda name, **rest: seen.update(rest, name=name), raising=False)
    done = biaskit("organism", "build", "reviews", "--seed", "3", "--null", "--out", tmp_path / "twin", "-q")
    assert done.code == 0
    seen.pop("progress")
    assert seen == {"name": "reviews", "seed": 3, "null": True, "out": tmp_path / "twin"}
    assert "organism:reviews" in biaskit("organism", "list").out


def test_doctor_tells_versions_and_places(biaskit):
    done = biaskit("doctor")
    assert "torch" in done.out
    assert "activations" in done.out
    assert "biaslens" in done.out
    assert done.code in {0, 1}


def test_an_error_that_is_not_ours_shows_no_traceback(biaskit, monkeypatch, saved):
    def burst(*_):
        raise ValueError("a bug\x1b[31m")

    monkeypatch.setattr("biaskit.reporting.render", burst)
    done = biaskit("report", saved, "-o", "x.html")
    assert done.code == 3
    assert "Traceback" not in done.err
    assert "ValueError: a bug<1B>[31m" in done.err
    with pytest.raises(ValueError, match="a bug"):
        biaskit("report", saved, "-o", "x.html", "--debug")


GATED = 'format = 1\nname = "g"\n[[gates]]\nid = "g"\nmetric = "{}"\nat_most = 9.0\n'


@pytest.mark.parametrize("verb", [("validate",), ("gate", "run", "-c")])
def test_a_gate_on_a_misspelt_metric_is_refused(biaskit, saved, tmp_path, verb):
    suite = tmp_path / "g.toml"
    suite.write_text(GATED.format("biaslens.scroe"))
    done = biaskit(*verb, suite)
    assert (done.code, "Did you mean biaslens.score" in done.err) == (2, True)
    suite.write_text(GATED.format("biaslens.score"))
    assert biaskit(*verb, suite).code == 0


def test_a_gate_that_judged_nothing_exits_with_5(biaskit, saved, tmp_path):
    suite = tmp_path / "g.toml"
    suite.write_text(GATED.format("biaslens.score") + '[gates.where]\nconcept = "fod"\n')
    done = biaskit("gate", saved, "-c", suite)
    assert (done.code, "no finding of biaslens.score" in " ".join(done.out.split())) == (5, True)


def test_a_gates_line_shows_the_group(biaskit, saved, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    lines = [line for line in biaskit("gate", saved).out.splitlines() if "sentiment-gap" in line]
    assert lines
    assert all("references given target" in line for line in lines)


@pytest.mark.parametrize("name", ["biaslens", "sparse-probing"])
def test_show_says_what_each_setting_takes_and_does(biaskit, name):
    out = biaskit("show", name).out
    assert "preset = " in out
    assert "Takes nested or paper." in out or "Takes oriented or paper." in out
    assert "autoencoder = auto" in out
    assert "a folder, or `release:id`" in out


def test_gate_says_the_gravest_first_and_why_below(biaskit, saved, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    _, *lines = [line.rstrip() for line in biaskit("gate", saved).out.splitlines()]
    about, why = lines[:-1:2], lines[1:-1:2]
    order = [words.OUTCOME_WORDS[one] for one in view.ORDER]
    told = [line.split("  ")[0] for line in about]
    assert told == sorted(told, key=order.index)
    assert len(set(told)) > 1
    assert all(line.startswith(" ") and line.endswith(".") for line in why)
