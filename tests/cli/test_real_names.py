"""`biaskit audit --model gpt2` for real: from a hub's cache, from a hub, and where neither has it."""

import os
import shutil
import subprocess
import sys
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

import biaskit
from biaskit import organisms
from biaskit.runner.run import Run
from tests.models.test_loading import COMMIT, Hub, put_in_cache

SETTINGS = {"axes": ["sae"], "random_directions": 1}
FLAGS = ("-A", 'axes=["sae"]', "-A", "random_directions=1", "--no-cache", "--quiet")


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    """The files of the demo model, as a hub holds them: weights, config and tokenizer."""
    place = tmp_path_factory.mktemp("shipped") / "model"
    return Path(shutil.copytree(organisms.folder("reviews"), place, ignore=shutil.ignore_patterns("saes")))


@pytest.fixture(scope="module")
def demo():
    """The same audit of the demo in this process."""
    return biaskit.audit("demo", "food", settings=SETTINGS, offline=True)


@pytest.fixture
def command(tmp_path):
    """Run `biaskit` in an interpreter of its own, with a hub home of its own."""

    def run(*arguments, **variables):
        kept = {
            key: value
            for key, value in os.environ.items()
            if "HF_" not in key and not key.endswith("_OFFLINE")
        }
        own = {"HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
        root = str(Path(__file__).parents[2])
        return subprocess.run(
            [sys.executable, "-m", "biaskit", *arguments],
            env=kept | own | {"PYTHONPATH": root} | variables,
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            timeout=300,
        )

    return run


@pytest.fixture
def endpoint(shipped):
    """A hub on this machine that holds the demo's weights as `gpt2`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("ShippedHub", (Hub,), {"folder": shipped}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def scores(run):
    found = run.findings("biaslens.score") + run.findings("biaslens.behaviour")
    return {(one.concepts, one.group, one.metric): one.estimate.value for one in found}


def check(done, folder, demo):
    assert done.returncode == 0, done.stderr
    assert "food leans to negative-sentiment by" in done.stdout
    run = Run.read(folder)
    assert (run.subject.name, run.subject.source, run.subject.revision) == ("gpt2", f"gpt2@{COMMIT}", COMMIT)
    assert run.subject.fingerprint == demo.subject.fingerprint
    assert len(scores(run)) == 4
    assert scores(run) == pytest.approx(scores(demo), abs=1e-6)
    return run


@pytest.mark.slow
def test_by_name_from_a_cache_offline(command, shipped, demo, tmp_path):
    put_in_cache(tmp_path / "home" / "hub", "gpt2", shipped)
    done = command("audit", "--model", "gpt2", "--concepts", "food", "--offline", "--out-dir", "run", *FLAGS)
    check(done, tmp_path / "run", demo)


def test_by_name_from_a_hub(command, endpoint, demo, tmp_path):
    asked = ("audit", "--model", "gpt2", "--concepts", "food", "--out-dir", "run", *FLAGS)
    run = check(command(*asked, HF_ENDPOINT=endpoint), tmp_path / "run", demo)
    # gpt2 has a published autoencoder, which this hub does not hold: the audit goes on and says so.
    assert any("sparse autoencoder" in note for note in run.analyses[0].notes)
    assert not run.findings("biaslens.axis_sae")


@pytest.mark.parametrize(
    ("arguments", "variables", "said"),
    [
        (
            ("gtp2", "--offline"),
            {},
            ["'gtp2' is not in the cache", "switched off", "Did you mean gpt2?", "HF_HOME"],
        ),
        (("gtp2",), {"HF_HUB_OFFLINE": "1"}, ["'gtp2' is not in the cache", "switched off"]),
        (
            ("other/model",),
            {"HF_ENDPOINT": "http://127.0.0.1:9"},
            ["'other/model' is not in the cache", "http://127.0.0.1:9 cannot be reached", "hf download"],
        ),
        (("gpt2", "--offline", "--revision", "v9"), {}, ["'gpt2' is not in the cache"]),
    ],
    ids=["offline", "offline by variable", "unreachable", "revision"],
)
def test_what_cannot_be_had_is_said_with_what_to_do(command, tmp_path, arguments, variables, said):
    snapshot = tmp_path / "home" / "hub" / "models--gpt2" / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    refuse(command("audit", "--concepts", "food", "--model", *arguments, **variables), said)


def test_a_name_that_the_hub_does_not_know(command, endpoint):
    done = command("audit", "--concepts", "food", "--model", "gpt3", HF_ENDPOINT=endpoint)
    refuse(done, ["The hub knows no model 'gpt3'", f"Look it up at {endpoint}/models"])
    refuse(
        command("audit", "--concepts", "food", "--model", "gpt2", "--revision", "v9", HF_ENDPOINT=endpoint),
        ["'gpt2' has no revision 'v9'"],
    )


def refuse(done, said):
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert [part for part in said if part not in done.stderr] == [], done.stderr
