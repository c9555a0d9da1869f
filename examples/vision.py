# %% [markdown]
# # Where an image classifier fails, and what it looks at there
#
# `organism:shapes` tells threes from eights. In its training images a coloured patch agreed with the digit
# in 98 % of cases; in the images it is measured on, patch and digit are independent. Does the audit find
# out?
#
# Everything here runs on a part of the images, so that it takes a minute; the run is marked as partial.

# %%
import biaskit

run = biaskit.audit("organism:shapes", offline=True, limit=40, settings={"shuffles": 2})
for sentence in run.analyses[0].summary:
    print("-", sentence)

# %% [markdown]
# Accuracy group by group, in fairlearn's manner, each with its interval:

# %%
groups = run.by_group("vig_bias.accuracy")
groups.frame.loc["shapes"].loc[["class", "patch", "class and patch"], ["value", "low", "high", "n"]]

# %% [markdown]
# The largest difference of several groups was picked after looking. Its interval holds all the same, and
# `p` says how often shuffled groups lie as far apart.

# %%
groups.difference()[["value", "low", "high", "p"]]

# %%
groups.ratio()[["value", "low", "high", "p"]]

# %%
run.plot("shapes-groups")

# %% [markdown]
# What does it look at? Erasing the region that the map points at, against a region of the same size
# elsewhere:

# %%
run.plot("vig_bias.reliance")

# %% [markdown]
# The images themselves, with heat maps, are in the page of the run. The last line below shows it.

# %%
run
