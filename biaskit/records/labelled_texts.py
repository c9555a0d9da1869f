"""Texts of a user's own with a label each, and the columns that group them."""

from __future__ import annotations

import hashlib
import json
from typing import Self

from pydantic import Field, model_validator

from biaskit.records.base import Record


class LabelledTexts(Record):
    """What a user wants told apart."""

    name: str = Field(min_length=1)
    """Name of the data, such as its file's stem."""
    texts: tuple[str, ...] = Field(min_length=1)
    """The texts."""
    labels: tuple[str, ...]
    """The label of each text."""
    positive: str | None = None
    """The label that counts as positive; None where there are exactly two, or for one against the rest."""
    groups: dict[str, tuple[str, ...]] = {}
    """Group columns by name: rows with the same group are never split; an empty cell is a missing group."""
    attributes: dict[str, tuple[str, ...]] = {}
    """Sensitive attributes by name, one value a text; an empty cell is missing."""
    shifted: LabelledTexts | None = None
    """A paired test set from elsewhere, for covariate shift."""

    @model_validator(mode="after")
    def _same_length(self) -> Self:
        columns = {"labels": self.labels} | self.groups | self.attributes
        for column, cells in columns.items():
            if len(cells) != len(self.texts):
                raise ValueError(f"'{column}' has {len(cells)} cells and there are {len(self.texts)} texts")
        return self

    @property
    def digest(self) -> str:
        """SHA-256 of the content, in hex."""
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(content.encode()).hexdigest()
