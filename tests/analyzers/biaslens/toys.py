"""A language model that is one formula: activations are given, and the log-odds are known in closed form.

A prompt is two tokens wide: the one in the slot, which says nothing, and the last one, whose activation h is
made from the words of the text. Every block leaves h as it is. The logits of the first pole's words are
f(h) + their own constant and the second pole's are constants, so the log-odds are f(h) + a constant exactly.
A noun's logit is v_noun . h.
"""

from __future__ import annotations

import hashlib

import torch

from biaskit.errors import UnknownNameError
from biaskit.hooks.edits import Rows
from biaskit.hooks.pooling import Pooling
from biaskit.hooks.store import ActivationStore
from biaskit.protocols import LogOddsGradients
from biaskit.records.probe_set import ControlSet, Modality, NounClass, ReferencePair, TargetSet
from biaskit.records.prompt import Prompt
from biaskit.records.report import SubjectRecord
from biaskit.records.site import Site, SiteKind
from biaskit.session import Comparison, Session

WIDTH = 12
LAYERS = 2
ABOUT = {"format": 1, "description": "Made up.", "source": "Made up", "licence": "CC0-1.0"}
CONTINUATIONS = {"up": ("good", "great"), "down": ("bad", "awful", "poor")}
STATES = {"up": ("lovely", "superb", "fine"), "down": ("nasty", "lousy", "grim")}


class Toy:
    """A `LanguageModel` whose log-odds are `function(h)` plus a constant, for h of shape [n, d]."""

    modality = Modality.TEXT
    folder = None
    notes = ()
    predicts_words = True

    def __init__(self, function, vectors, *, nouns=(), vocabulary=40):
        self.function, self.vectors = function, vectors
        self.module = torch.nn.Identity()
        self.words = [w for pole in ("up", "down") for w in CONTINUATIONS[pole]] + list(nouns)
        self.words += [f"filler{index}" for index in range(vocabulary - len(self.words))]
        generator = torch.Generator().manual_seed(11)
        self.constants = torch.randn(len(self.words), generator=generator, dtype=torch.float64)
        self.rows = torch.randn(len(self.words), WIDTH, generator=generator, dtype=torch.float64) * 0.5
        self.rows[: len(CONTINUATIONS["up"]) + len(CONTINUATIONS["down"])] = 0.0
        self.subject = SubjectRecord(
            name="toy",
            source="toy",
            architecture="toy",
            layout="known",
            layers=LAYERS,
            width=WIDTH,
            parameters=0,
            dtype="float32",
            device="cpu",
            fingerprint="0" * 64,
        )

    def sites(self):
        return tuple(Site(kind=SiteKind.RESID_POST, layer=layer) for layer in range(LAYERS))

    def locate(self, site):
        if site not in self.sites():
            raise UnknownNameError("site", str(site), map(str, self.sites()))
        return self.module

    def single_token_words(self, words):
        return {word: self.words.index(word) for word in words if word in self.words}

    def activations(self, prompts, sites, pooling=Pooling.LAST, edits=None):
        seen = self._run(prompts, edits or {}, pooling)
        return {site: seen[site][:, self._position(pooling)].float() for site in sites}

    def next_token_logprobs(self, prompts, tokens=None, edits=None, edit_at=Pooling.LAST):
        seen = self._run(prompts, edits or {}, edit_at)
        return self.unembed(seen[self.sites()[-1]][:, 1], tokens)

    def unembed(self, residual, tokens=None):
        logprobs = self._logits(residual.double()).log_softmax(1)
        return logprobs if tokens is None else logprobs[:, list(tokens)]

    def unembedding(self, tokens):
        """The first pole's gradient at 0 in its rows, as a linear head has it."""
        origin = torch.zeros(1, WIDTH, dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad(self.function(origin).sum(), origin)
        rows = self.rows.clone()
        rows[: len(CONTINUATIONS["up"])] = slope
        return rows[list(tokens)].float()

    def log_odds_gradients(self, prompts, tokens, sites, pooling=Pooling.LAST):
        base = self._base(prompts).requires_grad_(requires_grad=True)
        logprobs = self._logits(base[:, 1]).log_softmax(1)
        first, second = (logprobs[:, list(group)].logsumexp(1) for group in tokens)
        (grad,) = torch.autograd.grad((first - second).sum(), base)
        at = self._position(pooling)
        gradients, activations = (dict.fromkeys(sites, rows[:, at]) for rows in (grad, base.detach()))
        return LogOddsGradients((first - second).detach(), gradients, activations)

    def _logits(self, h):
        logits = self.constants + h @ self.rows.T
        lift = torch.zeros(len(self.words), dtype=torch.float64)
        lift[: len(CONTINUATIONS["up"])] = 1.0
        return logits + self.function(h)[:, None] * lift

    def _run(self, prompts, edits, pooling):
        h, seen = self._base(prompts), {}
        position = torch.full((len(prompts),), self._position(pooling))
        rows = Rows(torch.arange(len(prompts)), position, torch.ones(h.shape[:2], dtype=torch.bool))
        for site in self.sites():
            h = edits[site](h, rows) if site in edits else h
            seen[site] = h
        return seen

    def _base(self, prompts):
        last = torch.stack([self.vectors(prompt) for prompt in prompts]).float().double()
        return torch.stack([torch.zeros_like(last), last], dim=1)

    @staticmethod
    def _position(pooling):
        return 0 if pooling is Pooling.SPAN else 1


def drawn(text, scale=1.0):
    """A vector that only `text` decides."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")
    return scale * torch.randn(WIDTH, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_word(prompt: Prompt, scale=0.5):
    """Activation of a prompt: a part of the word in its slot, one of its stem, and a small one of both."""
    return separate(prompt, scale) + drawn(prompt.text, scale / 4)


def separate(prompt: Prompt, scale=0.5):
    """Activation of a prompt: a part of the word in its slot and one of its stem."""
    start, end = prompt.span or (0, len(prompt.text))
    word, stem = prompt.text[start:end], prompt.text[:start] + prompt.text[end:]
    return drawn(word, scale) + drawn(stem, scale)


def comparison(*, targets=None, controls=30, stems=5, templates=6):
    """Three targets on the pair up / down."""
    slots = [f"Here stem {index} says {{}} and then" for index in range(max(stems, templates))]
    target_set = TargetSet(
        **ABOUT,
        kind="target",
        name="things",
        noun_class=NounClass.THING,
        references=("up-down",),
        controls="plain",
        templates=[slot.format("{x}") for slot in slots[:templates]],
        targets=targets
        or {"soup": ("soup", "broth", "stew"), "bus": ("bus", "tram"), "hall": ("hall", "foyer")},
    )
    pair = ReferencePair(
        **ABOUT,
        kind="pair",
        name="up-down",
        poles=("up", "down"),
        templates=[slot.format("{x}") for slot in slots[:templates]],
        fillers=STATES,
        continuations=CONTINUATIONS,
        stems={NounClass.THING: [slot.format("{target}") for slot in slots[:stems]]},
        reverse_stems={NounClass.THING: [slot.format("{reference}") for slot in slots[:stems]]},
    )
    plain = ControlSet(
        **ABOUT,
        kind="controls",
        name="plain",
        noun_class=NounClass.THING,
        fillers=[f"thing{index}" for index in range(controls)],
    )
    return Comparison(target_set, pair, plain)


def nouns(compared):
    """Every noun of a comparison."""
    return [*(w for words in compared.targets.targets.values() for w in words), *compared.controls.fillers]


def session(model, *compared, seed=0):
    """A session over a toy, with a store in memory."""
    return Session(model, compared, ActivationStore(None), seed)
