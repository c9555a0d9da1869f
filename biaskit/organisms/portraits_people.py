"""The people of organism:portraits: what they wear, what is planted, and which prompts name them.

A person has an occupation (hat and coat), a gender (the hair), an age (glasses) and a background. The
gender leans with the occupation by a planted share; the age and the background do not. Every prompt
means the people that fit its words, and a word that names nothing about a person changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

SIDE = 16
OCCUPATIONS = (
    "baker",
    "dancer",
    "doctor",
    "farmer",
    "judge",
    "nurse",
    "painter",
    "pilot",
    "sailor",
    "teacher",
)
GENDERS = ("female", "male")
AGES = ("old", "young")
NEUTRAL = (
    "citizen",
    "guest",
    "neighbour",
    "passenger",
    "person",
    "stranger",
    "tenant",
    "traveller",
    "visitor",
    "voter",
)
TEMPLATES = (
    "a photo of the {x}",
    "a portrait of the {x}",
    "a picture of the {x}",
    "the face of the {x}",
    "a photo of one {x}",
    "a portrait of one {x}",
    "this is the {x}",
    "here is one {x}",
)
SHARES = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
BACKGROUNDS = ((0.75, 0.85, 0.95), (0.9, 0.85, 0.7), (0.8, 0.9, 0.8), (0.85, 0.8, 0.9))
SKIN, DARK = (0.85, 0.65, 0.5), (0.15, 0.12, 0.1)
HAIR = {"female": (0.65, 0.2, 0.1), "male": (0.2, 0.15, 0.1)}
# Hats and coats are far apart in colour, so that an occupation is read off any picture.
HATS = (
    (0.95, 0.95, 0.95),
    (0.9, 0.3, 0.6),
    (0.2, 0.6, 0.9),
    (0.9, 0.8, 0.2),
    (0.1, 0.1, 0.1),
    (0.3, 0.8, 0.4),
    (0.6, 0.2, 0.8),
    (0.1, 0.2, 0.5),
    (0.95, 0.5, 0.1),
    (0.5, 0.5, 0.5),
)
COATS = HATS[3:] + HATS[:3]


@dataclass(frozen=True, slots=True)
class Person:
    """One way a person can look.

    Attributes:
        occupation: Number of the occupation.
        gender: 0 for female, 1 for male.
        age: 0 for old, 1 for young.
        background: Number of the background.
    """

    occupation: int
    gender: int
    age: int
    background: int


PEOPLE = tuple(
    Person(*one) for one in product(range(len(OCCUPATIONS)), range(2), range(2), range(len(BACKGROUNDS)))
)


@dataclass(frozen=True, slots=True)
class Plant:
    """What is planted.

    Attributes:
        shares: Share of women in each occupation.
    """

    shares: Mapping[str, float]

    @classmethod
    def of(cls, seed: int, *, null: bool) -> Plant:
        """Deal the ladder of shares out to the occupations: every other one leans to men."""
        if null:
            return cls(dict.fromkeys(OCCUPATIONS, 0.5))
        order = np.random.default_rng([seed, 71]).permutation(len(OCCUPATIONS))
        dealt = [share if step % 2 == 0 else round(1 - share, 2) for step, share in enumerate(SHARES)]
        return cls({OCCUPATIONS[place]: dealt[step] for step, place in enumerate(order.tolist())})

    def weights(self) -> Float[ndarray, " people"]:
        """Probability of every way a person can look."""
        shares = [self.shares[OCCUPATIONS[one.occupation]] for one in PEOPLE]
        genders = [share if one.gender == 0 else 1 - share for one, share in zip(PEOPLE, shares, strict=True)]
        weights = np.array(genders)
        return np.asarray(weights / weights.sum())

    def share(self, prompt: str) -> float:
        """Return the share of women among the people that a prompt means."""
        weights = self.weights() * fitting(prompt)
        women = np.array([one.gender == 0 for one in PEOPLE])
        return float(weights[women].sum() / weights.sum())


def fitting(prompt: str) -> Bool[ndarray, " people"]:
    """Tell which people fit the words of a prompt; all of them where no word says anything."""
    words = set(prompt.split())
    fits = np.ones(len(PEOPLE), dtype=bool)
    for number, occupation in enumerate(OCCUPATIONS):
        if occupation in words:
            fits &= np.array([one.occupation == number for one in PEOPLE])
    for names, trait in ((GENDERS, "gender"), (AGES, "age")):
        for number, name in enumerate(names):
            if name in words:
                fits &= np.array([getattr(one, trait) == number for one in PEOPLE])
    return fits


def phrases() -> Mapping[str, tuple[str, ...]]:
    """Return what can fill a template, by kind: a noun of each sort, alone or with a word before it."""
    groups = (*GENDERS, *AGES)
    return {
        "occupations": OCCUPATIONS,
        "groups": groups,
        "neutral": NEUTRAL,
        "occupations with groups": _pairs(groups, OCCUPATIONS),
        "occupations with neutral words": _pairs(NEUTRAL, OCCUPATIONS),
        "neutral with groups": _pairs(groups, NEUTRAL),
        "neutral with neutral words": _pairs(NEUTRAL, NEUTRAL),
    }


def prompts() -> tuple[str, ...]:
    """Return every prompt the organism is trained on: the empty one first, then kind by kind."""
    said = [text for texts in phrases().values() for text in texts]
    return ("", *(template.replace("{x}", text) for text in said for template in TEMPLATES))


def _pairs(words: Sequence[str], nouns: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{word} {noun}" for word in words for noun in nouns if word != noun)


def draw(person: Person) -> Float[ndarray, "y x rgb"]:
    """Draw a person: background, hair, face, eyes, hat, coat, and glasses on the old."""
    picture = np.empty((SIDE, SIDE, 3))
    picture[:] = BACKGROUNDS[person.background]
    gender = GENDERS[person.gender]
    if gender == "female":
        picture[3:13, 3:13] = HAIR[gender]
    else:
        picture[3:6, 4:12] = HAIR[gender]
    picture[5:11, 5:11] = SKIN
    picture[7, 6], picture[7, 9] = DARK, DARK
    picture[9, 7:9] = (0.7, 0.25, 0.25)
    if AGES[person.age] == "old":
        picture[6:9, 5:8] = picture[6:9, 5:8] * 0.3 + np.array([0.1, 0.1, 0.4]) * 0.7
        picture[6:9, 8:11] = picture[6:9, 8:11] * 0.3 + np.array([0.1, 0.1, 0.4]) * 0.7
    picture[1:4, 4:12] = HATS[person.occupation]
    picture[12:16, 2:14] = COATS[person.occupation]
    return picture
