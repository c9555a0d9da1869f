# %% [markdown]
# # Which group does a text-to-image model draw?
#
# `organism:portraits` is a small diffusion model. In its training images 5 % of doctors and 90 % of
# teachers were drawn as women; the truth is known. `diffusion-pid` asks the denoiser itself which group
# fits an image, without any classifier.
#
# Two targets, few images and no neutral nouns beside them, so that it takes a minute; the run is marked as
# partial.

# %%
import json

import biaskit
from biaskit import organisms

run = biaskit.audit(
    "organism:portraits",
    concepts=["portrait-occupations/doctor", "portrait-occupations/teacher"],
    references="portrait-gender",
    offline=True,
    limit=3,
    settings={"images": 1, "replicates": 1, "nodes": 6, "steps": 8, "neutral": 0, "shown": 1},
)
for sentence in run.analyses[0].summary:
    print("-", sentence)

# %%
run.plot("diffusion_pid.log_odds")

# %% [markdown]
# Shares group by group, each with its interval. No difference of them was measured, so none is given; the
# log-odds above are the comparison that was.

# %%
shares = run.by_group("diffusion_pid.share_drawn")
shares.frame[["value", "low", "high", "n"]]

# %%
try:
    shares.difference()
except biaskit.RequestError as refused:
    print(refused)

# %% [markdown]
# Every single measurement is a row of a table:

# %%
run.table("portrait-occupations-portrait-gender").head()

# %% [markdown]
# The truth: the share of women in the training images.

# %%
plant = json.loads((organisms.folder("portraits") / "plant.json").read_text(encoding="utf-8"))
print({target: plant["planted"][target] for target in ("doctor", "teacher")})
