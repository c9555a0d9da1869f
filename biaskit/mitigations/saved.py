"""Remedies on disk: a safetensors file and the record that it was written with, which holds its digest."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple, TypeVar

from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from biaskit.errors import RequestError
from biaskit.hooks.shelf import write_atomically
from biaskit.records.base import Record


class DigestedRecord(Record):
    """A record that knows the file it belongs to."""

    digest: str
    """SHA-256 of the tensors' file, in hex."""


R = TypeVar("R", bound=DigestedRecord)


class Files(NamedTuple):
    """Names of a remedy's files.

    Attributes:
        what: What is saved, one word.
        weights: Name of the tensors' file.
        record: Name of the record's file.
    """

    what: str
    weights: str
    record: str

    def write(self, folder: Path | str, packed: bytes, record: DigestedRecord) -> None:
        """Write both files; neither name ever stands for half a file.

        Raises:
            RequestError: The folder cannot be written.
        """
        path = Path(folder)
        try:
            path.mkdir(parents=True, exist_ok=True)
            write_atomically(path / self.weights, packed)
            write_atomically(path / self.record, record.model_dump_json(indent=2).encode())
        except OSError as error:
            raise RequestError(f"The {self.what} cannot be written to {path}.", why=str(error)) from error

    def read(self, folder: Path | str, kind: type[R]) -> tuple[R, dict[str, Tensor]]:
        """Read record and tensors.

        Raises:
            RequestError: A file is missing, damaged or of a later version, or the two do not belong together.
        """
        path = Path(folder)
        try:
            packed, text = (path / self.weights).read_bytes(), (path / self.record).read_bytes()
            record, tensors = kind.model_validate_json(text), load(packed)
        except OSError as error:
            fix = f"Give a folder that holds {self.weights} and {self.record}."
            raise RequestError(
                f"There is no saved {self.what} in {path}.", why=str(error), fix=fix
            ) from error
        except (ValidationError, SafetensorError) as error:
            raise RequestError(f"The saved {self.what} in {path} is damaged.", why=str(error)) from error
        if hashlib.sha256(packed).hexdigest() != record.digest:
            raise RequestError(
                f"In {path}, {self.weights} is not the file that {self.record} was written for."
            )
        return record, tensors
