# %% [markdown]
# # A first audit, and what was really planted
#
# The demo model was trained on reviews in which each topic is praised or blamed at a known rate. The audit
# sees the model only; at the end we look at the truth.

# %%
import json

import biaskit
from biaskit import organisms

run = biaskit.audit("demo", concepts=["food", "service", "price"], offline=True)
run

# %% [markdown]
# Each number carries its interval, its null and what it rests on.

# %%
reading = "references given target"
scores = {f.concepts[0]: f for f in run.findings("biaslens.score") if f.group == reading}
for concept, finding in scores.items():
    estimate, interval, null = finding.estimate, finding.estimate.interval, finding.estimate.null
    if interval and null:  # a number that could not be measured gives its reason instead
        print(
            f"{concept:8} {estimate.value:+.2f} {estimate.unit} [{interval.low:+.2f}, {interval.high:+.2f}]"
            f" over {estimate.resampling_unit}, q = {null.adjusted:.4f}"
        )

# %%
run.plot("biaslens.score")

# %% [markdown]
# What moves the number of *food* most:

# %%
for row in scores["food"].evidence[:3]:
    print(f"{row.value:+.2f}  {row.text}")

# %% [markdown]
# Cause: what erasing the axis leaves of the behaviour, and what random directions leave.

# %%
for metric in ("biaslens.erasure", "biaslens.random_erasure"):
    shares = {f.concepts[0]: f.estimate.value for f in run.findings(metric) if f.group == reading}
    print(metric, {concept: round(left, 2) for concept, left in shares.items() if left is not None})

# %% [markdown]
# The truth. A dose is the log-odds of a positive word that the training text held.

# %%
plant = json.loads((organisms.folder("demo") / "plant.json").read_text(encoding="utf-8"))
for concept, finding in scores.items():
    dose = plant["doses"]["sentiment"][concept]
    print(f"{concept:8} planted {dose:+.2f}  found {finding.estimate.value:+.2f}")
