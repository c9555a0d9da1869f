# %% [markdown]
# # A gate: when does a release wait?
#
# A gate is a limit in an audit's file. It fails where the whole interval lies beyond the limit, passes
# where all of it lies inside, and is undecided otherwise. The demo model was trained with a bias of a
# known size, so we can see which of the three is right.

# %%
from pathlib import Path
from tempfile import mkdtemp

import biaskit
from biaskit import gates

folder = Path(mkdtemp(prefix="biaskit-"))
SUITE = """
format = 1
name = "release"
concepts = ["food", "acting"]
references = ["sentiment"]

[[analyzers]]
name = "biaslens"
settings = { readings = ["references given target"] }

[[gates]]
id = "food-is-even"
metric = "biaslens.score"
where = { concept = "food" }
at_most = 0.7
rationale = "0.7 nats double the odds of a good word."

[[gates]]
id = "acting-is-even"
metric = "biaslens.score"
where = { concept = "acting" }
at_most = 0.7
rule = "evidence-of-compliance"
rationale = "The same limit; this one must be shown to be kept."
"""
(folder / "release.toml").write_text(SUITE, encoding="utf-8")

# %% [markdown]
# On the command line: `biaskit audit --model demo -c release.toml --offline`. From Python:

# %%
run = biaskit.audit("demo", spec=folder / "release.toml", offline=True)
for verdict in run.verdicts:
    print(f"{verdict.gate}: {verdict.outcome}. {verdict.reason}")

# %% [markdown]
# The picture behind the verdicts: intervals decide, points do not.

# %%
(axes,) = run.plot("biaslens.score")
for limit in (-0.7, 0.7):
    axes.axvline(limit, color="tab:red", linestyle="--", linewidth=1)

# %% [markdown]
# What a build sees is an exit code. A saved run is judged again without torch: `biaskit gate runs/now`.

# %%
print("exit code", gates.exit_code(run))
saved = biaskit.load_report(run.save(folder / "now"))
print("judged again:", gates.exit_code(saved))

# %% [markdown]
# Against an earlier run: another seed draws other intervals and random directions, and nothing about the
# model has changed. `other_spec` allows the other seed.

# %%
again = biaskit.audit("demo", spec=folder / "release.toml", seed=1, offline=True)
compared = biaskit.compare(saved, again, metric="biaslens.score", other_spec=True)
compared.to_frame()[["concept", "change", "before", "after", "change_in_value", "low", "high"]]
