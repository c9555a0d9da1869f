"""For authors of analyzers and estimators: the conformance kit, and distributions with exact answers.

`check_analyzer(MyAnalyzer)` runs every check on a small organism and raises where one fails;
`parametrize_with_checks` makes each a test of its own. The denoisers of known distributions serve to test
estimators of one's own against.
"""

from __future__ import annotations

from biaskit.organisms.oracles import *  # noqa: F403  the same public names
from biaskit.organisms.oracles import __all__ as _oracles
from biaskit.testing.checks import CHECKS as CHECKS
from biaskit.testing.conformance import CheckFailedError as CheckFailedError
from biaskit.testing.conformance import CheckResult as CheckResult
from biaskit.testing.conformance import analyzer_checks as analyzer_checks
from biaskit.testing.conformance import check_analyzer as check_analyzer
from biaskit.testing.conformance import parametrize_with_checks as parametrize_with_checks

__all__ = [  # noqa: PLE0604  a list of names joined to another
    *_oracles,
    "CHECKS",
    "CheckFailedError",
    "CheckResult",
    "analyzer_checks",
    "check_analyzer",
    "parametrize_with_checks",
]
