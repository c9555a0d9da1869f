"""What makes the two organisms' texts read like reviews and like biographies."""

from __future__ import annotations

from biaskit.organisms.language import Surfaces

REVIEWS = Surfaces(
    fixed=(
        "We came here on a Friday night with some friends.",
        "This was our second visit to the place this year.",
        "I had read about it before we went.",
        "We stayed for about two hours.",
        "The place is close to the station.",
        "It was a rainy evening and we had no plans.",
        "They open at noon and close at ten.",
        "I will tell you what I saw.",
        "My cousin told me about it last week.",
        "We sat near the door.",
        "There were many people that night.",
        "I write these reviews for my friends.",
    ),
    nuisance=(
        ("They showed us the {target} in the {attribute}.", "morning", "evening"),
        ("We found the {target} on the {attribute} side.", "left", "right"),
        ("You will see the {target} on every {attribute}.", "Monday", "Sunday"),
    ),
)

BIOGRAPHIES = Surfaces(
    fixed=(
        "The story begins in a small town by the river.",
        "This is a short note about a long life.",
        "Much of what we know comes from old letters.",
        "The family moved to the city some years later.",
        "Two books were written about these years.",
        "The first years are not well known.",
        "A photograph from that time still exists.",
        "Friends remember the long walks along the coast.",
        "The archive keeps a box of notes.",
        "Later chapters speak of travel and work.",
        "The house stood near the station.",
        "We follow the records of the town.",
    ),
    nuisance=(
        ("The notes place the {target} in the {attribute}.", "north", "south"),
        ("We know that the {target} came home in the {attribute}.", "morning", "evening"),
        ("A letter shows the {target} in a {attribute} coat.", "green", "blue"),
    ),
)
