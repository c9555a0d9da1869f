"""What a mitigation and the remedy that it finds must offer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from biaskit.records.probe_set import Modality

if TYPE_CHECKING:
    from pathlib import Path

    from biaskit.records.finding import Analysis


@runtime_checkable
class Remedy(Protocol):
    """What a mitigation found: applied to the model it was found for, and saved."""

    def apply(self, model: Any) -> Any:
        """Return the model with the remedy in force; the one given is left as it is.

        Raises:
            RequestError: It was found for another model.
        """

    def save(self, folder: Path) -> None:
        """Write it to a folder, as safetensors and JSON.

        Raises:
            RequestError: The folder cannot be written.
        """


class Mitigation(Protocol):
    """A frozen dataclass that finds a remedy and measures it; its fields are its settings everywhere.

    Attributes:
        name: Name on the command line.
        modality: The kind of model it mends.
        limitations: What it cannot promise, one sentence each.
    """

    name: ClassVar[str]
    modality: ClassVar[Modality]
    limitations: ClassVar[tuple[str, ...]]

    def find(self, session: Any, work: Path | None) -> Remedy:
        """Find a remedy for the session's model; finished parts are kept in `work`, so that it can go on."""

    def audit(self, session: Any, remedy: Any) -> Analysis:
        """Measure the remedy on examples that took no part in finding it, beside baselines."""

    def load(self, folder: Path) -> Remedy:
        """Read a remedy that was saved.

        Raises:
            RequestError: There is none, or it is damaged.
        """
