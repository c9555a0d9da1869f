"""A generator with edits of its latents in force, one for each target whose noun a prompt holds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from pydantic import ValidationError

from biaskit.concepts.saved_edit import load_edit, save_edit
from biaskit.errors import RequestError
from biaskit.hooks.moments import Both, SampleEdit
from biaskit.hooks.shelf import write_atomically
from biaskit.protocols import PLAINLY, Drawing, Sampling
from biaskit.records.base import Record

if TYPE_CHECKING:
    from biaskit.concepts.site_edit import SiteEdit
    from biaskit.protocols import DenoisingModel
    from biaskit.records.site import Site

RECORD = "remedy.json"


class SteeredTarget(Record):
    """One target and what was found for it."""

    name: str
    """The target."""
    nouns: tuple[str, ...]
    """Nouns that name it in a prompt."""
    file: str | None
    """The edit's file; None where nothing has to be edited."""
    group: str
    """The group that the edit leads to, or that is rarest."""
    wanted: float
    """Share of the group that is wanted."""
    found: float
    """Share of the group that the search saw without an edit."""
    about: str
    """How the edit was chosen, one sentence."""
    costly: bool = False
    """Whether it is beyond the quality budget: no number of latents that was tried kept within it."""


class SteerRecord(Record):
    """What a remedy holds."""

    format: Literal[1] = 1
    """Version of the file."""
    mitigation: Literal["steer-generator"] = "steer-generator"
    """What found it."""
    model: str
    """Fingerprint of the model it was found for."""
    groups: str
    """Name of the set of groups."""
    targets: tuple[SteeredTarget, ...]
    """The targets."""


@dataclass(frozen=True, slots=True, eq=False)
class SteerRemedy:
    """Edits by target.

    Attributes:
        record: Where they come from.
        edits: The edit of each target that needs one.
        directions: For the same targets the baseline: a direction that is no latent's; not kept on disk.
        controls: For the same targets random latents, of equal number and size of edit; not kept on disk.
    """

    record: SteerRecord
    edits: Mapping[str, SiteEdit]
    directions: Mapping[str, SiteEdit] = field(default_factory=dict)
    controls: Mapping[str, tuple[SiteEdit, ...]] = field(default_factory=dict)

    def apply(self, model: DenoisingModel) -> SteeredModel:
        """Return the model with the edits in force.

        Raises:
            RequestError: They were found for another model.
        """
        fingerprint = model.subject.fingerprint
        for edit in self.edits.values():
            edit.require(fingerprint)
        return SteeredModel(model, self)

    def edit_for(self, prompt: str) -> SiteEdit | None:
        """Return the edit of the target whose noun the prompt holds as whole words; the longest noun wins."""
        held = [
            (len(noun), one.name)
            for one in self.record.targets
            for noun in one.nouns
            if re.search(rf"(?<!\w){re.escape(noun)}(?!\w)", prompt, flags=re.IGNORECASE)
        ]
        return self.edits.get(max(held)[1]) if held else None

    def save(self, folder: Path) -> None:
        """Write one file a target and `remedy.json`.

        Raises:
            RequestError: The folder cannot be written.
        """
        for one in self.record.targets:
            if one.file is not None:
                save_edit(self.edits[one.name], folder / one.file)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(folder / RECORD, self.record.model_dump_json(indent=1).encode())
        except OSError as error:
            raise RequestError(f"The remedy cannot be written to {folder}.", why=str(error)) from error

    @classmethod
    def load(cls, folder: Path) -> SteerRemedy:
        """Read a remedy that was saved.

        Raises:
            RequestError: There is none, or it is damaged.
        """
        try:
            record = SteerRecord.model_validate_json((folder / RECORD).read_bytes())
        except OSError as error:
            raise RequestError(f"There is no remedy in {folder}.", why=str(error)) from error
        except ValidationError as error:
            raise RequestError(f"The remedy in {folder} is damaged.", why=str(error)) from error
        named = {one.name: Path(one.file).name for one in record.targets if one.file is not None}
        return cls(record, {name: load_edit(folder / file, record.model) for name, file in named.items()})


class SteeredModel:
    """A denoising model that draws under the edits of a remedy, and is the model itself in all else."""

    def __init__(self, model: DenoisingModel, remedy: SteerRemedy) -> None:
        self.model, self.remedy = model, remedy

    def __getattr__(self, name: str) -> Any:
        """Return what the model itself has."""
        return getattr(self.model, name)

    def draw(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        sampling: Sampling = PLAINLY,
        edits: Mapping[Site, SampleEdit] | None = None,
    ) -> Drawing:
        """Draw each prompt under its target's edit; further edits of a site come after it."""
        rows: dict[int, list[int]] = {}
        chosen: dict[int, SiteEdit | None] = {}
        for row, prompt in enumerate(prompts):
            edit = self.remedy.edit_for(prompt)
            rows.setdefault(id(edit), []).append(row)
            chosen[id(edit)] = edit
        parts, order = [], []
        for key, which in rows.items():
            joined = _joined(chosen[key], edits or {})
            parts.append(
                self.model.draw(
                    [prompts[row] for row in which], [seeds[row] for row in which], sampling, joined
                )
            )
            order += which
        back = torch.argsort(torch.tensor(order))
        latents, pixels = (
            torch.cat([getattr(one, name) for one in parts])[back] for name in ("latents", "pixels")
        )
        return Drawing(latents=latents, pixels=pixels)


def _joined(edit: SiteEdit | None, further: Mapping[Site, SampleEdit]) -> dict[Site, SampleEdit]:
    joined = dict(further)
    if edit is not None:
        site = edit.record.site
        joined[site] = Both((edit, further[site])) if site in further else edit
    return joined
