"""The strength at which an edit brings a class to the share that is wanted; an interrupted search goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy import optimize

from biaskit.errors import RequestError
from biaskit.hooks.shelf import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from biaskit.concepts.site_edit import SiteEdit
    from biaskit.steering.trajectories import Asked, Stage

COARSE = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.5, 6.0)


@dataclass(frozen=True, slots=True, eq=False)
class Ledger:
    """Finished measurements of a search, one small file each; None of a folder keeps nothing.

    Attributes:
        folder: The folder.
    """

    folder: Path | None

    def hits(self, stage: Stage, number: int, edit: SiteEdit, asked: Asked) -> Bool[ndarray, " n"]:
        """Tell which images show the class under an edit; what was measured before is read."""
        return np.asarray(self.labels(stage, edit, asked) == number)

    def labels(self, stage: Stage, edit: SiteEdit, asked: Asked) -> Int[ndarray, " n"]:
        """Return the class that each image shows under an edit; what was measured before is read."""
        path = None if self.folder is None else self.folder / f"{_digest(stage, edit, asked)}.json"
        kept = _read(path, len(asked))
        if kept is not None:
            return kept
        found = stage.classifier.probabilities(stage.draw(asked, edit)).argmax(dim=1).numpy()
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, json.dumps(found.tolist()).encode())
        return np.asarray(found)


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found.

    Attributes:
        strength: The strength.
        strengths: Every strength that was tried, in order.
        shares: The share of the class at each.
        images: Images at each.
    """

    strength: float
    strengths: tuple[float, ...]
    shares: tuple[float, ...]
    images: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Search:
    """How the strength is looked for.

    Attributes:
        share: Share that is wanted.
        coarse: Images at each of the strengths that bracket it.
        fine: Images at each strength inside the bracket.
        rounds: Strengths that are tried inside the bracket.
    """

    share: float
    coarse: int = 64
    fine: int = 384
    rounds: int = 3

    def run(self, stage: Stage, number: int, edit: SiteEdit, asked: Asked, ledger: Ledger) -> Found:
        """Bracket the share from weak to strong, then narrow it down along a fitted logistic curve.

        Each strength inside the bracket has noises of its own, as long as `asked` has some: what they say is
        independent, and the error of the share falls with all of them. The answer is where the curve, fitted
        by maximum likelihood to what was measured in the bracket and at its ends, meets the share.

        Raises:
            RequestError: No strength brings the class there.
        """
        tried: list[tuple[float, Bool[ndarray, " _"]]] = []
        for strength in COARSE:
            tried.append(
                (strength, ledger.hits(stage, number, edit.stronger(strength), asked.first(self.coarse)))
            )
            if tried[-1][1].mean() >= self.share:
                break
        low, high = self._bracket(tried)
        ends = max(len(tried) - 2, 0)
        for part in self._parts(asked) if high > 0 else ():
            strength = float(np.clip(_meets(tried[ends:], self.share), low + 0.02 * (high - low), high))
            strength = round(strength, 4)
            tried.append((strength, ledger.hits(stage, number, edit.stronger(strength), part)))
        best = float(np.clip(_meets(tried[ends:], self.share), 0.0, COARSE[-1]))
        shares = tuple(float(hits.mean()) for _, hits in tried)
        return Found(
            round(best, 4), tuple(one for one, _ in tried), shares, tuple(hits.size for _, hits in tried)
        )

    def _parts(self, asked: Asked) -> list[Asked]:
        """The images of each strength inside the bracket: others each time, while there are any."""
        parts = list(asked.batches(self.fine))[: self.rounds]
        return [parts[number % len(parts)] for number in range(self.rounds)]

    def _bracket(self, tried: Sequence[tuple[float, Bool[ndarray, " _"]]]) -> tuple[float, float]:
        last = tried[-1]
        if last[1].mean() < self.share:
            raise RequestError(
                f"No strength up to {COARSE[-1]:g} brings the share to {self.share:.0%}.",
                why=f"It reached {last[1].mean():.0%}.",
                fix="Edit more latents (features), another site, or train the autoencoder on more images.",
            )
        return (tried[-2][0] if len(tried) > 1 else 0.0), last[0]


def _meets(tried: Sequence[tuple[float, Bool[ndarray, " _"]]], share: float) -> float:
    """Where a logistic curve through the hits meets a share; its slope is held at or above 0."""
    x = np.concatenate([np.full(hits.size, strength) for strength, hits in tried])
    y = np.concatenate([hits for _, hits in tried]).astype(float)

    def loss(parameters: Float[ndarray, " 2"]) -> float:
        logits = parameters[0] + np.exp(parameters[1]) * x
        return float(np.mean(np.logaddexp(0, logits) - y * logits)) + 1e-4 * float(parameters @ parameters)

    fitted = optimize.minimize(loss, np.array([-1.0, 0.5]), method="L-BFGS-B").x
    return float((np.log(share / (1 - share)) - fitted[0]) / np.exp(fitted[1]))


def _read(path: Path | None, count: int) -> Int[ndarray, " n"] | None:
    if path is None or not path.is_file():
        return None
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return np.array(held, dtype=int) if isinstance(held, list) and len(held) == count else None


def _digest(stage: Stage, edit: SiteEdit, asked: Asked) -> str:
    content = [
        stage.model.subject.fingerprint,
        stage.classifier.fingerprint,
        list(stage.place.sampling),
        edit.record.model_dump(mode="json"),
        hashlib.sha256(edit.amounts.numpy().tobytes() + edit.decoder.numpy().tobytes()).hexdigest(),
        asked.prompts,
        asked.seeds,
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
