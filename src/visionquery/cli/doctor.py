"""`visionquery doctor`"""

import sys
from typing import Annotated

import typer

from visionquery.cli.options import JsonFlag, LibraryOption, QuietFlag
from visionquery.cli.output import print_document, print_lines
from visionquery.cli.session import settings, stopping_in_order
from visionquery.doctor import examine
from visionquery.errors import InputError, Outcome, StoreError, outcome_of
from visionquery.present.progress import step_progress
from visionquery.store.engines import shown
from visionquery.store.places import expanded
from visionquery.types import is_address

__all__ = ["doctor"]

_RepairFlag = Annotated[
    bool,
    typer.Option(
        "--repair",
        help="Bring in order what is wrong: what is damaged is forgotten, to be read again by the "
        "next index, and what is derived is made anew.",
    ),
]
_FilesFlag = Annotated[
    bool,
    typer.Option(
        "--files", help="Read every picture file too, and compare it with what was indexed."
    ),
]


def doctor(
    repair: _RepairFlag = False,
    files: _FilesFlag = False,
    library: LibraryOption = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Look whether the library is whole: its catalog, and every vector by its checksum.

    Exit code 4 says that something is wrong and was not repaired. The pictures are never touched.
    """
    named = settings(library=library, model="auto").library
    if is_address(named):
        raise InputError(
            f"doctor looks at libraries in folders; {shown(named)} is kept in order by its engine."
        )
    folder = expanded(named).absolute()
    with (
        stopping_in_order(),
        step_progress(sys.stderr, quiet=quiet, noun="image") as on_progress,
    ):
        found = examine(folder, mend=repair, with_files=files, on_progress=on_progress)
    from visionquery.present.health import doctor_document, doctor_lines

    if json:
        print_document(doctor_document(found))
    else:
        print_lines("\n".join(doctor_lines(found, library=library)))
    if not found.is_whole:
        outcome = outcome_of(StoreError()) or Outcome(4, 500)
        raise typer.Exit(outcome.exit_code)
