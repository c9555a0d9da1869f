"""Memory stays flat as the corpus grows: a tenfold corpus adds at most a tenth to the peak."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")

# The peak of anonymous memory, since mapped files are the system's to drop. Sampled inside the model and
# while a shard is in the consumer's hands, which is when most is held, and by a thread in between.
SCRIPT = """
import re, sys, threading, time
from pathlib import Path
from types import SimpleNamespace
import torch
from biaskit.hooks.store import ActivationStore
from biaskit.records.prompt import Prompt
from biaskit.records.site import Site

peak, done = 0, False
def sample():
    global peak
    status = Path("/proc/self/status").read_text()
    peak = max(peak, int(re.search(r"RssAnon:\\s+(\\d+)", status)[1]))
def watch():
    while not done:
        sample()
        time.sleep(0.005)

class Model:
    subject = SimpleNamespace(fingerprint="f", dtype="float32")
    def activations(self, prompts, sites, pooling):
        found = {site: torch.full((len(prompts), 768), float(site.layer)) for site in sites}
        sample()
        return found

sites = [Site.parse(f"resid_post.{layer}") for layer in range(4)]
prompts = [Prompt(f"text number {number}") for number in range(int(sys.argv[1]))]
watcher = threading.Thread(target=watch)
watcher.start()
total = 0.0
for rows, part in ActivationStore(Path(sys.argv[2])).stream(Model(), prompts, sites):
    total += sum(float(part[site].sum()) for site in sites)
    sample()
done = True
watcher.join()
assert total == 768 * 6 * len(prompts), total
print(peak)
"""


def peak_kib(rows, folder):
    command = [sys.executable, "-c", SCRIPT, str(rows), str(folder)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_a_tenfold_corpus_adds_at_most_a_tenth(tmp_path):
    small, large = peak_kib(2_000, tmp_path / "small"), peak_kib(20_000, tmp_path / "large")
    assert large <= 1.10 * small, (small, large)
