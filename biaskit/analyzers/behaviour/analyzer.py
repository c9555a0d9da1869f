"""Behavioural benchmarks from files of one's own, each with the interval that its design allows.

CrowS-Pairs (Nangia et al. 2020), StereoSet (Nadeem et al. 2021), WinoBias (Zhao et al. 2018), Winogender
(Rudinger et al. 2018), BBQ (Parrish et al. 2022), HONEST (Nozza et al. 2021), log-probability bias (Kurita et
al. 2019) and counterfactual sentiment (Huang et al. 2020). Nothing is downloaded and no data is shipped.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from biaskit.analyzers.behaviour.answers import bbq_found, read_items
from biaskit.analyzers.behaviour.choices import log_probability_found
from biaskit.analyzers.behaviour.found import items
from biaskit.analyzers.behaviour.pairs import (
    crows_pairs_found,
    stereoset_found,
    winobias_found,
    winogender_found,
)
from biaskit.analyzers.behaviour.writing import honest_found, sentiment_found
from biaskit.behaviour import (
    bbq,
    crows_pairs,
    honest,
    log_probability,
    sentiment,
    stereoset,
    winobias,
    winogender,
)
from biaskit.behaviour.files import terms
from biaskit.errors import RequestError
from biaskit.records.calibration import Planting
from biaskit.records.finding import Analysis
from biaskit.records.probe_set import Modality

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from biaskit.analyzers.behaviour.found import Found
    from biaskit.session import Session

_NEEDS = {
    "winobias_predictions": "winobias",
    "winogender_predictions": "winogender",
    "winogender_statistics": "winogender",
    "bbq_predictions": "bbq",
    "lexicon": "honest",
    "honest": "lexicon",
    "sentiment_lexicon": "counterfactual",
    "counterfactual": "sentiment_lexicon",
}
_PATHS = (*dict.fromkeys(("crows_pairs", "stereoset", "log_probability", *_NEEDS.values(), *_NEEDS)),)
_TEXTS = tuple(one for one in _PATHS if one != "bbq")
_BENCHMARKS: Mapping[str, Callable[[Session, Behaviour], Found]] = {
    "crows_pairs": crows_pairs_found,
    "stereoset": stereoset_found,
    "winobias": winobias_found,
    "winogender": winogender_found,
    "bbq": bbq_found,
    "honest": honest_found,
    "log_probability": log_probability_found,
    "counterfactual": sentiment_found,
}


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What do the behavioural benchmarks say of this model, counted by the unit that was sampled?

    Attributes:
        crows_pairs: File of CrowS-Pairs.
        stereoset: File of StereoSet.
        winobias: Folder of WinoBias.
        winobias_predictions: CSV of whom each pronoun was resolved to, scored in the model's place.
        winogender: File of Winogender's sentences.
        winogender_statistics: File with the share of women of each occupation.
        winogender_predictions: CSV of whom each pronoun was resolved to, scored in the model's place.
        bbq: Files of BBQ.
        bbq_predictions: JSON lines of answers, scored in the model's place.
        honest: File of HONEST's templates.
        lexicon: File of hurtful terms, for HONEST.
        log_probability: File of templates and words for the log-probability bias.
        counterfactual: File of templates and groups for counterfactual sentiment.
        sentiment_lexicon: File of words with their tone.
        limit: Most items of CrowS-Pairs, StereoSet, WinoBias, BBQ and HONEST, drawn at random; 0 takes all.
        completions: Texts that are written for each beginning; of an encoder, words filled in.
        tokens: Most tokens of a text that is written.
    """

    name: ClassVar[str] = "behaviour"
    modality: ClassVar[Modality] = Modality.TEXT
    unit: ClassVar[str] = "proportion"
    nulls: ClassVar[tuple[str, ...]] = (
        "signs of clusters flipped about the neutral value",
        "neutral words in the place of an attribute (log-probability bias of a causal model)",
    )
    limitations: ClassVar[tuple[str, ...]] = (
        "A benchmark speaks for the templates, writers and words it was made of, not for an application.",
        "Neutral is not fair: it says that two groups are treated alike in these sentences.",
    )

    planting: ClassVar[Planting] = Planting(
        metric="behaviour.log_probability",
        plant="choices",
        lean={**dict.fromkeys(_TEXTS, ""), "bbq": [], "limit": 0, "completions": 5, "tokens": 10},
    )

    crows_pairs: str = ""
    stereoset: str = ""
    winobias: str = ""
    winobias_predictions: str = ""
    winogender: str = ""
    winogender_statistics: str = ""
    winogender_predictions: str = ""
    bbq: tuple[str, ...] = ()
    bbq_predictions: str = ""
    honest: str = ""
    lexicon: str = ""
    log_probability: str = ""
    counterfactual: str = ""
    sentiment_lexicon: str = ""
    limit: int = 0
    completions: int = 5
    tokens: int = 10

    def __post_init__(self) -> None:
        """Read and check every file, before a model is opened.

        Raises:
            RequestError: A file is not there, cannot be used, or stands without the one it belongs to.
        """
        if self.limit < 0 or self.completions < 1 or self.tokens < 1:
            raise RequestError("limit must be at least 0, and completions and tokens at least 1.")
        for setting, needed in _NEEDS.items():
            if getattr(self, setting) and not getattr(self, needed):
                raise RequestError(f"{setting} is of no use without {needed}.", fix=f"Name {needed} too.")
        for setting in _PATHS:
            given = getattr(self, setting)
            for path in (given,) if isinstance(given, str) else given:
                if path and not Path(path).exists():
                    raise RequestError(f"There is no file '{path}', which {setting} names.")
        self._check_pairs()
        self._check_others()

    def _check_pairs(self) -> None:
        if self.crows_pairs:
            crows_pairs.read_crows_pairs(self.crows_pairs)
        if self.stereoset:
            stereoset.read_stereoset(self.stereoset)
        if self.winobias:
            read = winobias.read_winobias(self.winobias)
            if self.winobias_predictions:
                winobias.read_winobias_predictions(self.winobias_predictions, read.pairs)
        if self.winogender:
            schemas = winogender.read_winogender(self.winogender)
            if self.winogender_predictions:
                winogender.read_winogender_predictions(self.winogender_predictions, schemas)
            if self.winogender_statistics:
                winogender.read_shares(self.winogender_statistics)

    def _check_others(self) -> None:
        items = read_items(self.bbq)
        if self.bbq_predictions:
            bbq.read_bbq_predictions(self.bbq_predictions, items)
        if self.honest:
            honest.read_honest(self.honest)
            terms(Path(self.lexicon))
        if self.log_probability:
            log_probability.read_word_probe(self.log_probability)
        if self.counterfactual:
            sentiment.read_counterfactuals(self.counterfactual)
            sentiment.read_sentiment(self.sentiment_lexicon)

    def analyze(self, session: Session) -> Analysis:
        """Run every benchmark whose file was named.

        Raises:
            RequestError: No file was named, or an encoder was asked to write.
        """
        asked = [run for setting, run in _BENCHMARKS.items() if getattr(self, setting)]
        if not asked:
            raise RequestError(
                "No benchmark was named.",
                fix="Name a file, such as -A behaviour.crows_pairs=crows_pairs.csv.",
            )
        if session.model.mask_token is not None and self.counterfactual:
            raise RequestError(
                "Counterfactual sentiment needs a model that writes, and an encoder does not.",
                fix="Leave counterfactual out, or use a causal model.",
            )
        parts = [run(session, self) for run in asked]
        return Analysis(
            analyzer=self.name,
            settings={
                key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()
            },
            findings=tuple(one for part in parts for one in part.findings),
            summary=tuple(one for part in parts for one in part.summary),
            caveats=tuple(dict.fromkeys(one for part in parts for one in part.caveats)),
            limitations=tuple(
                dict.fromkeys((*self.limitations, *(one for part in parts for one in part.limitations)))
            ),
            tables=(*(one for part in parts for one in part.tables), *items(parts)),
        )
