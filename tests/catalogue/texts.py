"""Small valid files of each kind, which each test breaks in one place."""

from __future__ import annotations

TARGETS = """\
format = 1
kind = "target"
name = "drinks"
modality = "text"
description = "Drinks."
source = "A test"
licence = "CC0-1.0"
noun_class = "thing"
references = ["warmth"]
controls = "plain"
templates = ["We talked about the {x}.", "The {x} came up."]

[targets]
tea = ["tea", "green tea"]
juice = ["juice"]
"""

PAIR = """\
format = 1
kind = "pair"
name = "warmth"
modality = "text"
description = "Warm or cold."
source = "A test"
licence = "CC0-1.0"
poles = ["warm", "cold"]
templates = ["They were {x}."]

[fillers]
warm = ["kind", "gentle"]
cold = ["rude", "harsh"]

[continuations]
warm = ["caring"]
cold = ["mean"]

[stems]
thing = ["Near the {target} people are"]

[reverse_stems]
thing = ["The {reference} people like the"]
"""

CONTROLS = """\
format = 1
kind = "controls"
name = "plain"
modality = "text"
description = "Things."
source = "A test"
licence = "CC0-1.0"
noun_class = "thing"
fillers = ["table", "window"]
"""

AUDIT = """\
format = 1
name = "clinic"
concepts = ["drinks"]

[[analyzers]]
name = "biaslens"
settings = { sae = "local" }

[[gates]]
id = "small"
metric = "biaslens.score"
at_most = 0.5

[[waivers]]
gate = "small"
until = 2030-01-01
reason = "Known."
approved_by = "Someone"
"""

TEXTS = {"drinks": TARGETS, "warmth": PAIR, "plain": CONTROLS}
