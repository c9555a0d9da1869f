"""`python -m biaskit` is `biaskit`."""

from __future__ import annotations

from biaskit.cli import main

if __name__ == "__main__":
    main()
