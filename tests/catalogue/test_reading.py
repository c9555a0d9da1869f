"""What is wrong with a file is said in the file's own words: file, line or key, and what to do."""

from __future__ import annotations

import os

import pytest

from biaskit.catalogue import inside, read_audit_spec, read_probe_set
from biaskit.errors import CatalogueError
from tests.catalogue.texts import AUDIT, CONTROLS, PAIR, TARGETS

BROKEN_SETS = [
    ("not toml", TARGETS, 'kind = "target"', "kind = target", ["not TOML", "line 2"]),
    ("a key twice", TARGETS, "format = 1", "format = 1\nformat = 1", ["not TOML", "line 2"]),
    ("unknown key", TARGETS, "templates =", "template =", ["line 11, template:", "did you mean templates?"]),
    (
        "foreign key",
        CONTROLS,
        "format = 1",
        "format = 1\nzzz = 2",
        ["line 2, zzz", "known here: format,"],
    ),
    ("missing key", TARGETS, 'controls = "plain"', "", ["controls: this key is missing"]),
    ("no licence", TARGETS, 'licence = "CC0-1.0"', 'licence = ""', ["line 7, licence"]),
    ("newer format", TARGETS, "format = 1", "format = 2", ["line 1, format: this is 2; expected 1"]),
    ("no kind", TARGETS, 'kind = "target"', "", ["kind: this key is missing", "target, pair, controls"]),
    ("wrong kind", TARGETS, '"target"', '"tarhet"', ["'tarhet' is not one of target, pair, controls"]),
    ("wrong class", TARGETS, '"thing"', '"thin"', ["noun_class: this is 'thin'", "'thing' or 'person'"]),
    ("other name", TARGETS, 'name = "drinks"', 'name = "beverages"', ["'drinks'", "'beverages'", "the same"]),
    (
        "empty targets",
        TARGETS,
        'tea = ["tea", "green tea"]\njuice = ["juice"]',
        "",
        ["targets: this is em"],
    ),
    ("empty target", TARGETS, '["juice"]', "[]", ["targets.juice: this is empty"]),
    ("empty noun", TARGETS, '"green tea"', '""', ["targets.tea.1: an empty text"]),
    ("no templates", CONTROLS, '["table", "window"]', "[]", ["fillers: this is empty"]),
    ("noun twice", TARGETS, '"green tea"', '"tea"', ["targets.tea: 'tea' stands here twice"]),
    ("noun twice but for case", TARGETS, '"green tea"', '"TEA"', ["targets.tea: 'TEA' stands here twice"]),
    ("noun twice but for a space", TARGETS, '"green tea"', '" tea"', ["' tea' must be one line"]),
    ("two spaces", TARGETS, "green tea", "green  tea", ["'green  tea' must be one line"]),
    ("line break", TARGETS, "green tea", "green\\ntea", ["must be one line"]),
    ("control character", TARGETS, "green tea", "green\\u001btea", ["control character"]),
    ("template twice", TARGETS, "The {x} came up.", "we talked about the {x}.", ["templates:", "twice"]),
    ("no slot", TARGETS, "the {x}.", "it.", ["templates.0: 'We talked about it.'", "holds no slot"]),
    ("slot twice", TARGETS, "The {x} came", "The {x} of {x} came", ["exactly once", "{x} and {x}"]),
    ("wrong slot", TARGETS, "The {x} came", "The {target} came", ["must hold the slot {x}", "{target}"]),
    ("two slots", TARGETS, "The {x} came", "The {x} and {y} came", ["exactly once", "{x} and {y}"]),
    ("stem without its slot", PAIR, "{target}", "{x}", ["stems.thing.0", "{target} exactly once"]),
    ("reverse stem without its slot", PAIR, "{reference}", "{x}", ["reverse_stems.thing.0", "{reference}"]),
    ("stem with a space at its end", PAIR, "people are", "people are ", ["must be one line"]),
    ("one pole without fillers", PAIR, 'cold = ["rude", "harsh"]', "", ["fillers has no words", "'cold'"]),
    ("one pole empty", PAIR, '["rude", "harsh"]', "[]", ["fillers.cold: this is empty"]),
    ("one pole cannot continue", PAIR, 'cold = ["mean"]', "", ["continuations has no words", "'cold'"]),
    (
        "a third pole",
        PAIR,
        'cold = ["mean"]',
        'cold = ["mean"]\nmild = ["so"]',
        ["'mild'", "none of the poles"],
    ),
    ("filler on both poles", PAIR, '"rude"', '"Kind"', ["fillers has 'kind' on both poles"]),
    ("continuation on both poles", PAIR, '["mean"]', '["caring"]', ["continuations has 'caring' on both"]),
    ("one pole", PAIR, '["warm", "cold"]', '["warm", "warm"]', ["both poles are named 'warm'"]),
    ("three poles", PAIR, '["warm", "cold"]', '["warm", "cold", "mild"]', ["poles"]),
    ("no stems", PAIR, 'thing = ["Near the {target} people are"]', "", ["stems: this is empty"]),
    ("stems of two classes", PAIR, "thing = [", "person = [", ["same classes of nouns"]),
]

TWICE = '[[gates]]\nid = "small"\nmetric = "a.b"\nat_most = 1\n[[waivers]]'
BROKEN_AUDITS = [
    ("unknown key", AUDIT, "at_most", "atmost", ["gates.0.atmost", "did you mean at_most"]),
    ("unknown section", AUDIT, "[[waivers]]", "[[waiver]]", ["waiver: this key is not known", "waivers"]),
    ("no limit", AUDIT, "at_most = 0.5", "", ["'small' has no limit", "at_most or at_least"]),
    ("impossible limit", AUDIT, "at_most = 0.5", "at_most = 0.5\nat_least = 0.6", ["can never hold"]),
    ("limit not a number", AUDIT, "0.5", "nan", ["at_most"]),
    ("waiver of nothing", AUDIT, 'gate = "small"', 'gate = "smal"', ["no gate 'smal'", "mean small?"]),
    ("waiver without an end", AUDIT, "until = 2030-01-01", "", ["waivers.0.until: this key is missing"]),
    (
        "gate twice",
        AUDIT,
        "[[waivers]]",
        '[[gates]]\nid = "small"\nmetric = "a.b"\nat_most = 1\n[[waivers]]',
        ["twice"],
    ),
    ("concepts not a list", AUDIT, '["drinks"]', '"drinks"', ["concepts", "list"]),
    ("path upwards", AUDIT, '["drinks"]', '["../drinks.toml"]', ["'../drinks.toml' leaves the folder"]),
    ("path to a home", AUDIT, '["drinks"]', '["~/drinks.toml"]', ["leaves the folder"]),
    ("absolute path", AUDIT, '["drinks"]', '["/etc/drinks.toml"]', ["leaves the folder"]),
    ("path of another system", AUDIT, '["drinks"]', '["C:/drinks.toml"]', ["leaves the folder"]),
    ("backslashes", AUDIT, '["drinks"]', "['..\\drinks.toml']", ["leaves the folder"]),
    ("model outside", AUDIT, "[[analyzers]]", '[subject]\nmodel = "a/../../b"\n[[analyzers]]', ["leaves"]),
    ("setting outside", AUDIT, '"local"', '["/etc/passwd"]', ["'/etc/passwd' leaves the folder"]),
]


@pytest.mark.parametrize(
    ("text", "old", "new", "said"), [b[1:] for b in BROKEN_SETS], ids=[b[0] for b in BROKEN_SETS]
)
def test_a_broken_set_is_refused_with_file_key_and_help(write, text, old, new, said):
    path = write(text, old, new, name=text.split('name = "', 1)[1].split('"', 1)[0])
    with pytest.raises(CatalogueError) as caught:
        read_probe_set(path)
    assert str(path) in str(caught.value)
    assert caught.value.fix
    assert caught.value.exit_code == 2
    for piece in said:
        assert piece in str(caught.value)


@pytest.mark.parametrize(
    ("text", "old", "new", "said"), [b[1:] for b in BROKEN_AUDITS], ids=[b[0] for b in BROKEN_AUDITS]
)
def test_a_broken_audit_is_refused_with_help(write, text, old, new, said):
    path = write(text, old, new)
    with pytest.raises(CatalogueError) as caught:
        read_audit_spec(path)
    assert str(path.parent) in str(caught.value)
    assert caught.value.fix
    for piece in said:
        assert piece in str(caught.value)


@pytest.mark.parametrize("text", [TARGETS, PAIR, CONTROLS])
def test_the_texts_that_are_broken_above_are_sound(write, text):
    path = write(text)
    assert read_probe_set(path).name == path.stem


def test_a_sound_audit_reads(write):
    spec = read_audit_spec(
        write(AUDIT, '["drinks"]', '["drinks", "food", "more/../drinks2.toml"]'.replace("more/../", ""))
    )
    assert spec.analyzers[0].settings == {"sae": "local"}


@pytest.mark.parametrize("model", ["gpt2", "org/name", "organism:reviews", "demo", "models/local"])
def test_model_names_that_stay_inside(write, model):
    path = write(AUDIT, "[[analyzers]]", f'[subject]\nmodel = "{model}"\n[[analyzers]]')
    assert read_audit_spec(path).subject.model == model


def test_not_utf8_names_line_and_byte(tmp_path):
    path = tmp_path / "drinks.toml"
    path.write_bytes(TARGETS.replace("green tea", "gr\u00fcner tee").encode("latin-1"))
    with pytest.raises(CatalogueError, match=r"not UTF-8 text") as caught:
        read_probe_set(path)
    assert "Line 14 holds the byte 0xfc" in str(caught.value)
    assert "Save the file as UTF-8" in caught.value.fix


def test_utf16_is_refused(tmp_path):
    path = tmp_path / "drinks.toml"
    path.write_text(TARGETS, encoding="utf-16")
    with pytest.raises(CatalogueError, match="not UTF-8"):
        read_probe_set(path)


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path, write):
    path = tmp_path / "drinks.toml"
    path.write_bytes(b"\xef\xbb\xbf" + TARGETS.replace("\n", "\r\n").encode())
    changed = read_probe_set(path)
    assert changed.digest == read_probe_set(write(TARGETS)).digest


def test_an_empty_file(tmp_path):
    path = tmp_path / "drinks.toml"
    path.write_bytes(b"")
    with pytest.raises(CatalogueError, match="kind: this key is missing"):
        read_probe_set(path)


def test_hostile_nesting_is_an_error_not_a_crash(tmp_path):
    path = tmp_path / "drinks.toml"
    path.write_text("x = " + "[" * 100_000)
    with pytest.raises(CatalogueError, match="nested too deeply"):
        read_probe_set(path)


def test_many_problems_are_cut_short(write):
    nouns = ", ".join(f'" n{i}"' for i in range(10))
    with pytest.raises(CatalogueError) as caught:
        read_probe_set(write(CONTROLS, '"table", "window"', nouns))
    assert "… and 5 more" in caught.value.why
    assert len(caught.value.why.splitlines()) == 6


def test_a_file_that_may_not_be_read(tmp_path):
    folder = tmp_path / "drinks.toml"
    folder.mkdir()
    with pytest.raises(CatalogueError, match="cannot be read"):
        read_probe_set(folder)


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links on this system")
def test_a_link_does_not_lead_out_of_the_folder(tmp_path, write):
    (tmp_path / "in").mkdir()
    outside = write(TARGETS)
    (tmp_path / "in" / "drinks.toml").symlink_to(outside)
    with pytest.raises(CatalogueError, match="leaves the folder"):
        inside(tmp_path / "in", "drinks.toml")
    assert inside(tmp_path, "drinks.toml") == outside.resolve()
