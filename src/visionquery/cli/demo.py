"""`visionquery demo`: the whole program on photographs that a Python package carries."""

import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from visionquery.cli.options import JsonFlag, ModelOption, QuietFlag
from visionquery.cli.output import on_terminal, print_document, print_lines, say
from visionquery.cli.session import add_paths, open_library, settings
from visionquery.errors import InputError
from visionquery.library import Library
from visionquery.models.acquire import BUILT_IN
from visionquery.present.text import count, duration
from visionquery.search.result import Hit, Response

__all__ = ["PHOTOGRAPHS", "demo", "photographs_folder"]

PHOTOGRAPHS = (
    "astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png", "clock_motion.png",
    "coffee.png", "coins.png", "grass.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png",
    "moon.png", "motorcycle_left.png", "page.png", "retina.jpg", "rocket.jpg", "text.png",
)  # fmt: skip

QUESTIONS = (
    "a cat",
    "a motorcycle",
    "a woman smiling",
    "a man with a camera on a tripod",
    "a brick wall",
    "a rocket taking off",
    "printed text",
)

_SHOWN = 3
_PREVIEW_COLUMNS = 24
_PREVIEW_ROWS = 8


def demo(model: ModelOption = None, json: JsonFlag = False, quiet: QuietFlag = False) -> None:
    """Index a few real photographs and ask them a handful of questions."""
    folder = photographs_folder()
    # A demonstration needs no download: what is asked for, or the model in the box.
    model = settings(model=model).model or BUILT_IN
    with (
        tempfile.TemporaryDirectory(prefix="visionquery-demo-") as temporary,
        open_library(
            library=str(Path(temporary) / "library"), model=model, create=True, quiet=quiet
        ) as library,
    ):
        photographs = [str(folder / name) for name in PHOTOGRAPHS if (folder / name).exists()]
        report = add_paths(library, photographs, quiet=quiet)
        if not quiet:
            say(
                f"Indexed {count(report.added, 'photograph')} of scikit-image with "
                f"{library.status().model} in {duration(report.seconds)}.\n"
            )
        responses = [library.search(question, limit=_SHOWN) for question in QUESTIONS]
        if json:
            _print_json(library, responses)
        else:
            for response in responses:
                _show(response)
    if not (json or quiet):
        say(
            "\n~ came near, but probably does not match.\n"
            'Now your own: visionquery search "a dog on a beach" ~/Pictures'
        )


def photographs_folder() -> Path:
    spec = find_spec("skimage")
    if spec is None or spec.origin is None:
        raise InputError(
            "The demo shows photographs of scikit-image, which is not installed. "
            "Install it with: pip install 'visionquery[demo]'"
        )
    return Path(spec.origin).parent / "data"


def _print_json(library: Library, responses: list[Response]) -> None:
    from visionquery.present.documents import search_document

    print_document(
        {
            "images": library.status().images,
            "searches": [search_document(response) for response in responses],
        }
    )


def _show(response: Response) -> None:
    if on_terminal():
        _show_pictures(response)
        return
    print_lines(response.query)
    for hit in (*response.hits, *response.closest):
        print_lines(f"  {_verdict(hit, response)}  {Path(hit.path or '').name}")


def _verdict(hit: Hit, response: Response) -> str:
    """How sure, with a mark at what only came near."""
    return f"{' ' if hit in response.hits else '~'}{hit.confidence * 100:3.0f} %"


def _show_pictures(response: Response) -> None:
    from rich.table import Table
    from rich.text import Text

    from visionquery.images.thumbnails import thumbnail
    from visionquery.present.previews import half_blocks
    from visionquery.present.tables import print_table

    print_lines(response.query)
    table = Table(box=None, pad_edge=False, show_header=False)
    cells = []
    for hit in (*response.hits, *response.closest):
        path = Path(hit.path or "")
        pixels = thumbnail(path, width=_PREVIEW_COLUMNS, height=2 * _PREVIEW_ROWS)
        style = "bold" if hit in response.hits else "dim"
        verdict = _verdict(hit, response)
        caption = Text(f"{verdict} {path.stem[: _PREVIEW_COLUMNS - len(verdict) - 1]}", style=style)
        cells.append(Text("\n").join([*half_blocks(pixels), caption]))
        table.add_column(width=_PREVIEW_COLUMNS + 2, no_wrap=True)
    table.add_row(*cells)
    print_table(table, sys.stdout)
    print_lines("")
