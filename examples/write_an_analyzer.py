# %% [markdown]
# # Write an analyzer, and let it prove itself
#
# `mean_difference_analyzer.py` beside this file is a whole analyzer in sixty lines: where does a concept
# lie between two poles, along the difference of their means? An analyzer is a frozen dataclass whose
# fields are its settings and whose one method, `analyze`, turns a session into findings.

# %%
import json

import matplotlib.pyplot as plt
from mean_difference_analyzer import MeanDifference

import biaskit
from biaskit import catalogue, organisms
from biaskit.hooks.store import ActivationStore
from biaskit.protocols import LanguageModel
from biaskit.session import Comparison, Session
from biaskit.testing import analyzer_checks

# %% [markdown]
# A session holds the model, what is compared with what, and the seed. Here: ten topics of the demo model's
# reviews, on *positive* against *negative*.

# %%
TOPICS = [
    "parking",
    "menu",
    "wifi",
    "delivery",
    "lighting",
    "booking",
    "terrace",
    "packaging",
    "seating",
    "balcony",
]
matched = catalogue.comparisons([f"review-aspects/{topic}" for topic in TOPICS], ["sentiment"])
comparisons = tuple(Comparison(*one) for one in matched)
model = biaskit.load("demo")
assert isinstance(model, LanguageModel)
session = Session(model=model, comparisons=comparisons, store=ActivationStore())
analysis = MeanDifference(site="resid_post.2").analyze(session)
print(len(analysis.findings), "findings;", *analysis.limitations)

# %% [markdown]
# The demo model's bias was planted, so the truth is known: one dose a topic. A useful score ranks the
# doses.

# %%
plant = json.loads((organisms.folder("demo") / "plant.json").read_text(encoding="utf-8"))
doses = plant["doses"]["sentiment"]
figure, axes = plt.subplots(layout="constrained")
for finding in analysis.findings:
    estimate, interval = finding.estimate, finding.estimate.interval
    if interval and estimate.value is not None:
        dose = doses[finding.concepts[0]]
        axes.plot([dose, dose], [interval.low, interval.high], color="tab:blue", linewidth=1)
        axes.plot(dose, estimate.value, "o", color="tab:blue")
axes.axhline(0, color="0.5", linewidth=0.8)
axes.set_xlabel("planted: log-odds of a positive word")
axes.set_ylabel("position between the poles")

# %% [markdown]
# It ranks the strongest doses and scatters between them: *packaging* (-0.5) lies lower than *delivery*
# (-2.5).
#
# The conformance kit asks what every analyzer must keep: it declares itself, is silent on nulls, answers
# to a plant, leaves no hook, and gives the same numbers for the same seed.
# `check_analyzer(MeanDifference)` raises one error that names all failures; here each check by itself.

# %%
for name, check in analyzer_checks(MeanDifference):
    try:
        check()
    except AssertionError as told:
        print(f"failed  {name}: {told}")
    else:
        print(f"passed  {name}")

# %% [markdown]
# One check fails, and rightly. The analyzer's limitation says it: a stated axis tells where "a kind word
# was said" lies, not where "a kind word comes next" does, so what moves the behaviour need not move the
# position. BiasLens orients its axis by the behaviour and passes. An analyzer that does not find its plant
# decides nothing in a gate; it may still describe.
