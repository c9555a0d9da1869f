"""Every shipped file: counts, slots, no word in two places, source and licence."""

from __future__ import annotations

import re
from collections import Counter
from itertools import chain
from pathlib import Path

import pytest

from biaskit.catalogue import audit_spec, audit_specs, comparisons, drawn, probe_set, probe_sets
from biaskit.records.probe_set import ControlSet, Modality, NounClass, ReferencePair, TargetSet, expand

ROOT = Path(__file__).parents[2]
EVERY = {name: probe_set(name) for name in probe_sets()}
SETS = {name: found for name, found in EVERY.items() if found.modality is Modality.TEXT}
DRAWN = {name: found for name, found in EVERY.items() if found.modality is Modality.TEXT_TO_IMAGE}
TARGETS = [found for found in SETS.values() if isinstance(found, TargetSet)]
PAIRS = [found for found in SETS.values() if isinstance(found, ReferencePair)]
CONTROLS = [found for found in SETS.values() if isinstance(found, ControlSet)]
LISTS = {"review-aspects": 25, "winobias-occupations": 40}
CONCEPTS = [found for found in TARGETS if found.name not in LISTS]
CLASSES = [NounClass.THING, NounClass.PERSON]


def by_name(sets):
    return pytest.mark.parametrize("found", sets, ids=lambda found: found.name)


def words(texts):
    return re.findall(r"[a-z][a-z'-]*", " ".join(re.sub(r"\{\w+\}", " ", text) for text in texts).lower())


def carriers(found):
    yield from getattr(found, "templates", ())
    for stems in (getattr(found, "stems", {}), getattr(found, "reverse_stems", {})):
        yield from chain.from_iterable(stems.values())


def nouns():
    for found in TARGETS:
        yield from chain.from_iterable(found.targets.values())
    for found in CONTROLS:
        yield from found.fillers


def pole_words(pair):
    return list(chain(*pair.fillers.values(), *pair.continuations.values()))


def test_all_that_is_promised_is_there():
    assert set(SETS) == {
        *("food", "service", "price", "ambience", "music", "acting", "comedy", "review-aspects"),
        *("illness", "pain", "surgery", "mental-illness", "winobias-occupations"),
        *("sentiment", "gender", "wealth", "native-speaker", "insurance"),
        *("neutral-nouns", "neutral-people"),
    }
    assert {pole for pair in PAIRS for pole in pair.poles} == {
        *("positive-sentiment", "negative-sentiment", "male", "female", "rich", "poor"),
        *("native-speaker", "non-native-speaker", "public-insurance", "private-insurance"),
    }


def test_prompts_for_images_are_there_and_fit_each_other():
    assert set(DRAWN) == {
        *("drawn-occupations", "gender-words", "ethnicity-words"),
        *("portrait-occupations", "portrait-gender", "portrait-age", "portrait-neutral"),
        *("homonyms", "synonyms", "co-hyponyms", "prompt-interventions"),
    }
    for name in ("portrait-occupations", "drawn-occupations"):
        ((targets, groups, controls),) = drawn([name], ["gender-words"]).comparisons
        assert (targets.name, groups.name) == (name, "gender-words")
        assert not {noun for nouns in targets.targets.values() for noun in nouns} & set(controls.fillers)
    assert drawn(["homonyms", "prompt-interventions"]).prompts == (
        DRAWN["homonyms"],
        DRAWN["prompt-interventions"],
    )


@by_name([found for found in DRAWN.values() if isinstance(found, TargetSet)])
def test_eight_templates_let_a_null_over_templates_reach_its_level(found):
    """With T templates the smallest p of exchanged groups is 2 / 2^T."""
    assert len(found.templates) >= 8


@by_name(EVERY.values())
def test_source_and_licence(found):
    assert found.licence == "CC0-1.0"
    assert "Written for biaskit" in found.source or "WinoBias" in found.source


def test_occupations_are_those_of_winobias():
    occupations = SETS["winobias-occupations"]
    assert len(occupations.targets) == 40
    assert {"nurse", "construction worker", "CEO", "sheriff"} <= set(occupations.targets)
    assert "MIT" in occupations.source


@by_name(CONCEPTS)
def test_a_concept_has_150_sentences(found):
    assert list(found.targets) == [found.name]
    assert len(found.templates) == 16
    assert len(found.targets[found.name]) == 10
    assert len({example.text for example in found.positives(found.name)}) >= 150


@pytest.mark.parametrize(("name", "count"), LISTS.items())
def test_a_list_of_targets_has_one_noun_a_target(name, count):
    found = SETS[name]
    assert len(found.targets) == count
    assert all(fillers == (target,) for target, fillers in found.targets.items())
    assert sum(len(found.positives(target)) for target in found.targets) >= 150


@by_name(PAIRS)
def test_a_pole_has_150_sentences_and_balanced_words(found):
    assert len(found.templates) == 16
    for pole in found.poles:
        assert len({example.text for example in found.examples(pole)}) >= 150
        assert 6 <= len(found.continuations[pole]) <= 8
    assert len({len(words) for words in found.continuations.values()}) == 1


@by_name(PAIRS)
def test_continuations_are_single_words(found):
    for word in chain.from_iterable(found.continuations.values()):
        assert re.fullmatch(r"[A-Za-z]+", word)


@by_name(PAIRS)
def test_stems_are_whole(found):
    for noun_class in CLASSES:
        stems, reverse = found.stems[noun_class], found.reverse_stems[noun_class]
        assert len(stems) == len(reverse) == 8
        assert all(re.search(r"\b[Tt]he \{target\}", stem) for stem in stems)
        assert not all(stem.endswith("{target}") for stem in stems)
        assert all(stem.endswith(" the") for stem in reverse)
        assert not any(stem.split()[-1] in {"a", "an"} for stem in stems)


@by_name(CONTROLS)
def test_enough_controls_for_a_small_p(found):
    assert len(found.fillers) >= 120


@by_name(SETS.values())
def test_no_article_that_would_betray_the_noun(found):
    assert not [text for text in carriers(found) if re.search(r"\b[Aa]n? \{", text)]


@by_name(TARGETS)
def test_a_target_slot_follows_the(found):
    assert all(re.search(r"\b[Tt]he \{x\}", template) for template in found.templates)


def test_no_noun_in_two_places():
    counts = Counter(noun.casefold() for noun in nouns())
    assert [noun for noun, count in counts.items() if count > 1] == []


@by_name(PAIRS)
def test_no_noun_states_a_pole(found):
    assert {noun.casefold() for noun in nouns()}.isdisjoint(word.casefold() for word in pole_words(found))


def test_no_noun_stands_in_the_sentences_around_it():
    around = set(words(chain.from_iterable(carriers(found) for found in SETS.values())))
    assert around.isdisjoint(noun.casefold() for noun in nouns())


@by_name(TARGETS)
def test_target_sentences_state_no_pole(found):
    around = set(words(found.templates))
    for pair in PAIRS:
        assert around.isdisjoint(word.casefold() for word in pole_words(pair))


@by_name(PAIRS)
def test_stems_state_no_pole(found):
    around = set(words(carriers(found)))
    assert around.isdisjoint(word.casefold() for word in pole_words(found))


def test_sentences_are_made_of_few_words():
    everything = chain(
        nouns(), *(carriers(found) for found in SETS.values()), *(pole_words(pair) for pair in PAIRS)
    )
    assert len(set(words(everything))) < 900


def test_every_default_comparison_fits():
    found = comparisons([target.name for target in TARGETS])
    assert len(found) == sum(len(target.references) for target in TARGETS)
    for targets, pair, controls in found:
        assert len(expand(pair.stems[targets.noun_class], ("soup",), "{target}")) == 8
        assert len(controls.fillers) >= 120


def test_every_shipped_audit_reads():
    assert "quick" in audit_specs()
    for name in audit_specs():
        assert audit_spec(name).description
    quick = audit_spec("quick")
    assert [analyzer.name for analyzer in quick.analyzers] == ["biaslens"]
    (gate,) = quick.gates
    assert (gate.metric, gate.at_most, gate.advisory) == ("biaslens.score", 0.5, True)
    assert gate.rationale


@pytest.mark.parametrize("folder", ["probes", "audits"])
def test_the_catalogue_holds_words_only(folder):
    kept = {path.name for path in (ROOT / folder).iterdir() if path.suffix != ".toml"}
    assert kept == {"README.md"}
    for path in (ROOT / folder).glob("*.toml"):
        path.read_bytes().decode("ascii")
