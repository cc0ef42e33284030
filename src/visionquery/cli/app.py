"""The tree of commands, and how every error leaves the process: one sentence, one code."""

import contextlib
import importlib
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated

import typer

from visionquery import __version__
from visionquery.cli.output import say
from visionquery.errors import VisionQueryError, outcome_of

__all__ = ["build", "run"]

_INTERRUPTED = 130
"""What typer makes of a KeyboardInterrupt."""

_DEFECT = 70
_CANNOT_WRITE = 74
"""As `sysexits.h` numbers them, out of the way of the codes with a meaning of their own."""

_COMMANDS = {
    "search": "visionquery.cli.search:search",
    "index": "visionquery.cli.index:index",
    "watch": "visionquery.cli.watch:watch",
    "explain": "visionquery.cli.explain:explain",
    "similar": "visionquery.cli.similar:similar",
    "serve": "visionquery.cli.serve:serve",
    "status": "visionquery.cli.status:status",
    "remove": "visionquery.cli.remove:remove",
    "compact": "visionquery.cli.compact:compact",
    "doctor": "visionquery.cli.doctor:doctor",
    "backup": "visionquery.cli.backup:backup",
    "copy": "visionquery.cli.copy:copy",
    "eval": "visionquery.cli.evaluate:evaluate",
    "demo": "visionquery.cli.demo:demo",
    "models": "visionquery.cli.models:app",
    "concepts": "visionquery.cli.concepts:app",
}


def build(names: Iterable[str] = tuple(_COMMANDS)) -> typer.Typer:
    """Return the program with these commands, importing no others."""
    app = typer.Typer(
        name="visionquery",
        help="Search your pictures in plain words: local, fast, nothing leaves this machine.",
        epilog="Exit codes: 0 done, 1 nothing good enough found, 2 wrong input, 3 model missing "
        "or broken, 4 library cannot be used, 5 remote engine failed, 130 interrupted.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_common)
    for name in names:
        module, _, attribute = _COMMANDS[name].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"visionquery {__version__}")
        raise typer.Exit


def _common(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit code; errors go to stderr as one sentence."""
    try:
        code = _code_of(arguments)
        sys.stdout.flush()
    except OSError as error:
        _give_up_stdout()
        say(f"The answer could not be written: {error.strerror or error}.")
        return _CANNOT_WRITE
    except Exception as error:  # a defect must not pass for "nothing found", which is 1
        if os.environ.get("VISIONQUERY_TRACEBACK"):
            raise
        say(
            f"This is a defect of VisionQuery, please report it: {type(error).__name__}: {error}. "
            "With VISIONQUERY_TRACEBACK=1 it shows where."
        )
        return _DEFECT
    return code


def _code_of(arguments: Sequence[str]) -> int:
    try:
        _app_for(arguments)(args=list(arguments), prog_name="visionquery")
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 0
        if code == _INTERRUPTED:
            say("Interrupted. Everything finished so far is kept; run it again to go on.")
        return code
    except VisionQueryError as error:
        say(str(error))
        outcome = outcome_of(error)
        return outcome.exit_code if outcome else _DEFECT
    return 0


def _app_for(arguments: Sequence[str]) -> typer.Typer:
    """The program as far as these arguments need it: a search does not wait for the demo's code."""
    first = next((argument for argument in arguments if not argument.startswith("-")), None)
    return build([first]) if first in _COMMANDS else build()


def _give_up_stdout() -> None:
    """Keep the interpreter's own last flush from failing too."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
