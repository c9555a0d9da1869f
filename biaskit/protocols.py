"""What a model adapter, an analyzer and a mitigation must offer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, runtime_checkable

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from biaskit.decomposition.denoiser import Denoiser
from biaskit.hooks.pooling import Pooling
from biaskit.records.generation import PLAIN_GENERATION, Generation
from biaskit.records.probe_set import Modality
from biaskit.records.site import Site
from biaskit.saliency.classifier import Classifier

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from PIL.Image import Image

    from biaskit.hooks.edits import Edit
    from biaskit.hooks.moments import SampleEdit
    from biaskit.records.finding import Analysis
    from biaskit.records.prompt import Prompt
    from biaskit.records.report import SubjectRecord


class LogOddsGradients(NamedTuple):
    """Log-odds of two groups of next tokens, and what they depend on, one row a prompt, float32.

    Attributes:
        odds: The log-odds, in nats.
        gradients: At each site, their gradient with respect to the activation at the read position.
        activations: At each site, that activation.
    """

    odds: Float[Tensor, " n"]
    gradients: dict[Site, Float[Tensor, "n d"]]
    activations: dict[Site, Float[Tensor, "n d"]]


@dataclass(frozen=True, slots=True, eq=False)
class TokenBatch:
    """Activations at every token of some prompts, on the CPU.

    Attributes:
        rows: Which of the caller's prompts these are.
        activations: At each site, one vector a token, float32; on padding they mean nothing.
        mask: True where a token is neither padding nor special.
    """

    rows: Int[Tensor, " b"]
    activations: dict[Site, Float[Tensor, "b t d"]]
    mask: Bool[Tensor, "b t"]


@dataclass(frozen=True, slots=True, eq=False)
class TextLogprobs:
    """How likely a model finds the tokens of a text.

    Attributes:
        tokens: Ids of the tokens that were scored, in order.
        logprobs: Log-probability of each, in nats, given those before it or, for an encoder, all others.
    """

    tokens: tuple[int, ...]
    logprobs: Float[Tensor, " t"]


class ModelAdapter(Protocol):
    """A loaded model, whatever its family."""

    modality: ClassVar[Modality]

    @property
    def module(self) -> nn.Module:
        """The torch module; hooks are put on it by `biaskit.hooks` only."""

    @property
    def subject(self) -> SubjectRecord:
        """What was loaded, for the report; `subject.fingerprint` digests weights, tokenizer and config."""

    def sites(self) -> tuple[Site, ...]:
        """Every site the model can be read and edited at, bottom first."""

    def locate(self, site: Site) -> nn.Module:
        """The module whose output is the activation at `site` (its input for `resid_pre`).

        Raises:
            UnknownNameError: The model has no such site; near names are given.
        """


@runtime_checkable
class LanguageModel(ModelAdapter, Protocol):
    """A causal language model or an encoder with masked-token prediction.

    Rows come back in the order of `prompts`, in float32 on the CPU, whatever the batching. A prompt
    is read as it stands; for an encoder `next_token_logprobs` reads the mask token that is appended
    (with a closing full stop), and `last` pooling reads there too.
    """

    @property
    def folder(self) -> Path | None:
        """The local folder the model was read from; it may hold autoencoders of its own under `saes/`."""

    @property
    def mask_token(self) -> str | None:
        """What an encoder fills in, as it is written in a text; None for a causal model."""

    @property
    def predicts_words(self) -> bool:
        """Whether it has a language-modelling head; an encoder of sentences has activations alone."""

    def activations(
        self,
        prompts: Sequence[Prompt],
        sites: Sequence[Site],
        pooling: Pooling = Pooling.LAST,
        edits: Mapping[Site, Edit] | None = None,
    ) -> dict[Site, Float[Tensor, "n d"]]:
        """Read pooled activations at `sites`, running no layer above the highest and no head.

        While `edits` are in force what is read at an edited site is the edited activation.

        Raises:
            ActivationError: An activation is NaN or infinite.
        """

    def token_batches(self, prompts: Sequence[Prompt], sites: Sequence[Site]) -> Iterator[TokenBatch]:
        """Read the activations at every token, a batch at a time, running no layer above the highest site.

        Prompts come longest first, so that a batch holds little padding; memory stays at one batch.

        Raises:
            ActivationError: An activation is NaN or infinite.
        """

    def reinitialised(self, seed: int) -> LanguageModel:
        """Return a random-weights twin: same architecture, tokenizer and settings, weights drawn anew.

        Raises:
            RequestError: Nothing says how this model's weights were first drawn.
        """

    def single_token_words(self, words: Sequence[str]) -> dict[str, int]:
        """Token ids of those `words` that continue a text as one token; the others are left out."""

    def next_token_logprobs(
        self,
        prompts: Sequence[Prompt],
        tokens: Sequence[int] | None = None,
        edits: Mapping[Site, Edit] | None = None,
        edit_at: Pooling = Pooling.LAST,
    ) -> Float[Tensor, "n k"]:
        """Log-probabilities (nats) of `tokens` (all if None) after each prompt, while `edits` are in force.

        `edit_at` (LAST or SPAN) is the position that the edits are told (`Rows.position`); the
        probabilities are read at the last token in either case.
        """

    def unembed(
        self, residual: Float[Tensor, "n d"], tokens: Sequence[int] | None = None
    ) -> Float[Tensor, "n k"]:
        """Log-probabilities (nats) that final norm, head and log-softmax read off the last block's output."""

    def unembedding(self, tokens: Sequence[int]) -> Float[Tensor, "k d"]:
        """Rows of the output embedding times the final norm's weight: logits per unit of normed residual."""

    def continuation_logprobs(
        self,
        prompts: Sequence[Prompt],
        continuations: Sequence[str],
        edits: Mapping[Site, Edit] | None = None,
    ) -> Float[Tensor, "n m"]:
        """Log-probability (nats) of each continuation, word by word to its end, after each prompt.

        A continuation of several tokens is teacher-forced and its token log-probabilities are summed.
        An encoder gives a column of NaN to a continuation that is not one token.
        """

    def text_logprobs(
        self, texts: Sequence[str], edits: Mapping[Site, Edit] | None = None
    ) -> tuple[TextLogprobs, ...]:
        """Log-probability (nats) of every token of each text, special tokens not counted.

        A causal model predicts each token from those before it, the first only where a special token stands
        in front. An encoder predicts each token from all others (pseudo-log-likelihood, Salazar et al. 2020).
        """

    def generate(
        self,
        prompts: Sequence[Prompt],
        generation: Generation = PLAIN_GENERATION,
        edits: Mapping[Site, Edit] | None = None,
    ) -> tuple[tuple[str, ...], ...]:
        """Continue each prompt, `generation.samples` times, while `edits` are in force at every step.

        Draws depend on the seed, the prompt's place and the sample's number alone, never on the batch. An
        encoder writes nothing and raises a `RequestError`.
        """

    def log_odds_gradients(
        self,
        prompts: Sequence[Prompt],
        tokens: tuple[Sequence[int], Sequence[int]],
        sites: Sequence[Site],
        pooling: Pooling = Pooling.LAST,
    ) -> LogOddsGradients:
        """Log-odds of two groups of next tokens and their gradient at each site.

        log-odds = logsumexp(logprobs of tokens[0]) - logsumexp(logprobs of tokens[1]), in nats; the
        gradient is taken with respect to the activation at the position that `pooling` (LAST or SPAN) reads.
        """


@runtime_checkable
class VisionModel(ModelAdapter, Classifier, Protocol):
    """An image classifier of any backbone; see `Classifier` for what pixels are and how they are mapped."""

    @property
    def folder(self) -> Path | None:
        """The local folder the model was read from, where there is one."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the pixels it takes."""

    def prepare(self, images: Sequence[Image]) -> Float[Tensor, "n c h w"]:
        """Resize and crop as the model's own config says; values in [0, 1], not yet normalised."""

    def features(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """What the classifier head (the last linear layer) is given; float32 on the CPU.

        Raises:
            RequestError: The model does not end in a linear layer that gives its logits.
        """

    def head(self) -> tuple[Float[Tensor, "k d"], Float[Tensor, " k"]]:
        """Weight and bias of the classifier head: logits = features weight^T + bias.

        Raises:
            RequestError: The model does not end in a linear layer that gives its logits.
        """

    def with_head(self, weight: Float[Tensor, "k d"], bias: Float[Tensor, " k"]) -> VisionModel:
        """Return the same model with another head; this one is left as it is."""

    def reinitialised(self, seed: int) -> VisionModel:
        """Return a random-weights twin.

        Raises:
            RequestError: Nothing says how this model's weights were first drawn.
        """


@runtime_checkable
class TextImageEncoder(Protocol):
    """Images and texts in one space, such as CLIP's; rows have length 1, float32 on the CPU."""

    @property
    def name(self) -> str:
        """What was opened, for the report."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 over weights, tokenizer and config, in hex."""

    @property
    def width(self) -> int:
        """Length of an embedding."""

    def encode_images(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """Embed pixels in [0, 1] of any size; resizing and normalising are the encoder's own."""

    def encode_texts(self, texts: Sequence[str]) -> Float[Tensor, "n d"]:
        """Embed texts."""


@runtime_checkable
class AttributeClassifier(Protocol):
    """Tells which class of one attribute an image shows."""

    @property
    def name(self) -> str:
        """What was opened, for the report."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all that its answers depend on, in hex."""

    @property
    def attribute(self) -> str:
        """The attribute, such as the name of a set of groups."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes, in the order of the columns."""

    def probabilities(self, pixels: Float[Tensor, "n rgb y x"]) -> Float[Tensor, "n k"]:
        """Return the probability of each class for pixels in [0, 1]; rows add up to 1, float32 on the CPU."""


@runtime_checkable
class Captioner(Protocol):
    """Says in one sentence what an image shows."""

    def caption(self, pixels: Float[Tensor, "n c h w"]) -> list[str]:
        """Return one sentence for each image."""


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """Images that a denoising model drew.

    Attributes:
        latents: What was denoised, in the space of `Denoiser.shape`; float32 on the CPU.
        pixels: The images, in [0, 1]; float32 on the CPU.
    """

    latents: Float[Tensor, "n c h w"]
    pixels: Float[Tensor, "n rgb y x"]


class Sampling(NamedTuple):
    """How images are drawn.

    Attributes:
        steps: Steps of the sampler.
        guidance: Scale of classifier-free guidance; 1 draws from the model itself.
    """

    steps: int = 20
    guidance: float = 1.0


PLAINLY = Sampling()
"""How images are drawn where nothing else is said."""


@runtime_checkable
class DenoisingModel(ModelAdapter, Denoiser, Protocol):
    """A diffusion or flow model, with a text encoder or without; see `Denoiser` for the channel."""

    @property
    def folder(self) -> Path | None:
        """The local folder the model was read from, where there is one."""

    @property
    def takes_text(self) -> bool:
        """Whether a prompt changes anything; a model of classes takes their names as prompts."""

    def encode_images(self, images: Sequence[Image]) -> Float[Tensor, "n c h w"]:
        """Resize, crop and encode images: the autoencoder's posterior mode, at the denoiser's scale."""

    def decode(self, latents: Float[Tensor, "n c h w"]) -> Float[Tensor, "n rgb y x"]:
        """Turn latents into pixels in [0, 1]."""

    def draw(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        sampling: Sampling = PLAINLY,
        edits: Mapping[Site, SampleEdit] | None = None,
    ) -> Drawing:
        """Draw one image a prompt; the same seed starts from the same noise, whatever prompt or batch.

        While `edits` are in force each is given the activation at its site at every step; one that returns
        the tensor it was given changes no bit.
        """

    def words(self, prompt: str) -> tuple[str, ...]:
        """Return the words of a prompt as they can be asked about, in order."""

    def in_float32(self) -> Denoiser:
        """Return the same denoiser with a network of its own in float32, to see what rounding adds."""


class Analyzer(Protocol):
    """A frozen dataclass with one method; its fields are its settings everywhere.

    Attributes:
        name: Name in the registry and on the command line.
        modality: The kind of model it opens.
        unit: What its headline number counts in.
        nulls: The nulls its p-values refer to.
        limitations: What its numbers cannot tell, one sentence each.
    """

    name: ClassVar[str]
    modality: ClassVar[Modality]
    unit: ClassVar[str]
    nulls: ClassVar[tuple[str, ...]]
    limitations: ClassVar[tuple[str, ...]]

    def analyze(self, session: Any) -> Analysis:
        """Turn a session into findings: a `Session`, a `VisionSession` or a `DiffusionSession`."""
