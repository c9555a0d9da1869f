"""Does the encoder share the bias it is used to find?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy import ndarray

from biaskit.analyzers.vig_bias.looking import RAW, Looked
from biaskit.analyzers.vig_bias.worded import encoded
from biaskit.errors import RequestError
from biaskit.images.shared_bias import homes_of, shares_bias, zero_shot

if TYPE_CHECKING:
    from biaskit.images.image_set import ImageSet
    from biaskit.session import VisionSession

PROMPT = "a photo of a {}"


def balance(session: VisionSession, images: ImageSet, held: Looked, train: ndarray | None) -> Iterator[str]:
    """Yield one sentence for every attribute that the encoder follows where label and attribute disagree.

    Args:
        session: The run's encoder.
        images: The set, with its attributes.
        held: Images the encoder is asked about.
        train: Rows of the training images, which say which class each value is at home in.
    """
    if session.encoder is None:
        return
    classes = session.model.classes
    texts = encoded(session.encoder, [PROMPT.format(name) for name in classes])
    answers = zero_shot(held.embeddings[RAW], texts)
    index = {name: place for place, name in enumerate(classes)}
    for name, cells in images.attributes.items():
        homes = None
        if train is not None:
            labels = np.array([index[images.labels[row]] for row in train], dtype=np.int64)
            homes = homes_of(labels, [cells[row] for row in train])
        rng = session.rng(f"vig-bias/{images.name}/balance/{name}")
        try:
            found = shares_bias(answers, held.labels, [cells[row] for row in held.rows], rng, homes)
        except RequestError:
            # Label and attribute never disagree, or are unrelated: there is no bias to share.
            continue
        if found.warning:
            yield f"{found.warning} (attribute: {name})"
