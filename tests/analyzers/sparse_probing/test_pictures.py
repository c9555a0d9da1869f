"""The hard regimes: one figure a question where they are few, else the mean over those that are read."""

from types import SimpleNamespace

from biaskit.analyzers.sparse_probing.pictures import figures
from biaskit.analyzers.sparse_probing.results import Results


def drawn(count, readable):
    """Draw `count` questions under scarcity, those in `readable` at 0.9 and the others at 0.5."""
    asked = [SimpleNamespace(name=f"q{number}", problem=None) for number in range(count)]
    found = [
        SimpleNamespace(
            question=one,
            k=None,
            view="residual",
            site=None,
            control="",
            regime="scarcity",
            evaluation=SimpleNamespace(
                probe="logistic",
                variant="",
                folds=[
                    SimpleNamespace(
                        split=SimpleNamespace(tags={"x": 10}),
                        metrics=SimpleNamespace(auc=0.9 if one.name in readable else 0.5),
                    )
                ],
            ),
        )
        for one in asked
    ]
    return list(figures(Results(found=found), asked, (), readable))


def test_few_questions_are_drawn_apart():
    shown = drawn(3, {"q0"})
    assert [one.title.partition(":")[0] for one in shown] == ["q0", "q1", "q2"]
    assert [one.curves[0].points[0].y for one in shown] == [0.9, 0.5, 0.5]


def test_many_are_averaged_over_those_that_are_read_and_named():
    (shown,) = drawn(8, {"q0", "q1", "q5"})
    assert shown.curves[0].points[0].y == 0.9
    assert "3 of 8 questions" in shown.y_label
    assert shown.band.endswith("q0, q1, q5")
