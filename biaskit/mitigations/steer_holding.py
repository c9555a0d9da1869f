"""Other attributes are held where an edit leaves them: what moves beyond chance is turned back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from biaskit.concepts.site_edit import SiteEdit
from biaskit.errors import RequestError
from biaskit.stats.paired import mcnemar
from biaskit.steering.making import latent_direction
from biaskit.steering.trajectories import Stage

if TYPE_CHECKING:
    from biaskit.mitigations.steer_search import EditSearch
    from biaskit.protocols import AttributeClassifier
    from biaskit.steering.trajectories import Asked

LEVEL, FIRST, MOST, TRIED = 0.05, 0.5, 3.0, 2


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """An edit that leaves other attributes where they were.

    Attributes:
        edit: The edit.
        turned: What was turned back, one phrase each; empty where nothing moved beyond chance.
        left: What moved beyond chance and could not be turned back, one phrase each.
    """

    edit: SiteEdit
    turned: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    @property
    def said(self) -> str:
        """What moved beside the share, as the beginning of a sentence."""
        return "".join(f"{one}; " for one in (*self.turned, *self.left))


def held(search: EditSearch, edit: SiteEdit, asked: Asked) -> Held:
    """Turn back every watched attribute that the edit moves beyond chance, one after the other.

    McNemar's test on the search's images says what moves. Then the difference of the other attribute's
    activations is added at the steps at which the edit does not act, in the part at which the attribute's
    share is again what it was; it grows with the edit from there on.
    """
    kept = Held(edit)
    for classifier in search.scene.watched:
        kept = _turned_back(search, kept, classifier, asked)
    return kept


def _turned_back(search: EditSearch, kept: Held, classifier: AttributeClassifier, asked: Asked) -> Held:
    stage = Stage(search.stage.model, search.stage.place, classifier)

    def seen(edit: SiteEdit) -> Int[ndarray, " n"]:
        return search.ledger.labels(stage, edit, asked)

    before, after = seen(kept.edit.stronger(0.0)), seen(kept.edit)
    every = len(classifier.classes)
    number = int((np.bincount(after, minlength=every) - np.bincount(before, minlength=every)).argmin())
    if mcnemar(after == number, before == number).p > LEVEL:
        return kept
    name, share = f"{classifier.classes[number]} ({classifier.attribute})", float((before == number).mean())
    doses, moved = [0.0], [float((after == number).mean()) - share]
    stays = f"the share of {name} moved by {moved[0]:+.3f} and could not be turned back"
    try:
        back = _leading(search, classifier.attribute, number, kept.edit)
    except RequestError:
        return replace(kept, left=(*kept.left, stays))
    for _ in range(TRIED):
        doses.append(_next(doses, moved))
        turned = seen(_joined(kept.edit, back, doses[-1]))
        moved.append(float((turned == number).mean()) - share)
    order = np.argsort(moved)
    dose = float(np.interp(0.0, np.array(moved)[order], np.array(doses)[order]))
    if dose == 0:
        return replace(kept, left=(*kept.left, stays))
    said = (
        f"the share of {name} had moved by {moved[0]:+.3f} and was turned back by {dose:.2g} of its own edit"
    )
    return replace(kept, edit=_joined(kept.edit, back, dose), turned=(*kept.turned, said))


def _next(doses: list[float], moved: list[float]) -> float:
    """The dose at which a line through what was measured meets no change; `FIRST` where there is no line."""
    if len(doses) < 2:
        return FIRST
    slope = (moved[-1] - moved[-2]) / (doses[-1] - doses[-2])
    return float(np.clip(doses[-1] - moved[-1] / slope, 0.05, MOST)) if slope > 0 else MOST


def _leading(search: EditSearch, attribute: str, number: int, edit: SiteEdit) -> SiteEdit:
    """Return the edit of unit strength that leads to a class of another attribute, at steps that are left.

    It is the difference of activations, not of latents: those of an autoencoder may not carry a trait that
    nobody asked for. Where the edit acts at every step, so does this one.
    """
    leading = latent_direction(search.autoencoder, search.codes[attribute], number)
    low = 0.0 if edit.record.window is None else edit.record.window[0]
    return leading.within(0.0, low) if low > float(leading.timesteps.min()) else leading


def _joined(edit: SiteEdit, other: SiteEdit, dose: float) -> SiteEdit:
    """Return an edit that adds `dose` of another one at its own strength, and less at less.

    It acts wherever either does; an amount of 0 keeps each to its own steps.
    """
    share = dose / edit.record.strength
    amounts = [_kept_to_its_steps(edit), share * _kept_to_its_steps(other)]
    return replace(
        edit,
        record=edit.record.model_copy(update={"window": None}),
        decoder=torch.cat([edit.decoder, other.decoder]),
        amounts=torch.cat(amounts, dim=2),
    )


def _kept_to_its_steps(edit: SiteEdit) -> Float[Tensor, "c t f"]:
    window = edit.record.window
    if window is None:
        return edit.amounts
    acts = (edit.timesteps >= window[0]) & (edit.timesteps <= window[1])
    return edit.amounts * acts[None, :, None]


def noisiest(steps: list[float], part: float) -> tuple[float, float]:
    """Return the window of the noisiest part of the timesteps; all of them for 1.

    It ends half way to the next one, where amounts of the nearest timestep change, and reaches beyond the
    noisiest, as samplers of more steps begin at a later one.
    """
    ordered = sorted(steps, reverse=True)
    count = max(round(part * len(ordered)), 1)
    low = 0.0 if count == len(ordered) else (ordered[count - 1] + ordered[count]) / 2
    return low, 2 * ordered[0]
