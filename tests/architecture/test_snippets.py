"""Every command, Python block and TOML block of the documents is one that works.

A block under the line `<!-- runs -->` is executed in the slow tier; every other one is read closely.
"""

import ast
import re
import shlex
import textwrap
import tomllib
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

import biaskit
from biaskit import analyzers, catalogue, cli
from biaskit.behaviour.log_probability import read_word_probe
from biaskit.behaviour.sentiment import read_counterfactuals
from biaskit.errors import UnknownNameError
from biaskit.records.audit_spec import AuditSpec
from biaskit.runner.run import Run

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    str(path.relative_to(ROOT))
    for path in (
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        ROOT / "probes/README.md",
        ROOT / "audits/README.md",
    )
)
FENCE = re.compile(r"^(?P<in> *)```(?P<kind>\w*)[^\n]*\n(?P<body>.*?)^(?P=in)```$", re.DOTALL | re.MULTILINE)
INDENTED = re.compile(r"^ {4}(biaskit [a-z].*)$", re.MULTILINE)
INLINE = re.compile(r"`(biaskit [a-z][^`]*)`")
RUNS = "<!-- runs -->\n"
OWN = re.compile(r"my-|mean-difference")
"""Names that stand for the reader's own."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a document."""

    document: str
    kind: str
    body: str
    runs: bool

    def __str__(self):
        return f"{self.document}: {self.body.strip().splitlines()[0][:60]}"


def blocks(document, text):
    for found in FENCE.finditer(text):
        runs = text[: found.start()].endswith(RUNS)
        yield Block(document, found["kind"], textwrap.dedent(found["body"]), runs)


BLOCKS = [block for name in DOCUMENTS for block in blocks(name, (ROOT / name).read_text())]


def of(kind, runs=None):
    kept = [block for block in BLOCKS if block.kind == kind and runs in (None, block.runs)]
    return pytest.mark.parametrize("block", kept, ids=str)


def command_lines(text):
    """Yield each command of a shell block, without comments, redirections and what comes after a pipe."""
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
        lexer.whitespace_split, lexer.commenters = True, "#"
        words = list(lexer)
        stops = [index for index, word in enumerate(words) if set(word) <= set("|&;<>")]
        words = words[: stops[0]] if stops else words
        if words[:1] == ["biaskit"]:
            yield words[1:]


@pytest.fixture
def any_path(monkeypatch):
    """Paths in documents stand for the reader's files."""
    monkeypatch.setattr(click.Path, "convert", lambda self, value, param, ctx: Path(value))


def parsed(words):
    """Parse a command line as click does and return what it means; an unknown name fails."""
    command, context, rest = cli.biaskit, click.Context(cli.biaskit, info_name="biaskit"), words
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        command = command.get_command(context, rest[0])
        assert command is not None, f"there is no verb '{rest[0]}'"
        context, rest = click.Context(command, parent=context, info_name=rest[0]), rest[1:]
    if isinstance(command, click.Group):
        return {}
    return command.make_context("biaskit", list(rest), parent=context.parent).params


def listed(value):
    many = value if isinstance(value, tuple) else (value or "",)
    return [part for one in many for part in str(one).split(",") if part]


def check_names(params):
    """The concepts, references, analyzers, settings and audits that a command names exist."""
    known = set(catalogue.probe_sets())
    for name in (*listed(params.get("concepts")), *listed(params.get("references"))):
        assert name.partition("/")[0] in known or name.endswith(".toml") or OWN.match(name), name
    for name in listed(params.get("analyzers")):
        assert name in analyzers.BUILT_IN or OWN.match(name), name
    for setting in params.get("settings") or ():
        owner, _, key = str(setting).partition("=")[0].rpartition(".")
        kinds = [owner] if owner else analyzers.BUILT_IN
        assert any(
            key in {one.name for one in analyzers.settings_of(analyzers.load(kind))} for kind in kinds
        ), key


@of("sh")
def test_every_command_parses(block, any_path):
    for words in command_lines(block.body):
        check_names(parsed(words))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_in_a_sentence_parses(document, any_path):
    text = (ROOT / document).read_text()
    prose = FENCE.sub("", text)
    for line in (*INDENTED.findall(text), *INLINE.findall(prose)):
        for words in command_lines(" ".join(line.split())):
            try:
                parsed(words)
            except click.MissingParameter:
                continue  # a verb that is named in a sentence need not be complete


@of("python")
def test_every_python_block_names_what_exists(block):
    tree = ast.parse(block.body)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "biaskit":
            module = import_module(node.module)
            for one in node.names:
                assert hasattr(module, one.name) or import_module(f"{node.module}.{one.name}"), one.name
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == "biaskit":
                assert hasattr(biaskit, node.attr) or import_module(f"biaskit.{node.attr}"), node.attr
            if node.value.id in {"run", "before", "now"}:
                assert node.attr in {*dir(Run), *Run.model_fields}, node.attr


def read_as_material(path, given):
    """Read what an analyzer is given in a file of its own: a probe of words, or groups of people."""
    if "attributes" in given:
        return read_word_probe(path)
    return read_counterfactuals(path)


def read_as_audit(given):
    """Read a part of an audit; what a waiver covers is a gate that stands elsewhere."""
    waived = given.get("waivers", ())
    gates = [{"id": one["gate"], "metric": "biaslens.score", "at_most": 1} for one in waived]
    return AuditSpec.model_validate({"format": 1, "name": "piece", "gates": gates} | given)


@of("toml")
def test_every_toml_block_is_one_that_is_read(block, tmp_path):
    given = tomllib.loads(block.body)
    path = tmp_path / f"{given.get('name', 'piece')}.toml"
    path.write_text(block.body, encoding="utf-8")
    if "project" in given:
        assert {"biaskit.analyzers", "biaskit.catalogues"} & set(given["project"]["entry-points"])
    elif "tool" in given:
        assert read_as_audit(given["tool"]["biaskit"])
    elif "kind" in given:
        assert catalogue.read_probe_set(path).name == given["name"]
    elif "name" in given:
        assert catalogue.audit_spec(path).name == given["name"]
    elif "templates" in given:
        assert read_as_material(path, given).templates
    else:
        assert read_as_audit(given)


@of("yaml")
def test_every_yaml_block_is_yaml(block):
    assert yaml.safe_load(block.body)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_to_files_and_headings(document):
    text = FENCE.sub("", (ROOT / document).read_text())
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        path = (ROOT / document).parent / name if name else ROOT / document
        assert path.exists(), target
        assert not anchor or anchor in headings(path), target


def headings(path):
    titles = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def test_the_site_shows_every_page():
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    shown = set(re.findall(r"'([\w/-]+\.md)'", str(site["nav"])))
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in ROOT.glob("docs/**/*.md")}
    assert pages <= shown


def test_the_checks_can_fail(any_path):
    with pytest.raises(UnknownNameError, match="audit"):
        parsed(["adit"])
    with pytest.raises(click.NoSuchOption):
        parsed(["audit", "--modle", "demo"])
    with pytest.raises(click.BadParameter):
        parsed(["gate", "run", "--fail-on", "sometimes"])
    with pytest.raises(AssertionError):
        check_names(parsed(["audit", "--concepts", "foood"]))
    with pytest.raises(AssertionError):
        check_names(parsed(["audit", "-A", "shufles=2"]))
    with pytest.raises((AttributeError, ModuleNotFoundError)):
        test_every_python_block_names_what_exists(Block("here", "python", "biaskit.adit('demo')", False))


def test_some_blocks_run():
    assert {block.kind for block in BLOCKS if block.runs} == {"python", "sh"}


@pytest.mark.slow
@of("python", runs=True)
def test_a_python_block_that_runs(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(block.body, str(block), "exec"), {})


@pytest.mark.slow
@of("sh", runs=True)
def test_a_shell_block_that_runs(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words in command_lines(block.body):
        done = CliRunner().invoke(cli.biaskit, words)
        assert done.exit_code == 0, done.output
