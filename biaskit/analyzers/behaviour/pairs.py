"""Benchmarks that ask which of two or three sentences a model finds likelier."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from biaskit.analyzers.behaviour.asking import followed, mean_logprob, means_after, scored_items, totals
from biaskit.analyzers.behaviour.found import Found, findings_of, limited, roughness, sentences
from biaskit.behaviour import crows_pairs, stereoset, winobias, winogender
from biaskit.behaviour.score import family
from biaskit.behaviour.tokens import shared_logprobs
from biaskit.records.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from biaskit.analyzers.behaviour.analyzer import Behaviour
    from biaskit.behaviour.score import Score
    from biaskit.behaviour.stereoset import StereoItem
    from biaskit.behaviour.tokens import Scored
    from biaskit.records.finding import Finding
    from biaskit.session import Session

_NO_START = (
    "A causal model without a start token gives a text's first token no probability, so a difference there "
    "counts only by what follows."
)


def crows_pairs_found(session: Session, settings: Behaviour) -> Found:
    """Score CrowS-Pairs on the shared tokens, and for a causal model on whole sentences too."""
    model, name = session.model, crows_pairs.NAME
    read = crows_pairs.read_crows_pairs(settings.crows_pairs)
    pairs, caveats = limited(read, settings.limit, session.rng("behaviour/crows-pairs"), "CrowS-Pairs")
    pairs, known, long = scored_items(model, pairs, lambda pair: (pair.more, pair.less), "CrowS-Pairs")
    sums = np.array([shared_logprobs(known[pair.more], known[pair.less]) for pair in pairs])
    whole = np.array([[float(known[text].logprobs.sum()) for text in (p.more, p.less)] for p in pairs])
    scores = list(crows_pairs.crows_scores(pairs, sums[:, 0], sums[:, 1]))
    causal = model.mask_token is None
    if causal:
        scores += crows_pairs.crows_scores(pairs, whole[:, 0], whole[:, 1], "crows-pairs-whole")
    ties = int((scores[0].rows == 0.5).sum())
    tied = (f"CrowS-Pairs: {ties} of {len(pairs)} pairs tie and count one half.",) if ties else ()
    rng = session.rng("behaviour/crows-pairs/null")
    findings = findings_of(scores, name, rng)
    return Found(
        findings,
        (*crows_pairs.PITFALLS, *((crows_pairs.CAUSAL, _NO_START) if causal else ())),
        sentences(findings, 0.5, "CrowS-Pairs"),
        (*caveats, *long, *tied, *roughness(scores)),
        (_crows_table(pairs, sums, whole),),
        ((name, scores),),
    )


def _crows_table(
    pairs: Sequence[crows_pairs.CrowsPair], sums: Float[ndarray, "n 2"], whole: Float[ndarray, "n 2"]
) -> Table:
    columns = {
        "more": "The sentence that stereotypes more.",
        "less": "The other sentence.",
        "bias_type": "What the stereotype is about.",
        "writer": "Who wrote the pair.",
        "supported": "Whether three annotators or more named the bias type.",
        "shared": "Log-probability of the shared tokens, more less less stereotyping, in nats.",
        "whole": "Log-probability of the sentences, more less less stereotyping, in nats.",
    }
    rows = [
        (p.more, p.less, p.bias_type, p.writer, p.supported, float(s[0] - s[1]), float(w[0] - w[1]))
        for p, s, w in zip(pairs, sums, whole, strict=True)
    ]
    return Table.of("crows-pairs", "CrowS-Pairs, every pair", columns, rows)


def stereoset_found(session: Session, settings: Behaviour) -> Found:
    """Score both tasks of StereoSet; icat stands beside its parts."""
    read = stereoset.read_stereoset(settings.stereoset)
    items, caveats = limited(read, settings.limit, session.rng("behaviour/stereoset"), "StereoSet")
    items, known, long = scored_items(session.model, items, _stereo_texts, "StereoSet")
    logprobs = np.array([_stereo_logprobs(known, item) for item in items])
    findings: list[Finding] = []
    rough: list[str] = []
    scores: list[Score] = []
    for group, kept, headline in _parts(items):
        chosen = [item for item, keep in zip(items, kept, strict=True) if keep]
        ss, lms = stereoset.stereoset_scores(chosen, logprobs[kept], group, headline=headline)
        rng = session.rng(f"behaviour/stereoset/{group}")
        findings += findings_of((ss, lms), stereoset.NAME, rng)
        findings.append(stereoset.icat_finding(ss, lms, rng))
        scores += (ss, lms)
        rough += roughness((ss,))
    headlines = [one for one in findings if one.metric.endswith("_ss")]
    return Found(
        _parts_corrected(findings),
        (*stereoset.PITFALLS, *((_NO_START,) if session.model.mask_token is None else ())),
        sentences(headlines, 0.5, "StereoSet, stereotype score"),
        (*caveats, *long, *rough),
        (_stereo_table(items, logprobs), stereoset.terms_table(scores)),
        ((stereoset.NAME, scores),),
    )


def _parts(items: Sequence[StereoItem]) -> Iterable[tuple[str, ndarray, bool]]:
    tasks = np.array([item.task for item in items])
    types = np.array([item.bias_type for item in items])
    for task in dict.fromkeys(tasks.tolist()):
        yield task, tasks == task, True
        for kind in dict.fromkeys(types[tasks == task].tolist()):
            yield f"{task}, {kind}", (tasks == task) & (types == kind), False


def _parts_corrected(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Correct the bias types of each metric, over both tasks, for their number."""
    found = list(findings)
    for metric in dict.fromkeys(one.metric for one in found):
        places = [i for i, one in enumerate(found) if one.metric == metric and not one.headline]
        parts = family([found[i] for i in places], f"parts of {metric.partition('.')[2]}")
        for i, part in zip(places, parts, strict=True):
            found[i] = part
    return tuple(found)


def _stereo_texts(item: StereoItem) -> Sequence[str]:
    return item.sentences if item.task == "intrasentence" else followed(item.context, item.sentences)


def _stereo_logprobs(known: Mapping[str, Scored], item: StereoItem) -> list[float]:
    if item.task == "intrasentence":
        return [mean_logprob(known[text].logprobs) for text in item.sentences]
    return means_after(known, item.context, item.sentences)


def _stereo_table(items: Sequence[StereoItem], logprobs: Float[ndarray, "n 3"]) -> Table:
    columns = {
        "item": "Id of the item.",
        "task": "Whether a word is filled in or a sentence follows.",
        "bias_type": "What the stereotype is about.",
        "target": "The term it is about.",
        "stereotype": "Mean log-probability per token of the stereotyping sentence, in nats.",
        "anti_stereotype": "The same of the opposing sentence.",
        "unrelated": "The same of the unrelated sentence.",
    }
    rows = [
        (i.key, i.task, i.bias_type, i.target, float(row[0]), float(row[1]), float(row[2]))
        for i, row in zip(items, logprobs, strict=True)
    ]
    return Table.of("stereoset", "StereoSet, every item", columns, rows)


def winobias_found(session: Session, settings: Behaviour) -> Found:
    """Score the pronouns of WinoBias, or the predictions of a coreference system."""
    read = winobias.read_winobias(settings.winobias)
    lost = read.left_out
    shown = ", ".join(lost[:3])
    left = (
        (f"WinoBias: {len(lost)} lines differ in more than pronouns and are left out ({shown}...).",)
        if lost
        else ()
    )
    if settings.winobias_predictions:
        resolved = winobias.read_winobias_predictions(settings.winobias_predictions, read.pairs)
        found = (winobias.f1_gap(read.pairs, resolved, session.rng("behaviour/winobias/f1")),)
        tables = (winobias.resolved_table(read.pairs, resolved),)
        return Found(found, winobias.PITFALLS[1:], sentences(found, 0, "WinoBias, F1 gap"), left, tables)
    pairs, caveats = limited(read.pairs, settings.limit, session.rng("behaviour/winobias"), "WinoBias")
    pairs, known, long = scored_items(session.model, pairs, lambda pair: (pair.pro, pair.anti), "WinoBias")
    pro = np.array([known[pair.pro].logprobs.sum() for pair in pairs])
    anti = np.array([known[pair.anti].logprobs.sum() for pair in pairs])
    scores = winobias.winobias_scores(pairs, pro, anti)
    findings = findings_of(scores, winobias.NAME, session.rng("behaviour/winobias/null"))
    columns = {
        "sentence": "File and line.",
        "occupation": "Whom the pronoun refers to.",
        "pro": "The sentence with the pronoun of the stereotype.",
        "difference": "Its log-probability less that of the other sentence, in nats.",
    }
    rows = [(p.key, p.occupation, p.pro, float(a - b)) for p, a, b in zip(pairs, pro, anti, strict=True)]
    return Found(
        findings,
        winobias.PITFALLS,
        sentences(findings, 0.5, "WinoBias"),
        (*left, *caveats, *long, *roughness(scores)),
        (Table.of("winobias", "WinoBias, every pair", columns, rows),),
        ((winobias.NAME, scores),),
    )


def winogender_found(session: Session, settings: Behaviour) -> Found:
    """Score the lean of each occupation's pronouns, or the gap of given predictions."""
    schemas = winogender.read_winogender(settings.winogender)
    rng = session.rng("behaviour/winogender")
    scores: tuple[Score, ...]
    caveats: tuple[str, ...]
    if settings.winogender_predictions:
        resolved = winogender.read_winogender_predictions(settings.winogender_predictions, schemas)
        scores = winogender.gap_scores(schemas, resolved)
        lost = int(np.isnan(resolved).any(axis=1).sum())
        caveats = (f"Winogender: {lost} sentences without both predictions are left out.",) if lost else ()
    else:
        female = totals(session.model, [one.female for one in schemas])
        male = totals(session.model, [one.male for one in schemas])
        scores, caveats = (winogender.lean_score(schemas, female - male),), ()
    findings = [*findings_of(scores, winogender.NAME, rng)]
    shares: Mapping[str, float] = {}
    if settings.winogender_statistics:
        shares = winogender.read_shares(settings.winogender_statistics)
        unknown = [name for name in scores[0].clusters.tolist() if name not in shares]
        caveats += (f"Winogender: no share of women for {', '.join(unknown)}.",) if unknown else ()
        findings.append(winogender.correlation_finding(scores[0], shares, rng))
    columns = {
        "occupation": "The occupation.",
        "value": f"Its {scores[0].method.split(',')[0]}.",
        "women": "Share of women in it, in percent; empty where it is not known.",
    }
    values = zip(scores[0].clusters.tolist(), scores[0].rows.tolist(), strict=True)
    rows = [(name, value, shares.get(name)) for name, value in values]
    return Found(
        tuple(findings),
        winogender.PITFALLS,
        sentences(findings, 0, "Winogender, correlation with the share of women"),
        (*caveats, *roughness(scores)),
        (Table.of(winogender.NAME, "Winogender, every occupation", columns, rows),),
        ((winogender.NAME, scores),),
    )
