"""Write docs/reference/command-line.md from the program's own commands.

    python scripts/make_reference.py           write the page
    python scripts/make_reference.py --check   exit 1 when the page is not what the program says
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import typer
from pages import write_or_check

from visionquery.cli.app import build

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "command-line.md"
INTRODUCTION = """\
# The command line

`visionquery`, or `vq` for short. Results go to stdout; progress, notes and errors go to stderr.
On a terminal results are a table, in a pipe one path a line with control characters escaped
(`-0` gives raw names), with `--json` one document, whose shapes are in [JSON documents](json.md).

| exit code | meaning |
|---|---|
| 0 | done; for a search: something was found |
| 1 | a search found nothing good enough; `explain`: the picture is not in the answer |
| 2 | the input is wrong: a query, a path, a setting, a picture given as a query |
| 3 | a model is missing or broken |
| 4 | a library cannot be used: none there, another model's, busy …; `doctor`: it is damaged |
| 5 | a remote engine failed |
| 70 | a defect of the program; the message says how to see where |
| 74 | the answer could not be written |
| 130 | interrupted; everything finished so far is kept |

This page is written by `scripts/make_reference.py` from the program itself; a test compares them.
"""


def sections(command: object, name: str) -> Iterator[str]:
    """The section of a command, or those of a group's commands."""
    subcommands = getattr(command, "commands", None)
    if subcommands is not None:
        for child, subcommand in subcommands.items():
            yield from sections(subcommand, f"{name} {child}")
        return
    positional = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option"]
    usage = " ".join([name, *map(placeholder, positional), "[OPTIONS]"])
    rows = [f"| `{placeholder(p)}` | {p.help} |" for p in positional]
    rows += [f"| `{names(p)}`{value(p)} | {p.help}{default(p)} |" for p in options]
    yield "\n".join([f"## {name}\n", f"    {usage}\n", command.help.strip(), "",
                     "| argument | meaning |", "|---|---|", *rows, ""])


def names(option: object) -> str:
    """The names of an option, those that say no too."""
    return ", ".join([*option.opts, *option.secondary_opts])


def placeholder(parameter: object) -> str:
    """How a positional value stands in the usage line."""
    shown = f"{parameter.metavar}{'…' if parameter.nargs == -1 else ''}"
    return shown if parameter.required else f"[{shown}]"


def value(parameter: object) -> str:
    """What follows an option, nothing for a flag."""
    if parameter.is_flag:
        return ""
    return f" {parameter.metavar or 'NUMBER'}".replace("|", " or ")


def default(parameter: object) -> str:
    """The default where there is one that says something."""
    if parameter.is_flag or parameter.default is None:
        return ""
    return f" Default: {parameter.default}."


def page() -> str:
    """The whole page."""
    return "\n".join([INTRODUCTION, *sections(typer.main.get_command(build()), "visionquery")])


if __name__ == "__main__":
    sys.exit(write_or_check(PAGE, page()))
