"""Erase an association in a language model, and judge what that did: the mitigation `erase`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from biaskit.mitigations.erase.finding import EraseAssociation
from biaskit.mitigations.erase.remedy import TextRemedy
from biaskit.mitigations.judging.judge import LIMITATIONS, JudgeRemedy

if TYPE_CHECKING:
    from pathlib import Path

    from biaskit.records.finding import Analysis
    from biaskit.session import Session


@dataclass(frozen=True, slots=True)
class EraseText(EraseAssociation):
    """Finds a remedy on half of the words, stems and sentences, and judges it by seven points on the others.

    Attributes:
        random_directions: Random changes of equal rank or length that the remedy is held against.
        shuffles: Refits to shuffled labels that it is held against.
        samples: Continuations of each prompt in written text.
    """

    limitations: ClassVar[tuple[str, ...]] = LIMITATIONS
    random_directions: int = 20
    shuffles: int = 19
    samples: int = 8

    def audit(self, session: Session, remedy: TextRemedy) -> Analysis:
        """Judge a remedy on the units that were held out when it was found."""
        judge = JudgeRemedy(
            random_directions=self.random_directions, shuffles=self.shuffles, samples=self.samples
        )
        return judge.judge(session, remedy)

    def load(self, folder: Path) -> TextRemedy:
        """Read a remedy that was saved.

        Raises:
            RequestError: There is none, or it is damaged.
        """
        return TextRemedy.load(folder)
