"""A text remedy: changes at named sites with the record of where they come from; saved, loaded, applied."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from safetensors.torch import save
from torch import Tensor

from biaskit.errors import RequestError
from biaskit.hooks.edits import Edit
from biaskit.mitigations.erase.changes import KINDS, Change, check_strength
from biaskit.mitigations.erase.edited import EditedLanguageModel
from biaskit.mitigations.erase.units import UnitSplit
from biaskit.mitigations.saved import DigestedRecord, Files
from biaskit.protocols import LanguageModel
from biaskit.records.reading import Reading
from biaskit.records.site import Site

if TYPE_CHECKING:
    from pathlib import Path

WEIGHTS, RECORD = "remedy.safetensors", "remedy.json"
FILES = Files("remedy", WEIGHTS, RECORD)


class TextRemedyRecord(DigestedRecord):
    """What is known of a text remedy, apart from its tensors."""

    format: Literal[1] = 1
    """Version of the file."""
    method: str
    """Name of the method it was found by."""
    settings: dict[str, Any]
    """Every setting of the method, defaults included."""
    kind: str
    """What it does to an activation: `erasing`, `adding` or `ablating`."""
    strength: float
    """How much of that is done; 0 changes nothing."""
    sites: tuple[Site, ...]
    """Where it acts, bottom first."""
    chosen: str
    """How the sites were chosen, one sentence."""
    reading: Reading
    """The reading it was fitted on."""
    model: str
    """Fingerprint of the model it was fitted on."""
    probe_sets: dict[str, str]
    """Digest of each probe set it was fitted on, by name: targets, reference pair, controls."""
    units: UnitSplit
    """The words, stems and sentences it was fitted on, and those that were held out."""
    seed: int
    """Seed of the split."""


@dataclass(frozen=True, slots=True, eq=False)
class TextRemedy:
    """Changes at named sites of one model.

    Attributes:
        changes: What is done at each site.
        record: Where it comes from.
    """

    changes: Mapping[Site, Change]
    record: TextRemedyRecord

    @classmethod
    def of(cls, changes: Mapping[Site, Change], record: TextRemedyRecord) -> TextRemedy:
        """Put a remedy together; the record gets the digest of its tensors."""
        digest = hashlib.sha256(_packed(changes)).hexdigest()
        return cls(dict(changes), record.model_copy(update={"digest": digest}))

    def edits(self, model: LanguageModel) -> dict[Site, Edit]:
        """Return what `activations`, `next_token_logprobs`, `text_logprobs` and `generate` take as `edits`.

        Raises:
            RequestError: It was fitted on another model.
            UnknownNameError: The model has no such site.
        """
        if model.subject.fingerprint != self.record.model:
            raise RequestError(
                "This remedy was fitted on another model.",
                why=f"That model's fingerprint begins {self.record.model[:12]}, this one's "
                f"{model.subject.fingerprint[:12]}.",
                fix="Load the model that it was fitted on, or find a remedy for this one.",
            )
        for site in self.changes:
            model.locate(site)
        return edits_of(self.changes, self.record.strength)

    def apply(self, model: LanguageModel) -> EditedLanguageModel:
        """Return the model with the remedy in force in every pass; the one given is left as it is.

        Raises:
            RequestError: It was fitted on another model.
            UnknownNameError: The model has no such site.
        """
        digest = f"{self.record.digest}/{self.record.strength!r}"
        return EditedLanguageModel(model, self.edits(model), digest)

    def at(self, strength: float) -> TextRemedy:
        """Return the same remedy at another strength.

        Raises:
            RequestError: The strength is out of range.
        """
        checked = check_strength(strength, self.record.kind)
        return replace(self, record=self.record.model_copy(update={"strength": checked}))

    def save(self, folder: Path | str) -> None:
        """Write `remedy.safetensors` and `remedy.json`; neither name ever stands for half a file.

        Raises:
            RequestError: The folder cannot be written.
        """
        FILES.write(folder, _packed(self.changes), self.record)

    @classmethod
    def load(cls, folder: Path | str) -> TextRemedy:
        """Read a remedy that was saved; `edits` tells whether it fits a model.

        Raises:
            RequestError: A file is missing, damaged or of a later version, or the two do not belong together.
        """
        record, tensors = FILES.read(folder, TextRemedyRecord)
        try:
            changes = {site: KINDS[record.kind].read(_at(site, tensors)) for site in record.sites}
        except KeyError as error:
            raise RequestError(f"The saved remedy in {folder} lacks {error}.") from error
        return cls(changes, record).at(record.strength)


def edits_of(changes: Mapping[Site, Change], strength: float) -> dict[Site, Edit]:
    """Return the edits of some changes at one strength."""
    return {site: change.edit(strength) for site, change in changes.items()}


def _packed(changes: Mapping[Site, Change]) -> bytes:
    held = {
        f"{site}/{name}": tensor.detach().cpu().contiguous()
        for site, change in changes.items()
        for name, tensor in change.tensors().items()
    }
    return save(held)


def _at(site: Site, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    start = f"{site}/"
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
