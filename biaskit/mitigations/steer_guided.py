"""The baseline after InvDiff: a correction of the predicted noise, learnt from few images of a target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from biaskit.errors import RequestError
from biaskit.steering.guidance import Guiding, Shown, learn_guidance
from biaskit.steering.trajectories import Asked

if TYPE_CHECKING:
    from biaskit.mitigations.steer_scene import Scene
    from biaskit.mitigations.steered import SteeredTarget
    from biaskit.steering.guidance import Guidance
    from biaskit.steering.trajectories import Stage

GUIDED_FROM = 600_000_000
"""First seed of images that a correction is learnt from; none of the search or the audit is among them."""
GUIDING = Guiding()


def guidance_for(
    scene: Scene, stage: Stage, one: SteeredTarget, place: int, images: int
) -> tuple[Guidance | None, str]:
    """Draw images of a target, let the classifier tell their groups, and learn a correction fair to them.

    Returns:
        The correction at strength 1, and what it cost; None and the reason where nothing could be learnt.
    """
    if not images:
        return None, "Guidance after InvDiff was left out (guided=0)."
    asked = Asked.of(scene.of_target(one.name), images, GUIDED_FROM + scene.offset + place * 10_007)
    drawn, names = stage.drawn(asked), tuple(scene.compared.groups.groups)
    columns = [scene.classifier.classes.index(name) for name in names]
    labels = scene.classifier.probabilities(drawn.pixels)[:, columns].argmax(dim=1)
    rest = (1 - one.wanted) / (len(names) - 1)
    shares = [one.wanted if name == one.group else rest for name in names]
    shown = Shown(drawn.latents, asked.prompts, labels, shares)
    rng = scene.session.torch_rng(f"steer-generator/guidance/{one.name}")
    try:
        guidance = learn_guidance(scene.session.model, stage.place.site, shown, GUIDING, rng)
    except RequestError as error:
        return None, f"{one.name}: no guidance after InvDiff was learnt. {error.what}"
    said = ", ".join(f"{count} {name}" for name, count in zip(names, shown.counts.tolist(), strict=True))
    return guidance, (
        f"{one.name}: guidance after InvDiff has {guidance.weights:,} weights, learnt on {images} images "
        f"({said}) in {GUIDING.evaluations:,} evaluations of the denoiser."
    )
