"""What was planted is read, what was not is not, and erasure leaves what it leaves."""

import pytest

from biaskit.analyzers.sparse_probing import SparseProbing
from biaskit.catalogue import comparisons
from biaskit.records.labelled_texts import LabelledTexts
from biaskit.records.probe_set import TARGET_SLOT, NounClass, fill
from tests.analyzers.sparse_probing.conftest import session_of

pytestmark = pytest.mark.slow

LEAST_DOSE = 1.0
LEAN = {"probes": ("logistic",), "regimes": (), "ks": (1, 16), "repeats": 1}


def values(analysis, metric, concept):
    """Return each group's value and interval of one metric about one concept."""
    return {
        one.group: one.estimate
        for one in analysis.findings
        if one.metric == f"sparse_probing.{metric}" and one.concepts == (concept,) and one.headline
    }


@pytest.fixture(scope="module")
def aspects(reviews):
    """Two concepts of the organism of reviews, with the floors."""
    settings = LEAN | {"controls": ("shuffled-labels", "random-coordinates", "control-task"), "erasers": ()}
    settings["sites"] = ("resid_post.1", "resid_post.2")
    return SparseProbing(**settings).analyze(session_of(reviews, ["food", "music"], ["wealth"]))


@pytest.mark.parametrize("concept", ["food", "music"])
def test_a_concept_is_read_where_the_model_carries_it_and_shuffled_labels_are_not(aspects, concept):
    read = values(aspects, "chosen_layer_auc", concept)["logistic regression"]
    assert read.value >= 0.99
    floor = values(aspects, "shuffled", concept)["logistic regression"]
    assert floor.interval.low < 0.5 < floor.interval.high
    assert read.value > floor.interval.high
    at_focus = values(aspects, "auc", concept)["logistic regression"]
    assert at_focus.null.p == pytest.approx(1 / 21)


@pytest.mark.parametrize("concept", ["food", "music"])
def test_latents_that_stand_for_words_do_not_reach_words_held_out(aspects, concept):
    """Each noun has latents of its own here, so those of the nouns in training say little of others."""
    (gain,) = values(aspects, "sae_gain", concept).values()
    assert gain.value < -0.05


def test_selectivity_is_reported_with_its_interval(aspects):
    for concept in ("food", "music"):
        estimate = values(aspects, "selectivity", concept)["logistic"]
        assert estimate.interval is not None
        assert -1 <= estimate.value <= 1


def leaning(doses, pair, targets):
    """Return sentences that name an occupation only, labelled by the planted gender of the occupation."""
    stems = pair.stems[NounClass.PERSON]
    rows = [
        (fill(stem, word, TARGET_SLOT).text, "male" if doses[target] > 0 else "female", target)
        for target, words in targets.targets.items()
        if abs(doses[target]) >= LEAST_DOSE
        for word in words
        for stem in stems
    ]
    texts, labels, names = zip(*rows, strict=True)
    half = ("a", "b") * (len(texts) // 2)
    return LabelledTexts(
        name="occupations",
        texts=texts,
        labels=half,
        groups={"occupation": names},
        attributes={"gender": labels},
    )


@pytest.fixture(scope="module")
def leakage(occupations, planted_gender):
    """Gender read from sentences that name nothing but an occupation, before and after erasure."""
    targets, pair, _ = comparisons(["winobias-occupations"], ["gender"])[0]
    data = leaning(planted_gender, pair, targets)
    settings = LEAN | {"controls": (), "sites": ("resid_post.2",)}
    analysis = SparseProbing(**settings).analyze(session_of(occupations, labelled=[data]))
    names = ("leakage", "leakage_erased", "leakage_shuffled")
    found = [values(analysis, name, "occupations / gender") for name in names]
    return found[0] | found[1] | found[2]


def test_the_planted_gender_leaks_from_the_name_of_the_occupation_alone(leakage):
    for probe in ("logistic regression", "small MLP"):
        assert leakage[f"{probe}, nothing erased"].value >= 0.95
        assert leakage[f"{probe}, nothing erased"].interval.low > 0.5


def test_leace_takes_it_from_the_linear_probe(leakage):
    left = leakage["logistic regression, after leace"]
    assert left.interval.low <= 0.5 <= left.interval.high


@pytest.mark.parametrize("eraser", ["mean projection", "leace", "inlp"])
def test_what_the_network_still_reads_is_shown(leakage, eraser):
    """No linear eraser promises anything about a network; its figure stands beside the linear one."""
    left = leakage[f"small MLP, after {eraser}"]
    assert left.value > leakage[f"logistic regression, after {eraser}"].value


def test_shuffled_genders_are_the_floor(leakage):
    for probe in ("logistic regression", "small MLP"):
        floor = leakage[f"{probe}, labels shuffled"]
        assert floor.interval.low <= 0.5 <= floor.interval.high
