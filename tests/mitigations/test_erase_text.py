"""The mitigation `erase`, by its name, in Python and through `biaskit mitigate`."""

import json

import pytest

from biaskit import cli, mitigations
from biaskit.errors import UnknownNameError
from biaskit.mitigations.erase import TextRemedy
from biaskit.mitigations.protocol import Remedy
from biaskit.runner.mitigate import to_mitigate
from tests.analyzers.biaslens.planted import new_session, some_targets

QUICK = {"random_directions": 1, "shuffles": 1, "samples": 1}


def test_it_offers_what_a_mitigation_must(occupations, tmp_path):
    model, targets = occupations
    session = new_session(model, some_targets("gender", targets[:12], 10))
    made = mitigations.build("erase", {"method": "mean-projection", "sites": ["resid_post.0"], **QUICK})
    remedy = made.find(session, tmp_path / "work")
    assert isinstance(remedy, Remedy)
    remedy.save(tmp_path)
    analysis = made.audit(session, made.load(tmp_path))
    assert analysis.summary[0].startswith("Of 7 points")
    assert not set(QUICK) & set(remedy.record.settings)


def test_names_that_are_none():
    with pytest.raises(UnknownNameError, match="erase"):
        to_mitigate("demo", "food", (), {}, "erasure")
    with pytest.raises(UnknownNameError, match="leace"):
        mitigations.build("erase", {"method": "lease"})
    with pytest.raises(UnknownNameError, match="strength"):
        mitigations.build("erase", {"strenght": 1})


@pytest.mark.parametrize(
    ("given", "said"), [(["--method", "leaze"], "leace"), (["--method", "leace", "--share", "0.5"], "share")]
)
def test_a_mistake_is_answered_before_anything_is_written(given, said, tmp_path, capfd):
    asked = ["mitigate", "--model", "demo", "--concepts", "food", "--out-dir", str(tmp_path / "r")]
    assert cli.run([*asked, *given]) == 2
    assert said in capfd.readouterr().err
    assert not (tmp_path / "r").exists()


@pytest.mark.slow
def test_the_verb_finds_saves_and_judges(tmp_path, capfd):
    asked = ["mitigate", "--model", "demo", "--concepts", "food", "--method", "leace", "--offline"]
    quick = [part for key, value in QUICK.items() for part in ("-A", f"{key}={value}")]
    assert cli.run([*asked, *quick, "--out-dir", str(tmp_path / "r")]) == 0
    assert "Of 7 points" in capfd.readouterr().out
    report = json.loads((tmp_path / "r" / "report.json").read_text())
    record = TextRemedy.load(tmp_path / "r" / "remedy").record
    assert report["analyses"][0]["settings"]["remedy"] == record.digest
    assert report["subject"]["fingerprint"] == record.model
