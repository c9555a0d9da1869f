"""The light half answers without numpy or torch, and quickly.

A directory of poisoned packages stands first on the path: whoever imports one ends the interpreter at
once, in a way that no `except` can swallow.
"""

import os
import resource
import subprocess
import sys

import pytest

from biaskit import reporting
from biaskit.reporting import folder
from tests.reporting.sample import build_report

POISONED = ("numpy", "scipy", "pandas", "sklearn", "torch", "transformers", "jaxtyping", "matplotlib")
EXIT_OF_POISON = 97
HELP_CPU_S, TYPO_WALL_S = 0.25, 0.5
ROUNDS = 5


@pytest.fixture(scope="module")
def poison(tmp_path_factory):
    folder = tmp_path_factory.mktemp("poison")
    for name in POISONED:
        folder.joinpath(f"{name}.py").write_text(
            f"import os, sys, traceback\ntraceback.print_stack()\nprint('POISON: {name}', file=sys.stderr)\n"
            f"sys.stderr.flush()\nos._exit({EXIT_OF_POISON})\n"
        )
    return folder


@pytest.fixture
def python(poison, root, tmp_path):
    def run(*arguments, first=poison):
        environment = os.environ | {"PYTHONPATH": f"{first}{os.pathsep}{root}"}
        return subprocess.run(
            [sys.executable, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            cwd=tmp_path,
            timeout=60,
        )

    return run


def cpu_seconds(run) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.parametrize("name", POISONED)
def test_the_poison_works(python, name):
    swallowed = f"try:\n    import {name}\nexcept BaseException:\n    pass"
    assert python("-c", swallowed).returncode == EXIT_OF_POISON


def test_a_heavy_module_meets_the_poison(python):
    assert python("-c", "import biaskit.session").returncode == EXIT_OF_POISON


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--version",),
        ("audit", "--help"),
        ("list", "concepts"),
        ("list", "analyzers"),
        ("show", "food"),
        ("validate", "food"),
        ("init", "new", "--at-most", "0.5"),
        ("plan", "--model", "demo", "--concepts", "food"),
    ],
    ids=" ".join,
)
def test_a_light_verb_needs_no_torch(python, arguments):
    done = python("-m", "biaskit", *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_without_torch_an_audit_says_what_to_install(python, tmp_path):
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError('no torch', name='torch')")
    done = python("-m", "biaskit", "audit", "--model", "demo", "--concepts", "food", first=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "pip install 'biaskit[text]'" in done.stderr


def test_a_saved_run_is_judged_and_rendered_without_torch(python, tmp_path):
    folder.write(build_report(), tmp_path / "run")
    judged = python("-m", "biaskit", "gate", "run", "--baseline", "run")
    assert judged.returncode in {0, 1, 4}, judged.stderr
    compared = python("-m", "biaskit", "compare", "run", "run")
    assert compared.returncode == 0, compared.stderr
    verified = python("-m", "biaskit", "verify", "run")
    assert verified.returncode in {0, 6}, verified.stderr
    assert "checked: digests" in verified.stdout
    forms = [f"page{form.endings[0]}" for form in reporting.FORMS.values()]
    rendered = python("-m", "biaskit", "report", "run", *(part for form in forms for part in ("-o", form)))
    assert rendered.returncode == 0, rendered.stderr
    assert all((tmp_path / form).stat().st_size for form in forms)


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        (("audit", "--model", "demo", "--concepts", "foood"), "food"),
        (("audit", "--model", "demo", "--concepts", "food", "--analyzers", "biaslense"), "biaslens"),
        (("show", "foood"), "food"),
    ],
    ids=["concept", "analyzer", "show"],
)
def test_a_misspelt_name_is_answered_without_torch(python, arguments, near):
    done = python("-m", "biaskit", *arguments)
    assert done.returncode == 2, done.stderr
    assert near in done.stderr.replace(arguments[-1], "")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("verb", ["audit", "plan"])
@pytest.mark.parametrize(("analyzer", "said"), [("diffusion-pid", "reads prompts"), ("vig-bias", "images")])
def test_what_an_analyzer_does_not_read_is_refused_without_torch(python, verb, analyzer, said):
    done = python("-m", "biaskit", verb, "--model", "demo", "--concepts", "food", "--analyzers", analyzer)
    assert done.returncode == 2, done.stderr
    assert f"'{analyzer}' reads" in done.stderr
    assert said in done.stderr


def test_help_is_quick(python):
    assert min(cpu_seconds(lambda: python("-m", "biaskit", "--help")) for _ in range(ROUNDS)) <= HELP_CPU_S


def test_a_misspelt_concept_is_answered_quickly(python):
    typo = ("-m", "biaskit", "audit", "--model", "demo", "--concepts", "foood")
    assert min(cpu_seconds(lambda: python(*typo)) for _ in range(ROUNDS)) <= TYPO_WALL_S
