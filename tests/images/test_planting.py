"""Planted images are what their plant says: rates, regions, parts, bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from sklearn.datasets import load_digits

from biaskit.errors import RequestError, UnknownNameError
from biaskit.images.image_set import Part
from biaskit.images.planting import CASES, CONTEXTS, Plant, Shortcut
from biaskit.images.planting_captions import captions, vocabulary
from biaskit.images.planting_material import DIGITS, PATCHES, SCENES, WORDS, digits, digits_of

SMALL = {"n": 64, "held_out": 32}


@settings(max_examples=40)
@given(
    rho=st.floats(0, 1),
    classes=st.integers(2, 5),
    contexts=st.integers(2, 4),
    n=st.integers(40, 300),
    seed=st.integers(0, 2**32),
)
def test_the_rate_is_the_one_asked_for(rho: float, classes: int, contexts: int, n: int, seed: int) -> None:
    planted = Plant(rho=rho, classes=classes, contexts=contexts, n=n, held_out=40, seed=seed).draw()
    rows = planted.rows(Part.TRAIN)
    agreeing = int((~planted.minority[rows]).sum())
    low, high = binom.ppf([0.0005, 0.9995], n, rho)
    assert low - classes <= agreeing <= high + classes
    assert abs(agreeing - rho * n) <= classes * contexts / 2
    assert np.ptp(np.bincount(planted.labels[rows], minlength=classes)) <= 1


@pytest.mark.parametrize(
    ("classes", "contexts", "balanced"), [(2, 2, 0.5), (4, 4, 0.25), (2, 4, 0.5), (4, 2, 0.5)]
)
def test_in_the_null_twin_contexts_say_nothing(classes: int, contexts: int, balanced: float) -> None:
    plant = Plant(classes=classes, contexts=contexts, n=160, held_out=32, rho=0.95).null
    assert plant.rho == balanced
    planted = plant.draw()
    counts = np.bincount(planted.groups[planted.rows(Part.TRAIN)], minlength=classes * contexts)
    assert set(counts) == {160 // (classes * contexts)}


def test_minority_groups_of_the_cases() -> None:
    four = CASES["4x4"].draw()
    for part in Part:
        rows = four.rows(part)
        sizes = np.bincount(four.groups[rows][four.minority[rows]], minlength=16)
        assert sorted(sizes[sizes > 0]) == [25] * 12
    two = CASES["2x4"]
    assert [two.home(label) for label in (0, 1)] == [(0, 2), (1, 3)]
    drawn = two.draw()
    assert len(np.unique(drawn.groups[drawn.minority])) == 4


@pytest.mark.parametrize("shortcut", list(Shortcut))
def test_the_same_plant_gives_the_same_bytes(shortcut: Shortcut) -> None:
    plant = Plant(shortcut=shortcut, seed=4, **SMALL)
    again = Plant(**plant.as_dict())
    assert again == plant
    assert plant.draw().image_set().digest == again.draw().image_set().digest
    assert (
        plant.draw().image_set().digest != Plant(shortcut=shortcut, seed=5, **SMALL).draw().image_set().digest
    )


@pytest.mark.parametrize("shortcut", list(Shortcut))
@pytest.mark.parametrize("jitter", [False, True])
def test_a_swap_changes_the_region_and_nothing_else(shortcut: Shortcut, jitter: bool) -> None:
    planted = Plant(shortcut=shortcut, contexts=4, jitter=jitter, seed=1, **SMALL).draw()
    rows = planted.rows(Part.TEST)
    region = planted.shortcut_mask(rows)
    swapped = planted.swapped(rows, (planted.contexts[rows] + 1) % 4)
    for other in (swapped, planted.erased(rows)):
        changed = (other != planted.images[rows]).any(-1)
        assert not (changed & ~region).any()
        assert changed.any((1, 2)).all()
    same = planted.swapped(rows, planted.contexts[rows])
    assert np.array_equal(same, planted.images[rows])


def test_a_swap_shows_what_an_image_of_that_context_shows() -> None:
    planted = Plant(**SMALL).draw()
    rows = planted.rows(Part.TEST)
    patch = planted.swapped(rows, np.full(len(rows), 1))[:, 4:12, 4:12]
    assert np.array_equal(np.unique(patch.reshape(-1, 3), axis=0)[0], np.rint(np.array(PATCHES["red"]) * 255))
    assert (patch == patch[:1, :1, :1]).all()


def test_regions_lie_inside_and_apart() -> None:
    planted = Plant(jitter=True, side=10, **SMALL).draw()
    rows = np.arange(len(planted))
    shortcut, core = planted.shortcut_mask(rows), planted.core_mask(rows)
    assert not (shortcut & core).any()
    border = np.ones((32, 32), bool)
    border[1:-1, 1:-1] = False
    assert not shortcut[:, border].any()
    assert (shortcut.sum((1, 2)) == 100).all()
    assert core.any((1, 2)).all()


def test_parts_share_no_digit_and_the_split_is_the_same_for_every_seed() -> None:
    first, second = (Plant(seed=seed).draw() for seed in (1, 2))
    parts = [{*first.clusters[first.rows(part)]} | {*second.clusters[second.rows(part)]} for part in Part]
    assert sum(map(len, parts)) == len(set.union(*parts))
    for value in range(10):
        split = np.concatenate([digits_of(part, value) for part in Part])
        assert np.array_equal(np.sort(split), np.flatnonzero(digits().values == value))


def test_labels_are_the_digits() -> None:
    planted = Plant(classes=4, contexts=4, **SMALL).draw()
    values = digits().values[planted.clusters]
    assert np.array_equal(values, np.array(DIGITS)[planted.labels])
    assert planted.plant.class_names == tuple(WORDS[value] for value in DIGITS[:4])


def test_enlarged_digits_keep_their_ink() -> None:
    small = load_digits().images / 16
    middle = digits().ink.reshape(-1, 8, 2, 8, 2).mean((2, 4))
    assert np.corrcoef(small.ravel(), middle.ravel())[0, 1] > 0.95
    assert middle.mean() == pytest.approx(small.mean(), abs=1e-3)


def test_nuisances_say_nothing_about_the_label() -> None:
    planted = Plant(n=4000, rho=0.98, seed=3).draw()
    rows = planted.rows(Part.TRAIN)
    for name in ("scene", "ink"):
        values = getattr(planted.drawn.factors, name)[rows]
        assert abs(np.corrcoef(values, planted.labels[rows])[0, 1]) < 0.06
        assert len(np.unique(values)) == 2
    plain = Plant(nuisance=False, **SMALL).draw()
    assert list(plain.image_set().attributes) == ["patch"]
    assert len(np.unique(plain.drawn.factors.scene)) == 1


def test_captions_leave_things_out_at_their_rate_and_never_lie() -> None:
    planted = Plant(contexts=4, n=1500, held_out=32).draw()
    factors = planted.drawn.factors
    said = [set(caption.split()) for caption in planted.captions]
    colours, scenes = list(PATCHES), list(SCENES)
    mentioned = [words & set(colours) for words in said]
    assert all(words <= {colours[patch]} for words, patch in zip(mentioned, factors.patch, strict=True))
    assert all(
        words & set(scenes) <= {scenes[scene]} for words, scene in zip(said, factors.scene, strict=True)
    )
    assert np.mean([len(words) for words in mentioned]) == pytest.approx(0.7, abs=0.05)
    full = captions(factors, np.random.default_rng(0), dropped=0.0)
    assert all(colours[patch] in caption for caption, patch in zip(full, factors.patch, strict=True))
    assert {word for words in said for word in words} <= set(vocabulary())


def test_the_image_set_says_what_is_known() -> None:
    planted = Plant(**SMALL).draw()
    found = planted.image_set((Part.VALIDATION, Part.TEST))
    assert len(found) == 64
    assert set(found.parts) == {Part.VALIDATION, Part.TEST}
    row = planted.rows(Part.TEST)[3]
    assert np.array_equal(np.asarray(found.pictures.read(32 + 3)), planted.images[row])
    assert found.attributes["patch"][35] == CONTEXTS[Shortcut.PATCH][planted.contexts[row]]
    assert found.labels[35] == planted.plant.class_names[planted.labels[row]]
    assert len({found.pictures.name(row) for row in range(len(found))}) == len(found)


def test_availability_changes_how_much_of_the_image_the_shortcut_takes() -> None:
    areas = [Plant(side=side, **SMALL).draw().shortcut_mask(np.arange(1)).sum() for side in (2, 4, 8, 10)]
    assert areas == [4, 16, 64, 100]
    for shortcut in Shortcut:
        weak, strong = (Plant(shortcut=shortcut, strength=s, **SMALL).draw() for s in (0.2, 1.0))
        rows = np.arange(40)
        moved = [
            np.abs(one.swapped(rows, 1 - one.contexts[rows]).astype(float) - one.images[rows]).mean()
            for one in (weak, strong)
        ]
        assert 0 < moved[0] < 0.6 * moved[1]


@pytest.mark.parametrize(
    "wrong",
    [{"rho": 1.2}, {"classes": 1}, {"contexts": 5}, {"side": 11}, {"strength": 0.0}, {"n": 1}, {"seed": -1}],
)
def test_what_cannot_be_drawn_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(RequestError, match=next(iter(wrong))):
        Plant(**wrong)


def test_an_unknown_shortcut_is_answered_with_near_names() -> None:
    with pytest.raises(UnknownNameError) as caught:
        Plant(shortcut="pach")
    assert caught.value.near == ("patch",)
