"""The command line: one file a verb, loaded when the verb is used."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import click

from biaskit import __version__
from biaskit.errors import BiaskitError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Sequence

VERBS = {
    "audit": "Audit a model and write a run folder.",
    "cache": "List, measure or prune the store of activations.",
    "compare": "Compare two saved runs; needs no torch.",
    "doctor": "Tell versions, devices, caches and what is broken.",
    "fetch": "Download all that an audit opens, to run it offline.",
    "gate": "Judge a saved run again; needs no torch.",
    "init": "Write a starter audit and the workflow that runs it.",
    "list": "List concepts, references, controls, analyzers, audits or organisms.",
    "mitigate": "Find and save a remedy, and measure the model with it on fresh seeds.",
    "organism": "Build or list models with a planted bias.",
    "plan": "Tell what an audit would do, take and be able to see.",
    "report": "Show a saved run, or write it as HTML, Markdown, JUnit, SARIF and more.",
    "schema": "Print the JSON Schema of a spec or a report.",
    "selfcheck": "Prove analyzers on nulls and planted doses.",
    "show": "Show a concept, a pair, an audit, an analyzer or an organism.",
    "verify": "Check a saved run again: digests, verdicts, and numbers from their rows.",
    "validate": "Check probe sets and audits.",
}

# A submodule called `list` would shadow the built-in one here.
_FILES = {"list": "listing"}
_INTERRUPTED, _CRASHED = 130, 3


class Verbs(click.Group):
    """Loads a verb's file when it is used, and nothing for the help page."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs."""
        del ctx
        return sorted(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the file of the verb; a misspelt one is answered with the nearest."""
        del ctx
        if cmd_name not in VERBS:
            raise UnknownNameError("verb", cmd_name, VERBS, fix="See `biaskit --help`.")
        name = _FILES.get(cmd_name, cmd_name)
        command: click.Command = getattr(import_module(f"biaskit.cli.{name}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of verbs from the table above."""
        del ctx
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, message="biaskit %(version)s")
def biaskit() -> None:
    """Audit models for bias from the inside: activations, behaviour and cause.

    Start with:  biaskit audit --model demo --concepts food

    Exit codes: 0 done, no gate failed; 1 a gate failed; 2 the request cannot be carried out; 3 something
    crashed; 4 undecided where that is forbidden; 5 nothing was audited; 6 the instrument is not valid;
    130 interrupted.
    """


def main() -> None:
    """Run the command line and leave with its exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; no error of a user shows a traceback."""
    try:
        code = biaskit.main(list(arguments), prog_name="biaskit", standalone_mode=False)
    except click.exceptions.Abort:
        say("Interrupted.")
        return _INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except Exception as error:
        if "--debug" in arguments or os.environ.get("BIASKIT_DEBUG"):
            raise
        tell(error)
        return error.exit_code if isinstance(error, BiaskitError) else _CRASHED
    return code if isinstance(code, int) else 0


def tell(error: BaseException) -> None:
    """Say on the error stream what happened, why, and what to do."""
    if isinstance(error, BiaskitError):
        say(f"Error: {error.what}", fg="red", bold=True)
        parts = (error.why, f"→ {error.fix}" if error.fix else "")
    else:
        say(f"Error: {type(error).__name__}: {error}", fg="red", bold=True)
        parts = ("This is not an error that biaskit knows.", "→ Run it again with --debug to see where.")
    for part in filter(None, parts):
        say(part)


def say(text: str, *, fg: str | None = None, bold: bool = False) -> None:
    """Write a line to the error stream; control characters in it are made visible."""
    shown = "".join(mark if mark.isprintable() or mark == "\n" else f"<{ord(mark):02X}>" for mark in text)
    color = False if os.environ.get("NO_COLOR") else None
    click.secho(shown, err=True, fg=fg, bold=bold, color=color)
