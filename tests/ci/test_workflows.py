"""What is written for CI systems against published schemas, and against what makes a workflow unsafe."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from biaskit import cli

ROOT = Path(__file__).parents[2]
ZIZMOR = Path(sys.executable).parent / "zizmor"


@pytest.fixture
def starter(tmp_path):
    def written(system):
        made = CliRunner().invoke(cli.biaskit, ["init", str(tmp_path / system), "--ci", system])
        assert made.exit_code == 0, made.output
        (path,) = (tmp_path / system).rglob("*.yml")
        return path

    return written


def fits(path, schema):
    asked = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(path)]
    return subprocess.run(asked, capture_output=True, text=True, check=False, timeout=60)


def unsafe(*paths):
    return subprocess.run(
        [str(ZIZMOR), "--offline", "--no-progress", *map(str, paths)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_action_fits_its_schema():
    assert fits(ROOT / "action.yml", "github-actions").returncode == 0


@pytest.mark.parametrize(("system", "schema"), [("github", "github-workflows"), ("gitlab", "gitlab-ci")])
def test_a_starter_fits_its_schema(starter, system, schema):
    path = starter(system)
    done = fits(path, schema)
    assert done.returncode == 0, done.stdout
    path.write_text(path.read_text().replace("script", "scrpt").replace("runs-on", "runs-at"))
    assert fits(path, schema).returncode == 1


def test_nothing_unsafe_is_found(starter, tmp_path):
    workflow = starter("github")
    done = unsafe(ROOT / "action.yml", workflow)
    assert done.returncode == 0, done.stdout
    (tmp_path / "bad.yml").write_text(workflow.read_text().replace("pull_request", "pull_request_target"))
    assert unsafe(tmp_path / "bad.yml").returncode != 0
