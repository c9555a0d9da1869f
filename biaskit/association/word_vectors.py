"""Static word vectors from a text file, one word a line (word2vec's and GloVe's text form)."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from biaskit.errors import RequestError

_HEADER_PARTS = 2


def read_word_vectors(path: Path | str, words: Collection[str]) -> dict[str, Float[ndarray, " d"]]:
    """Return the vectors of those of `words` that the file holds; the rest of it is passed over.

    A word that is not there as written is looked for in lower case.

    Raises:
        RequestError: The file cannot be read, a line of a wanted word holds no numbers, or lengths differ.
    """
    wanted = set(words) | {word.lower() for word in words}
    found: dict[str, Float[ndarray, " d"]] = {}
    try:
        with Path(path).open(encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, start=1):
                word, _, rest = line.rstrip("\n").partition(" ")
                is_header = number == 1 and len(rest.split()) < _HEADER_PARTS
                if word in wanted and not is_header and word not in found:
                    found[word] = _numbers(rest, path, number)
    except OSError as error:
        raise RequestError(f"The word vectors '{path}' cannot be read.", why=str(error)) from error
    if len({vector.size for vector in found.values()}) > 1:
        raise RequestError(f"The word vectors of '{path}' differ in length.")
    as_found = {word: word if word in found else word.lower() for word in words}
    return {word: found[key] for word, key in as_found.items() if key in found}


def _numbers(text: str, path: Path | str, line: int) -> Float[ndarray, " d"]:
    try:
        vector = np.array(text.split(), dtype=float)
    except ValueError as error:
        raise RequestError(f"Line {line} of '{path}' holds no vector.", why=str(error)) from error
    if not vector.size or not np.isfinite(vector).all() or not vector.any():
        raise RequestError(f"Line {line} of '{path}' holds no vector with a direction.")
    return vector
