"""The proof of the instrument: nulls and planted doses through an analyzer, and what came of it.

`selfcheck("biaslens")` runs an analyzer, shipped or of another package, on sessions in which it is known what
there is to find, and returns a `Calibration`: its false-alarm rate, its power over the dose, and the
dose that it finds with power 0.8, each with an interval.
"""

from __future__ import annotations

from biaskit.selfcheck.calibrating import selfcheck as selfcheck
from biaskit.selfcheck.profiles import PROFILES as PROFILES
from biaskit.selfcheck.profiles import Profile as Profile
