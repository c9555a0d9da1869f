"""Fit the head of an image classifier again so that no group is left behind: `retrain-head`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from biaskit.errors import RequestError
from biaskit.mitigations.retrain_audit import RetrainAudit
from biaskit.mitigations.retrain_head import HeadRemedy, RetrainHead
from biaskit.mitigations.retrain_split import split_of
from biaskit.records.probe_set import Modality
from biaskit.retraining.heads import RULES

if TYPE_CHECKING:
    from pathlib import Path

    from biaskit.records.finding import Analysis
    from biaskit.session import VisionSession

RuleName: TypeAlias = Literal["last-layer", "group-balanced", "group-dro", "just-train-twice"]


@dataclass(frozen=True, slots=True)
class RetrainImages:
    """Fits a head on half of the images and judges it on the others.

    Attributes:
        rule: How it is fitted: last-layer, group-balanced, group-dro or just-train-twice.
        attribute: The attribute that tells groups, beside the class; empty takes the one that tells most.
        shuffles: Refits to groups that were shuffled over the images, which the head is held against.
    """

    name: ClassVar[str] = "retrain-head"
    modality: ClassVar[Modality] = Modality.IMAGE
    limitations: ClassVar[tuple[str, ...]] = (
        "Groups are the class and one attribute; a shortcut that no column names is not looked for.",
        "The features stay as they are: what they do not carry no head can use.",
        "Accuracies hold for images such as these; a shift of the images is another question.",
    )

    rule: RuleName = "last-layer"
    attribute: str = ""
    shuffles: int = 19

    def __post_init__(self) -> None:
        """Refuse a number of shuffles out of its range.

        Raises:
            RequestError: It is below 1.
        """
        if self.shuffles < 1:
            raise RequestError("shuffles must be at least 1.")

    def find(self, session: VisionSession, work: Path | None) -> HeadRemedy:
        """Fit the head; it takes seconds, so nothing is kept for another time.

        Raises:
            NothingAuditedError: There is no image.
            RequestError: The model has no linear head, or the images have no groups or too few.
        """
        del work
        session.model.head()
        split = split_of(session, self.attribute)
        rng = session.torch_rng(f"retrain-head/{self.rule}")
        return RetrainHead(RULES[self.rule]()).fit(
            session.model, split.fitted.examples(), rng, split.fitted.groups
        )

    def audit(self, session: VisionSession, remedy: HeadRemedy) -> Analysis:
        """Judge it on images that took no part, beside a refit that knows no groups."""
        return RetrainAudit(self, session, split_of(session, self.attribute), remedy).run()

    def load(self, folder: Path) -> HeadRemedy:
        """Read a head that was saved.

        Raises:
            RequestError: There is none, or it is damaged.
        """
        return HeadRemedy.load(folder)
