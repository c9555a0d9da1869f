"""Which remedy `biaskit mitigate` means, and what is refused before a model is opened."""

from __future__ import annotations

import pytest

from biaskit.cli.mitigate import _name


@pytest.mark.parametrize(
    ("mitigation", "method", "meant", "left"),
    [
        (None, None, "steer-generator", None),
        (None, "leace", "erase", "leace"),
        (None, "retrain-head", "retrain-head", None),
        ("retrain-head", None, "retrain-head", None),
        ("erase", "inlp", "erase", "inlp"),
    ],
)
def test_a_method_or_a_mitigation_names_the_remedy(mitigation, method, meant, left):
    flags = {"mitigation": mitigation, "method": method}
    assert _name(flags) == meant
    assert flags["method"] == left


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (
            (
                "--method",
                "retrain-head",
                "--model",
                "organism:portraits",
                "--concepts",
                "portrait-occupations",
            ),
            "mends image classifiers, and what was given is for text-to-image models",
        ),
        (
            ("--model", "demo", "--concepts", "food"),
            "mends text-to-image models, and what was given is for l",
        ),
        (("--method", "retrain-hed", "--model", "demo", "--concepts", "food"), "leace"),
        (("--mitigation", "retrain-hed", "--model", "demo", "--concepts", "food"), "retrain-head"),
    ],
)
def test_a_remedy_for_another_kind_of_model_is_refused(biaskit, flags, said):
    done = biaskit("mitigate", *flags, "--out-dir", "out")
    assert done.code == 2
    assert said in " ".join(done.err.split())
    assert "Traceback" not in done.err
