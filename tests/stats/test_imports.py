from __future__ import annotations

import subprocess
import sys
from importlib.resources import files


def test_statistics_never_reach_torch():
    names = sorted(p.name[:-3] for p in files("biaskit.stats").iterdir() if p.name.endswith(".py"))
    assert "bootstrap" in names
    code = "import sys\n" + "".join(f"import biaskit.stats.{name}\n" for name in names if name != "__init__")
    code += "sys.exit(any(name in sys.modules for name in ('torch', 'statsmodels', 'sklearn', 'pandas')))"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
