"""The options that commands share, each written once."""

from enum import StrEnum
from typing import Annotated, Final

import typer
from typer.models import TyperPath

from visionquery.search.result import DEFAULT_MIN_CONFIDENCE

__all__ = [
    "PLACE",
    "BetweenOption",
    "ExactFlag",
    "FoldFlag",
    "JsonFlag",
    "LibraryOption",
    "LimitOption",
    "MinConfidenceOption",
    "ModelOption",
    "NiceFlag",
    "NullFlag",
    "OffsetOption",
    "OnOption",
    "Order",
    "PauseOnBatteryFlag",
    "QueryArgument",
    "QuietFlag",
]

PLACE: Final = TyperPath()
"""A folder or file, which a shell completes as one; its value is text."""


class Order(StrEnum):
    """What an answer can be sorted by."""

    RELEVANCE = "relevance"
    DATE = "date"
    PATH = "path"


LibraryOption = Annotated[
    str | None,
    typer.Option(
        "--library",
        metavar="DIR",
        help="The library to use, a folder or an address (VISIONQUERY_LIBRARY; default: in the "
        "user's data folder).",
        show_default=False,
    ),
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME|DIR",
        help="A model of the catalog, or a folder with a model.toml (VISIONQUERY_MODEL).",
        show_default=False,
    ),
]
QueryArgument = Annotated[str, typer.Argument(metavar="QUERY", help="What to look for.")]
MinConfidenceOption = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=1,
        help=f"Where relevance ends, 0..1 (default {DEFAULT_MIN_CONFIDENCE}).",
        show_default=False,
    ),
]
ExactFlag = Annotated[
    bool | None,
    typer.Option(
        "--exact/--approximate",
        help="Compare every picture, or pass over what is unlikely to be among the best (default: "
        "every picture, up to a million of them, 20,000 in an engine).",
        show_default=False,
    ),
]
FoldFlag = Annotated[
    bool,
    typer.Option(
        "--fold",
        help="Show one of several pictures that are much the same, as of a burst, and count the "
        "others.",
    ),
]
JsonFlag = Annotated[
    bool, typer.Option("--json", help="One JSON document on stdout and nothing else.")
]
QuietFlag = Annotated[
    bool, typer.Option("--quiet", "-q", help="No progress and no notes, only errors.")
]
LimitOption = Annotated[int, typer.Option("--limit", "-n", min=1, help="Results at most.")]
OffsetOption = Annotated[int, typer.Option(min=0, help="Results to leave out first.")]
NullFlag = Annotated[
    bool, typer.Option("--print0", "-0", help="Raw paths, each ended by a NUL character.")
]
OnOption = Annotated[
    str | None,
    typer.Option(
        "--on",
        metavar="CLUSTER",
        help="Read and encode on a Ray cluster: ray://HOST:PORT, or ray for the one that "
        "RAY_ADDRESS names or else for this machine (VISIONQUERY_ON; needs the extra ray).",
        show_default=False,
    ),
]
NiceFlag = Annotated[
    bool,
    typer.Option(
        "--nice", help="Leave the processor and the disks to all others: the lowest priority."
    ),
]
PauseOnBatteryFlag = Annotated[
    bool,
    typer.Option(
        "--pause-on-battery",
        help="Wait while the machine runs on its battery (needs the extra watch).",
    ),
]
BetweenOption = Annotated[
    str | None,
    typer.Option(
        "--between",
        metavar="HH:MM-HH:MM",
        help="Work in this part of the day only, local time, and wait outside it: 22:00-07:00.",
        show_default=False,
    ),
]
