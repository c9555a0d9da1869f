"""The catalogue answers without numpy or torch, and quickly."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import json, sys, time
from biaskit.catalogue import comparisons
from biaskit.errors import UnknownNameError
try:
    comparisons(["winobias-occupations", "fod"])
except UnknownNameError as error:
    heavy = {"numpy", "scipy", "torch", "pandas", "sklearn", "transformers", "jinja2", "rich", "click"}
    print(json.dumps([error.near, sorted(heavy & set(sys.modules)), time.process_time()]))
"""


def test_a_typo_is_answered_without_the_heavy_half():
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True, timeout=60)
    near, heavy, cpu = json.loads(done.stdout)
    assert "food" in near
    assert heavy == []
    assert cpu <= 0.5
