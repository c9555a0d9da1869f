"""`biaskit audit --data`: the flags reach the request, and a fault exits with 2 before anything runs."""

from pathlib import Path

import pytest

from biaskit.runner.run import Run


@pytest.fixture
def mine(tmp_path):
    (tmp_path / "mine.csv").write_text("prompt,target,who,sex\na,1,p,f\nb,0,q,m\nc,1,p,f\n")
    (tmp_path / "far.csv").write_text("prompt,target,who,sex\nx,1,p,f\ny,0,q,m\n")
    return ("--data", "mine.csv", "--text-column", "prompt", "--label-column", "target")


@pytest.fixture
def counted(biaskit, plugins):
    return lambda *flags: biaskit("audit", "--model", "some/model", "--analyzers", "counting", *flags)


def the_run():
    (folder,) = Path("biaskit-runs").iterdir()
    return Run.read(folder)


def test_every_flag_reaches_the_spec(counted, mine):
    done = counted(
        *mine,
        *("--positive", "1", "--group-column", "who", "--group-column", "sex"),
        *("--attribute-column", "sex", "--shifted", "far.csv"),
    )
    assert done.code == 0, done.err
    (data,) = the_run().spec.data
    assert data.model_dump() == {
        "path": "mine.csv",
        "text": "prompt",
        "label": "target",
        "positive": "1",
        "groups": ("who", "sex"),
        "attributes": ("sex",),
        "shifted": "far.csv",
    }
    assert "mine" in done.out


def test_several_files_share_their_columns(counted, mine):
    assert counted(*mine, "--data", "far.csv").code == 0
    assert [one.name for one in the_run().probe_sets] == ["mine", "far"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--data", "mein.csv"), "mine.csv"),
        (("--data", "mine.csv"), "named 'text'"),
        (("--text-column", "prompt"), "no data"),
        ((), "--data"),
    ],
)
def test_a_fault_exits_with_2_and_writes_nothing(counted, mine, flags, said):
    done = counted(*flags)
    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err
    assert not Path("biaskit-runs").exists()


def test_validate_reads_the_data_of_an_audit(biaskit, mine, tmp_path):
    suite = tmp_path / "suite.toml"
    text = 'format = 1\nname = "suite"\n[[data]]\npath = "mine.csv"\ntext = "prompt"\nlabel = "{}"\n'
    suite.write_text(text.format("target"))
    done = biaskit("validate", suite)
    assert (done.code, "data mine" in done.out) == (0, True)
    suite.write_text(text.format("targte"))
    done = biaskit("validate", suite)
    assert (done.code, "target" in done.err) == (2, True)


def test_the_schema_of_a_spec_knows_data(biaskit):
    assert '"DataSpec"' in biaskit("schema", "spec").out
