"""How numbers, names and hostile text are written, everywhere the same."""

from __future__ import annotations

import math
import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

from biaskit.records.estimate import NO_RANKING, Unit
from biaskit.records.report import Outcome, Status
from biaskit.reporting.behaviour_words import BEHAVIOUR, BEHAVIOUR_GLOSSARY, BEHAVIOUR_METRICS
from biaskit.reporting.diffusion_words import DIFFUSION, DIFFUSION_GLOSSARY, DIFFUSION_METRICS
from biaskit.reporting.erasure_words import ERASURE_METRICS
from biaskit.reporting.features_words import (
    FEATURES,
    FEATURES_GLOSSARY,
    FEATURES_METRICS,
    MITIGATION,
    MITIGATION_GLOSSARY,
    MITIGATION_METRICS,
)
from biaskit.reporting.representation_words import (
    REPRESENTATION,
    REPRESENTATION_GLOSSARY,
    REPRESENTATION_METRICS,
)
from biaskit.reporting.retraining_words import RETRAINING, RETRAINING_GLOSSARY, RETRAINING_METRICS
from biaskit.reporting.vision_words import VISION, VISION_GLOSSARY, VISION_METRICS

if TYPE_CHECKING:
    from biaskit.records.estimate import Estimate, Interval
    from biaskit.records.finding import Finding
    from biaskit.records.report import Report, Verdict
    from biaskit.records.table import Cell

_SMALL = 0.05
_COUNTED = frozenset({Unit.NAT, Unit.BIT, Unit.LOGIT, Unit.POINT})
_UNSIGNED = frozenset({Unit.ONE, Unit.AUC, Unit.PROPORTION, Unit.COUNT})
_THREE_DECIMALS = frozenset({Unit.COSINE, Unit.AUC})
_USUAL, _RANGE = 0.95, "range of "
MINUS, MISSING = "\N{MINUS SIGN}", "\N{EN DASH}"

OUTCOME_WORDS = {
    Outcome.PASS: "passed",
    Outcome.FAIL: "failed",
    Outcome.UNDECIDED: "undecided",
    Outcome.ERROR: "not judged (error)",
    Outcome.WAIVED: "waived",
}

STATUS_WORDS = {
    Status.COMPLETE: "complete",
    Status.PARTIAL: "partial: only a part of the examples was used",
    Status.ERROR: "ended by an error; what was found before it is kept",
    Status.INTERRUPTED: "interrupted; what was found before is kept",
}

METRIC_WORDS = {
    "biaslens.embedding": "where sentences lie",
    "biaslens.embedding_profile": "where sentences lie, at each layer",
    "association.difference": "association",
    "association.alignment": "association and behaviour of neutral words, rank correlation",
    "association.weat": "association of two word sets, difference",
    "association.weat_d": "association of two word sets, Caliskan's d",
    "association.weat_g": "association of two word sets, pooled effect",
    "association.interaction": "association of an intersection beyond the sum of its parts",
    "triangulation.agreement": "agreement of two views over concepts, rank correlation",
    "biaslens.score": "inside",
    "biaslens.profile": "inside, layer by layer",
    "biaslens.behaviour": "behaviour",
    "biaslens.erasure": "left after erasing",
    "biaslens.random_erasure": "left after erasing random directions",
    "biaslens.patching_slope": "agreement with patching, slope",
    "biaslens.patching_r2": "agreement with patching, R²",
    "biaslens.kl": "change of neutral text by erasing (KL)",
    "biaslens.reliability": "split-half reliability",
    "biaslens.axis_stated": "axis of stated sentences",
    "biaslens.axis_cav": "axis of a logistic classifier (CAV)",
    "biaslens.axis_readout": "axis of the output weights",
    "biaslens.axis_sae": "axis of SAE latents",
    "biaslens.latent": "SAE latent",
    "biaslens.patching": "patched into neutral text",
    "biaslens.agreement": "share of neutral behaviour that the score predicts",
    "biaslens.calibration_stated": "log-odds per unit along the stated axis",
    "biaslens.calibration_cav": "log-odds per unit along the CAV",
    "biaslens.calibration_readout": "log-odds per unit along the output weights",
    "biaslens.calibration_sae": "log-odds per unit along the SAE axis",
    "biaslens.cav_auc": "how well the CAV tells the poles apart on words it was not fitted on (AUC)",
    "biaslens.paper": "published recipe",
    "biaslens.fvu": "unexplained by the SAE (FVU)",
    "biaslens.control_sd": "spread of neutral words",
    "sparse_probing.auc": "read on held-out rows",
    "sparse_probing.validation_auc": "read on the rows that chose the settings",
    "sparse_probing.optimism": "optimism: validation less held-out",
    "sparse_probing.selectivity": "selectivity: less the control task",
    "sparse_probing.sae_gain": "SAE probe less the best fixed baseline",
    "sparse_probing.leakage": "leakage: read where it should not be",
    "sparse_probing.leakage_erased": "left of the leakage after an eraser",
    "sparse_probing.leakage_shuffled": "floor of the leakage: shuffled labels",
    "sparse_probing.shifted_auc": "read on the shifted texts",
    "sparse_probing.compression": "compression by the online code",
    "sparse_probing.quiver_gain": "quiver with SAE probes less quiver without",
    "sparse_probing.k_needed": "fewest latents within 0.01 of the best",
    "sparse_probing.chosen_layer_auc": "read at a layer chosen inside the folds",
    "sparse_probing.random_weights": "control: the model with random weights",
    "sparse_probing.shuffled": "control: shuffled labels",
    "sparse_probing.random_coordinates": "control: random coordinates",
    "sparse_probing.bag_of_words": "control: the words alone, without the model",
    "sparse_probing.length": "control: the text's length alone",
    **BEHAVIOUR_METRICS,
    **ERASURE_METRICS,
    **VISION_METRICS,
    **DIFFUSION_METRICS,
    **REPRESENTATION_METRICS,
    **FEATURES_METRICS,
    **MITIGATION_METRICS,
    **RETRAINING_METRICS,
}

GLOSSARY = (
    ("target", "The concept that is audited, such as food."),
    ("reference pair", "The two poles it is compared with; a positive number leans to the first."),
    (
        "inside",
        "How far the model's activations for the target lean to the first pole, compared with neutral words, "
        "on an axis taken from the model's own behaviour.",
    ),
    ("behaviour", "How much more the model's next words lean to the first pole than after neutral words."),
    (
        "left after erasing",
        "The share of the behaviour that remains once the direction is removed inside: near 0 % means that "
        "the direction carries it.",
    ),
    ("reading", "Which side is given and which is predicted: a model may hold a link in one way only."),
    ("nat", "Unit of a difference of log-probabilities; +0.69 nat means twice the odds."),
    (
        "interval",
        "Where the true number lies, at a level of 95 % unless another is stated; all verdicts rest on it. A "
        "range runs from the smallest to the largest of so many draws and is no such interval.",
    ),
    ("neutral words", "Nouns of which no lean is expected; the grey band holds 95 % of them."),
    ("p, q", "How often neutral words reach such a number; q is p corrected for the number of targets."),
    ("undecided", "The evidence does not settle the question; it is not a pass."),
    ("layer", "A block of the model, counted from 0 at the bottom."),
    ("patching", "Putting the target's activation in the place of a neutral word's, and running the rest."),
    ("latent", "One unit of a sparse autoencoder, a dictionary of the model's activations."),
)

_PROBING = "sparse_probing."
_SHARED = frozenset({"interval", "undecided", "layer", "latent"})

PROBING_GLOSSARY = (
    (
        "AUC",
        "How often a row that shows the concept scores above one that does not: 0.5 is chance, 1 is always.",
    ),
    ("held out", "Rows that took no part in any choice: not of coordinates, settings or weights."),
    (
        "nested",
        "Every choice is made anew inside the training rows of each fold; the held-out rows stay unseen.",
    ),
    ("optimism", "How much better a probe looks on the rows that chose its settings than on held-out rows."),
    ("baseline", "A probe on the activations themselves, which an SAE probe must beat to be of use."),
    (
        "quiver",
        "For each task the probe that validated best; its gain is what a further kind of probe adds.",
    ),
    ("selectivity", "Accuracy on the concept less accuracy on a random label per word (the control task)."),
    (
        "compression",
        "How many times shorter the labels can be told to someone who has the activations; 1 is not at all.",
    ),
    (
        "chance",
        "How often the named null, such as shuffled labels, reaches such a number: p, or q if corrected.",
    ),
    ("leakage", "AUC for something that the activations should not tell; 0.5 means that it is not there."),
)


_NEGATIVE, _PERCENT = re.compile(r"(?<![\w.%)-])-(?=\d)"), re.compile(r"(?<=\d)%")


def number(value: float | None, unit: Unit, decimals: int | None = None) -> str:
    """Write a number without its unit's name: percent for a proportion, a real minus sign.

    Units that count something signed show their plus sign too. Two decimals, three for cosines, AUC and
    what is small, unless `decimals` says otherwise. What rounds to zero keeps its sign: an interval that
    ends just below zero must not look as if it held zero.
    """
    if value is None:
        return MISSING
    if unit is Unit.PROPORTION:
        return f"{100 * value:z.0f} %".replace("-", MINUS)
    if unit is Unit.COUNT:
        return f"{value:,.0f}".replace("-", MINUS)
    places = _decimals(unit, value) if decimals is None else decimals
    sign = "" if unit in _UNSIGNED or value == 0 else "+"
    return f"{value:{sign}.{places}f}".replace("-", MINUS)


def _decimals(unit: Unit, *values: float) -> int:
    return 3 if unit in _THREE_DECIMALS or 0 < max(map(abs, values)) < _SMALL else 2


def estimate(shown: Estimate) -> str:
    """Write the value alone, with as many decimals as its interval."""
    return number(shown.value, shown.unit, _places(shown))


def _places(shown: Estimate) -> int:
    """Return the decimals that value and interval share."""
    known = [abs(end) for end in (shown.interval.low, shown.interval.high)] if shown.interval else []
    return _decimals(shown.unit, *known, abs(shown.value or 0.0))


def tick(value: float, unit: Unit) -> str:
    """Write a round number at an axis, with no more decimals than it needs."""
    if unit is Unit.PROPORTION:
        return f"{100 * value:.6g} %".replace("-", MINUS)
    return f"{value:{'' if unit in _UNSIGNED else '+'}g}".replace("-", MINUS) if value else "0"


def unit_name(unit: Unit, *, plural: bool = False) -> str:
    """Return the unit as it stands behind a number; nothing for pure numbers and percent."""
    if unit is Unit.AUC:
        return "AUC"
    if unit in _UNSIGNED:
        return ""
    return f"{unit}s" if plural and unit in _COUNTED else str(unit)


def size(value: float, unit: Unit) -> str:
    """Write how large a number is, without sign and unit."""
    return number(abs(value), unit).removeprefix("+")


def amount(value: float, unit: Unit) -> str:
    """Write how large a number is, as `1.22 nats`."""
    return f"{size(value, unit)} {unit_name(unit, plural=True)}".rstrip()


def interval(shown: Estimate) -> str:
    """Write the interval as `[low, high]`, or nothing where there is none.

    One that is not the usual 95 % says what it is: a range with its number of draws, any other its level. An
    AUC without interval says so where the reason is that all scores tie.
    """
    if shown.value is None:
        return ""
    if shown.interval is None:
        return f"({plain(shown.reason or '')})" if (shown.reason or "").startswith(NO_RANKING) else ""
    ends = ", ".join(
        number(end, shown.unit, _places(shown)) for end in (shown.interval.low, shown.interval.high)
    )
    return f"[{ends}] {_kind(shown.interval)}".rstrip()


def _kind(found: Interval) -> str:
    if found.method.startswith(_RANGE):
        return plain(found.method)
    return "" if math.isclose(found.level, _USUAL, abs_tol=0.0005) else f"({100 * found.level:.3g} %)"


def chance(shown: Estimate) -> str:
    """Write the p-value, corrected if it is, as `q 0.012` or `p < 0.001`; nothing where none applies."""
    null = shown.null
    if shown.value is None or null is None:
        return "untested" if shown.value is not None and shown.untested else ""
    letter, p = ("p", null.p) if null.adjusted is None else ("q", null.adjusted)
    return f"{letter} < 0.001" if p < 0.001 else f"{letter} {p:.2g}" if p < 0.1 else f"{letter} {p:.2f}"


def bare(shown: Estimate) -> str:
    """Write value and interval without the unit, which stands beside them."""
    if shown.value is None:
        return whole(shown)
    return f"{estimate(shown)} {interval(shown)}".rstrip()


def whole(shown: Estimate) -> str:
    """Write value, interval and unit in one phrase."""
    if shown.value is None:
        return f"not measured: {plain(shown.reason or 'no reason given')}"
    parts = (estimate(shown), interval(shown), unit_name(shown.unit))
    return " ".join(part for part in parts if part)


def change(shown: Estimate) -> str:
    """Write a change that has value and interval, each number with its sign: `+12 % [+3 %, +21 %]`."""
    known = (shown.value, *((shown.interval.low, shown.interval.high) if shown.interval else ()))
    value, *ends = (_signed(number(one, shown.unit, _places(shown))) for one in known)
    return " ".join(
        part for part in (value, f"[{', '.join(ends)}]" if ends else "", unit_name(shown.unit)) if part
    )


def _signed(written: str) -> str:
    return written if written.startswith(("+", MINUS)) or not written.strip("0.% ") else f"+{written}"


def metric(name: str) -> str:
    """Return the plain words for a metric, or its own name."""
    return METRIC_WORDS.get(name, name)


def glossary(report: Report) -> tuple[tuple[str, str], ...]:
    """Return the words to explain: those of probing, of images and of comparisons, as far as they occur."""
    metrics = [finding.metric for finding in report.findings()]
    own = (
        (_PROBING, PROBING_GLOSSARY),
        (BEHAVIOUR, BEHAVIOUR_GLOSSARY),
        (VISION, VISION_GLOSSARY),
        (DIFFUSION, DIFFUSION_GLOSSARY),
        (REPRESENTATION, REPRESENTATION_GLOSSARY),
        (FEATURES, FEATURES_GLOSSARY),
        (MITIGATION, MITIGATION_GLOSSARY),
        (RETRAINING, RETRAINING_GLOSSARY),
    )
    starts = tuple(start for start, _ in own)
    given = [
        entry for start, entries in own if any(one.startswith(start) for one in metrics) for entry in entries
    ]
    others = not metrics or not all(one.startswith(starts) for one in metrics)
    known = (entry for entry in GLOSSARY if others or entry[0] in _SHARED)
    return tuple({word: (word, meaning) for word, meaning in (*known, *given)}.values())


def measure(finding: Finding) -> str:
    """Write what a finding measures with its unit, as `read on held-out rows, AUC`."""
    unit = unit_name(finding.estimate.unit)
    return ", ".join(part for part in (metric(finding.metric), unit) if part)


def pair(references: tuple[str, str] | None) -> str:
    """Write two poles as `first - second` with a real minus sign."""
    return f"{plain(references[0])} {MINUS} {plain(references[1])}" if references else ""


def about(finding: Finding) -> str:
    """Write what a finding is about: target, pair and reading."""
    parts = (" / ".join(plain(concept) for concept in finding.concepts), pair(finding.references))
    return ", ".join(part for part in (*parts, plain(finding.group or "")) if part)


def verdict(one: Verdict) -> str:
    """Write what a verdict is about: gate, target, pair and group."""
    parts = (plain(one.gate), plain(one.concept), pair(one.references), plain(one.group or ""))
    return ", ".join(part for part in parts if part)


def cell(value: Cell) -> str:
    """Write one cell of a table: at most six digits, nothing for what is missing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}".replace("-", MINUS) if isinstance(value, float) else str(value)


def duration(seconds: float) -> str:
    """Write a time as `41 s` or `4 min 12 s`."""
    whole_seconds = round(seconds)
    if whole_seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole_seconds} s"
    minutes, rest = divmod(whole_seconds, 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def typeset(sentence: str) -> str:
    """Return a sentence with the minus signs and the space before percent that the page's numbers have."""
    return _PERCENT.sub(" %", _NEGATIVE.sub(MINUS, sentence))


def plain(text: str) -> str:
    """Make hostile text inert: control, escape and direction-changing characters become visible marks."""
    return text if text.isprintable() else "".join(map(_visible, text))


@lru_cache(maxsize=1024)
def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if character in "\n\t" or category in {"Zl", "Zp"}:
        return " "
    if category == "Cn" and ord(character) & 0xFFFE == 0xFFFE:  # no character at all; XML knows none of them
        return "\N{REPLACEMENT CHARACTER}"
    if category in {"Cc", "Cf", "Cs", "Co"} and character not in "\N{ZERO WIDTH JOINER}\N{SOFT HYPHEN}":
        return f"<{ord(character):02X}>" if category == "Cc" else "\N{REPLACEMENT CHARACTER}"
    return character
