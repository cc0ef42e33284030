"""`visionquery concepts learn|list|remove|export|import`"""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from visionquery.cli.options import PLACE, JsonFlag, LibraryOption, QuietFlag
from visionquery.cli.output import notes, print_document, say
from visionquery.cli.session import open_library
from visionquery.present.progress import step_progress
from visionquery.present.text import count, printable
from visionquery.search.concepts import Concept

__all__ = ["app"]

app = typer.Typer(
    help="What a library was taught by examples, for queries as concept:NAME.",
    no_args_is_help=True,
)

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="Letters, digits, - and _, as in our-logo.")
]
LikeOption = Annotated[
    list[str],
    typer.Option(
        "--like",
        metavar="PATH|ID",
        help="Pictures that show it: a folder, a file or an image id; may be repeated.",
        click_type=PLACE,
        show_default=False,
    ),
]
UnlikeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--unlike",
        metavar="PATH|ID",
        help="Pictures that are taken for it; may be repeated.",
        click_type=PLACE,
    ),
]
TextOption = Annotated[
    str | None,
    typer.Option("--text", metavar="TEXT", help="Words that come near, to start from."),
]
FileArgument = Annotated[
    str, typer.Argument(metavar="FILE", help="The concept's file.", click_type=PLACE)
]


@app.command("learn")
def learn_concept(
    name: NameArgument,
    like: LikeOption,
    unlike: UnlikeOption = None,
    text: TextOption = None,
    library: LibraryOption = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Learn what pictures have in common, and keep it under a name.

    Ten pictures are usually enough. The pictures need not be in the library, nor stay where they
    are: what was learnt is kept, not they. A concept with that name is replaced.
    """
    with (
        open_library(library=library, model=None, create=False, quiet=quiet) as opened,
        step_progress(sys.stderr, quiet=quiet, noun="picture") as show,
    ):
        lesson = opened.concepts.learn(
            name, like=like, unlike=unlike or [], text=text, on_progress=partial(show, "Learning")
        )
    if json:
        skipped = [{"path": path, "reason": reason} for path, reason in lesson.skipped]
        print_document({**_facts(lesson.concept), "skipped": skipped})
        return
    note = notes(quiet=quiet)
    for path, reason in lesson.skipped:
        note(f"Skipped {path}: {reason}")
    note(f"Learnt {name} {_origin(lesson.concept)}. Search for it with: concept:{name}")


@app.command("list")
def list_concepts(
    library: LibraryOption = None, json: JsonFlag = False, quiet: QuietFlag = False
) -> None:
    """List what the library was taught."""
    with open_library(library=library, model="auto", create=False, quiet=quiet) as opened:
        known = opened.concepts.all()
    if json:
        print_document({"concepts": [_facts(concept) for concept in known]})
        return
    if not known:
        notes(quiet=quiet)(
            "Nothing was taught so far. Teach a concept with: visionquery concepts learn NAME "
            "--like FOLDER"
        )
        return
    from visionquery.present.tables import print_rows

    rows = [
        (concept.name, _origin(concept), concept.model, concept.made_at[:10]) for concept in known
    ]
    print_rows(("concept", "learnt", "model", "on"), rows, sys.stdout)


@app.command("remove")
def remove_concept(
    name: NameArgument, library: LibraryOption = None, quiet: QuietFlag = False
) -> None:
    """Forget a concept."""
    with open_library(library=library, model="auto", create=False, quiet=quiet) as opened:
        opened.concepts.remove(name)
    notes(quiet=quiet)(f"Forgot {name}.")


@app.command("export")
def export_concept(
    name: NameArgument, file: FileArgument, library: LibraryOption = None, quiet: QuietFlag = False
) -> None:
    """Write a concept to a file for other libraries of the same model. It holds no picture."""
    with open_library(library=library, model="auto", create=False, quiet=quiet) as opened:
        opened.concepts.export(name, Path(file))
    notes(quiet=quiet)(f"Wrote {name} to {file}")


@app.command("import")
def import_concept(
    file: FileArgument,
    library: LibraryOption = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Keep the concept of a file, in place of one with its name."""
    with open_library(library=library, model="auto", create=False, quiet=quiet) as opened:
        concept = opened.concepts.take_in(Path(file))
    if json:
        print_document(_facts(concept))
    elif not quiet:
        say(f"The library knows {concept.name} now. Search for it with: concept:{concept.name}")


def _facts(concept: Concept) -> dict[str, object]:
    return {
        "name": concept.name,
        "liked": concept.liked,
        "disliked": concept.disliked,
        "text": concept.text,
        "model": concept.model,
        "fingerprint": concept.fingerprint,
        "made_at": concept.made_at,
    }


def _origin(concept: Concept) -> str:
    said = f'"{printable(concept.text)}" and ' if concept.text is not None else ""
    unlike = f" and {concept.disliked:,} unlike it" if concept.disliked else ""
    return f"from {said}{count(concept.liked, 'picture')}{unlike}"
