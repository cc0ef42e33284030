"""`visionquery serve`"""

import contextlib
import webbrowser
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from visionquery.cli.options import LibraryOption, ModelOption, QuietFlag
from visionquery.cli.output import on_terminal, say
from visionquery.cli.session import open_library, settings
from visionquery.errors import LibraryNotFoundError
from visionquery.library import Library
from visionquery.settings import Settings

__all__ = ["serve"]

_HostOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Where to listen (VISIONQUERY_HOST; default 127.0.0.1, this machine only). Any other "
        "address needs a token.",
        show_default=False,
    ),
]
_PortOption = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=65_535,
        help="The port (VISIONQUERY_PORT; default 8765), 0 for any that is free.",
        show_default=False,
    ),
]
_TokenOption = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help="What a caller must know. Better in VISIONQUERY_TOKEN, where other users of the "
        "machine do not see it.",
        show_default=False,
    ),
]
_AllowHostOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="A further name under which the server may be asked, as that of a proxy before it.",
        show_default=False,
    ),
]
_NewFoldersOption = Annotated[
    bool | None,
    typer.Option(
        "--new-folders/--no-new-folders",
        help="Whether folders that are not in the library may be indexed from the page (default: "
        "only without a token).",
        show_default=False,
    ),
]
_RerankOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|DIR",
        help="A larger model that looks at the best of each answer once more.",
        show_default=False,
    ),
]
_BrowserFlag = Annotated[
    bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")
]


def serve(
    library: LibraryOption = None,
    model: ModelOption = None,
    host: _HostOption = None,
    port: _PortOption = None,
    token: _TokenOption = None,
    allow_host: _AllowHostOption = None,
    new_folders: _NewFoldersOption = None,
    rerank: _RerankOption = None,
    browser: _BrowserFlag = True,
    quiet: QuietFlag = False,
) -> None:
    """Open a page over the library, and an HTTP API, for this machine.

    Where there is no library yet, a new one is made, to be filled from the page.
    """
    from visionquery.server import ServerSettings, create_app
    from visionquery.server.running import address_of, listen, run

    chosen = ServerSettings(
        **_given(settings(), {"host": host, "port": port, "token": token}),
        allowed_hosts=tuple(allow_host or ()),
        new_folders=new_folders,
        rerank=rerank,
    )
    with listen(chosen) as listening, _opened(library, model, quiet=quiet) as opened:
        address = address_of(listening)
        opened.warm_up(rerank=rerank)  # What does not work is told before anybody asks.

        def on_ready() -> None:
            if not quiet:
                say(f"Serving {opened.status().location} at {address} (Ctrl-C stops it)")
            if browser and on_terminal():
                webbrowser.open(address)

        with contextlib.suppress(KeyboardInterrupt):
            run(create_app(opened, chosen), listening, on_ready=on_ready)
    if not quiet:
        say("Stopped.")


def _given(common: Settings, flags: Mapping[str, object]) -> dict[str, Any]:
    """Return what flags say, or else the settings, of those that say anything."""
    said = {name: getattr(common, name) if flag is None else flag for name, flag in flags.items()}
    return {name: value for name, value in said.items() if value is not None}


@contextlib.contextmanager
def _opened(library: str | None, model: str | None, *, quiet: bool) -> Iterator[Library]:
    """Open the library, or make one where there is none."""
    with contextlib.ExitStack() as stack:
        try:
            opening = open_library(library=library, model=model, create=False, quiet=quiet)
            opened = stack.enter_context(opening)
        except LibraryNotFoundError:
            opening = open_library(library=library, model=model, create=True, quiet=quiet)
            opened = stack.enter_context(opening)
        yield opened
