"""A language model with a remedy in force in every pass, for whoever reads or writes with it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from jaxtyping import Float
from torch import Tensor

from biaskit.errors import RequestError
from biaskit.hooks.edits import Chain, Edit
from biaskit.hooks.pooling import Pooling
from biaskit.protocols import LanguageModel, TextLogprobs
from biaskit.records.generation import PLAIN_GENERATION, Generation
from biaskit.records.probe_set import Modality
from biaskit.records.prompt import Prompt
from biaskit.records.site import Site

if TYPE_CHECKING:
    from biaskit.records.report import SubjectRecord


class EditedLanguageModel:
    """Reads, scores and writes as the model does while its edits are in force, before any given ones.

    What cannot be done under edits is refused; everything else is the model's own. Its fingerprint is one of
    its own, so that what was stored of the plain model is not taken for its activations.
    """

    modality: ClassVar[Modality] = Modality.TEXT

    def __init__(self, model: LanguageModel, edits: Mapping[Site, Edit], digest: str) -> None:
        self._model, self._edits, self._digest = model, dict(edits), digest

    @property
    def subject(self) -> SubjectRecord:
        """What was loaded, with the fingerprint of model and remedy together."""
        plain = self._model.subject
        both = hashlib.sha256(f"{plain.fingerprint}/{self._digest}".encode()).hexdigest()
        return plain.model_copy(update={"fingerprint": both})

    def activations(
        self,
        prompts: Sequence[Prompt],
        sites: Sequence[Site],
        pooling: Pooling = Pooling.LAST,
        edits: Mapping[Site, Edit] | None = None,
    ) -> dict[Site, Float[Tensor, "n d"]]:
        """Read activations; at an edited site, the edited ones."""
        return self._model.activations(prompts, sites, pooling, self._with(edits))

    def next_token_logprobs(
        self,
        prompts: Sequence[Prompt],
        tokens: Sequence[int] | None = None,
        edits: Mapping[Site, Edit] | None = None,
        edit_at: Pooling = Pooling.LAST,
    ) -> Float[Tensor, "n k"]:
        """Log-probabilities of the next token, in nats."""
        return self._model.next_token_logprobs(prompts, tokens, self._with(edits), edit_at)

    def continuation_logprobs(
        self,
        prompts: Sequence[Prompt],
        continuations: Sequence[str],
        edits: Mapping[Site, Edit] | None = None,
    ) -> Float[Tensor, "n m"]:
        """Log-probability of each continuation, in nats."""
        return self._model.continuation_logprobs(prompts, continuations, self._with(edits))

    def text_logprobs(
        self, texts: Sequence[str], edits: Mapping[Site, Edit] | None = None
    ) -> tuple[TextLogprobs, ...]:
        """Log-probability of every token, in nats."""
        return self._model.text_logprobs(texts, self._with(edits))

    def generate(
        self,
        prompts: Sequence[Prompt],
        generation: Generation = PLAIN_GENERATION,
        edits: Mapping[Site, Edit] | None = None,
    ) -> tuple[tuple[str, ...], ...]:
        """Continue each prompt."""
        return self._model.generate(prompts, generation, self._with(edits))

    def token_batches(self, *_: object, **__: object) -> NoReturn:
        """Refuse: activations at every token are read without edits."""
        raise _refused("Activations at every token")

    def log_odds_gradients(self, *_: object, **__: object) -> NoReturn:
        """Refuse: gradients are taken without edits."""
        raise _refused("Gradients")

    def reinitialised(self, *_: object, **__: object) -> NoReturn:
        """Refuse: a remedy says nothing of other weights."""
        raise _refused("A random-weights twin")

    def __getattr__(self, name: str) -> Any:
        """Hand on what no edit changes: sites, tokens, the head, the module itself."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._model, name)

    def _with(self, edits: Mapping[Site, Edit] | None) -> dict[Site, Edit]:
        given = edits or {}
        joined = {
            site: Chain((own, given[site])) if site in given else own for site, own in self._edits.items()
        }
        return {**given, **joined}


def _refused(what: str) -> RequestError:
    return RequestError(
        f"{what} cannot be had of a model with a remedy in force.", fix="Ask the model without its remedy."
    )
