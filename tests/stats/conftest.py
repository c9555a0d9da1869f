"""Published numbers that the correlation code must give back.

`biaslens_sentiment.csv` and `biaslens_occupations.csv` hold the tables of "Evaluate Bias without Manual
Test Sets: A Concept Representation Perspective for LLMs" (arXiv 2505.15524v1): Tables 8 and 10, and
Tables 11 to 13 with all 40 WinoBias occupations. `seat` is the SEAT effect size (starred: one-sided p <=
.05), `perplexity` the t value of the perplexity test (starred: p <= .05), `score` the BiasLens score.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
CONCEPTS = ("acting", "comedy", "music", "food", "price", "service")


@pytest.fixture
def rng():
    return np.random.default_rng(20240607)


@pytest.fixture(scope="session")
def sentiment():
    """Six values for each (model, metric)."""
    with (HERE / "biaslens_sentiment.csv").open() as file:
        return {
            (row["model"], row["metric"]): np.array([float(row[name]) for name in CONCEPTS])
            for row in csv.DictReader(file)
        }


@pytest.fixture(scope="session")
def occupations():
    """Columns over the 40 occupations, by name."""
    with (HERE / "biaslens_occupations.csv").open() as file:
        rows = list(csv.DictReader(file))
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return {
        name: column if name == "occupation" else column.astype(float) for name, column in columns.items()
    }
