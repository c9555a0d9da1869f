"""Which published sparse autoencoder reads a model's site, from sae-lens's own catalogue, offline.

The catalogue is a YAML file inside the sae-lens package. It is read without importing that package,
which takes seconds.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # its stubs are a package of their own

from biaskit.concepts.hook_names import same_activation
from biaskit.errors import MissingExtraError
from biaskit.records.site import Site, SiteKind

PREFERRED_WIDTH = 16384
PREFERRED_L0 = 100.0
SAFE_LOADERS = frozenset({None, "gemma_2", "gemma_3", "llama_scope"})
"""The catalogue's loaders that read safetensors or plain arrays; the others unpickle."""

_ALIASES = {"gpt2": "gpt2-small", "mistral-7b-v0.1": "mistral-7b"}
_BY_SITE = re.compile(r"^blocks\.(?P<layer>\d+)\.hook_(?P<kind>resid_pre|resid_post)(?:_(?P<width>\d+))?$")
_BY_WIDTH = re.compile(r"^layer_(?P<layer>\d+)[/_]width_(?P<width>\d+)(?P<unit>[km])[/_](?P<rest>.+)$")
_LLAMA_SCOPE = re.compile(r"^l(?P<layer>\d+)r_(?P<factor>\d+)x$")
_WIDTH_IN_NAME = re.compile(r"-(?P<width>\d+)k$")
_LLAMA_WIDTH = 4096


@dataclass(frozen=True, slots=True)
class PublishedAutoencoder:
    """An entry of the catalogue.

    Attributes:
        release: Name of the release.
        sae_id: Name within the release.
        site: Where it reads.
        note: Why it was chosen, one sentence.
    """

    release: str
    sae_id: str
    site: Site
    note: str


@dataclass(frozen=True, slots=True)
class _Candidate:
    release: str
    sae_id: str
    site: Site
    width: int | None
    variance_explained: float | None
    l0: float | None

    def rank(self, site: Site) -> tuple[Any, ...]:
        """Sort key, best first; the words of it are in `default_release`."""
        width = math.inf if self.width is None else abs(math.log(self.width / PREFERRED_WIDTH))
        return (
            self.site != site,
            not self._canonical,
            round(width, 1),
            -(self.variance_explained or 0.0),
            math.inf if not self.l0 else abs(self.l0 - PREFERRED_L0),
            self.release,
            self.sae_id,
        )

    @property
    def _canonical(self) -> bool:
        return self.release.endswith("canonical")

    def described(self) -> str:
        parts = [
            "the publisher's canonical choice" if self._canonical else "",
            "" if self.width is None else f"{self.width} latents",
            f"{self.variance_explained:.0%} of variance explained" if self.variance_explained else "",
            f"L0 {self.l0:.0f}" if self.l0 else "",
        ]
        return ", ".join(part for part in parts if part)


def default_release(model_name: str, site: Site) -> PublishedAutoencoder | None:
    """Choose the published residual-stream autoencoder for a model's site, or None where there is none.

    The rule, each step deciding ties of the one before: it reads the site itself before the same
    activation under its other name (`resid_pre` of the next block); its publisher calls it canonical; its
    width is nearest to 16k; it explains more variance; its L0 is nearest to 100; its name comes first.
    Only releases stored as safetensors or plain arrays are considered.

    Raises:
        MissingExtraError: sae-lens is not installed.
    """
    found = [
        entry for entry in _candidates(plain_model_name(model_name)) if same_activation(entry.site, site)
    ]
    if not found:
        return None
    best = min(found, key=lambda entry: entry.rank(site))
    others = f"chosen among {len(found)}" if len(found) > 1 else "the only one"
    about = best.described()
    note = f"{best.release} {best.sae_id} ({others} for {site}{'; ' + about if about else ''})"
    return PublishedAutoencoder(best.release, best.sae_id, best.site, note)


def plain_model_name(name: str) -> str:
    """Return a hub id in the catalogue's plain form: no owner, lower case, known aliases resolved."""
    plain = name.rsplit("/", 1)[-1].lower().removeprefix("meta-")
    return _ALIASES.get(plain, plain)


@cache
def catalogue() -> dict[str, dict[str, Any]]:
    """Read the releases of sae-lens's packaged catalogue.

    Raises:
        MissingExtraError: sae-lens is not installed.
    """
    spec = find_spec("sae_lens")
    if spec is None or spec.origin is None:
        raise MissingExtraError("sae-lens", "text")
    text = (Path(spec.origin).parent / "pretrained_saes.yaml").read_bytes()
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return dict(yaml.load(text, Loader=loader))  # noqa: S506 - a safe loader, in C where it was built


def _candidates(model: str) -> list[_Candidate]:
    return [
        candidate
        for release, entry in catalogue().items()
        if _fits(release, entry, model)
        for item in entry["saes"]
        if (candidate := _candidate(release, item)) is not None
    ]


def _fits(release: str, entry: dict[str, Any], model: str) -> bool:
    tuned = "-it-" in release and not model.endswith("-it")
    same = plain_model_name(entry["model"]) == model
    return same and not tuned and entry.get("conversion_func") in SAFE_LOADERS


def _candidate(release: str, item: dict[str, Any]) -> _Candidate | None:
    place = _place(release, item["id"])
    if place is None or item.get("conversion_func") not in SAFE_LOADERS:
        return None
    site, width = place
    return _Candidate(release, item["id"], site, width, item.get("variance_explained"), item.get("l0"))


def _place(release: str, sae_id: str) -> tuple[Site, int | None] | None:
    """Read site and width from an id; None for what does not read the residual stream."""
    if match := _BY_SITE.match(sae_id):
        site = Site(kind=SiteKind(match["kind"]), layer=int(match["layer"]))
        named = _WIDTH_IN_NAME.search(release)
        width = (
            int(match["width"])
            if match["width"]
            else _power_of_two(int(named["width"]) * 1000)
            if named
            else None
        )
        return site, width
    if "-res" in release and (match := _BY_WIDTH.match(sae_id)):
        unit = 1_000 if match["unit"] == "k" else 1_000_000
        return _post(match["layer"]), _power_of_two(int(match["width"]) * unit)
    if match := _LLAMA_SCOPE.match(sae_id):
        return _post(match["layer"]), int(match["factor"]) * _LLAMA_WIDTH
    return None


def _power_of_two(rounded: int) -> int:
    """Return the width that a name such as `131k` rounds."""
    return 1 << round(math.log2(rounded))


def _post(layer: str) -> Site:
    return Site(kind=SiteKind.RESID_POST, layer=int(layer))
