"""`visionquery models list|pull|verify|quantize`"""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from visionquery.cli.options import JsonFlag, LibraryOption, QuietFlag
from visionquery.cli.output import notes, print_document, print_lines
from visionquery.cli.session import settings
from visionquery.errors import ChecksumMismatchError, WeightsMissingError
from visionquery.models.acquire import fetch
from visionquery.models.catalog import catalog, resolve
from visionquery.models.spec import ModelSpec
from visionquery.models.weights import Check, available, size_bytes, verify
from visionquery.present.progress import download_progress
from visionquery.present.text import size

__all__ = ["app"]

app = typer.Typer(help="The models that can encode pictures and words.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Catalog name, alias or folder.")]
ImagesOption = Annotated[
    Path | None,
    typer.Option(
        "--images",
        metavar="DIR",
        help="Photographs to measure with (default: the library's, else the demo's).",
        show_default=False,
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="The new model's folder (default: NAME-int8 beside the downloaded models).",
        show_default=False,
    ),
]
ForceFlag = Annotated[bool, typer.Option("--force", help="Replace a model that is there.")]


@app.command("list")
def list_models(json: JsonFlag = False) -> None:
    """List the catalog: what each model is, its size and licence, and whether it is here."""
    specs = catalog()
    if json:
        print_document({"models": [_facts(spec) for spec in specs]})
        return
    from visionquery.present.tables import print_rows

    rows = [
        (
            spec.name,
            "yes" if available(spec) else "no",
            size(size_bytes(spec)),
            str(spec.embed_dim),
            spec.license,
            spec.summary,
        )
        for spec in specs
    ]
    names = ("model", "here", "size", "dim", "licence", "what it is")
    print_rows(names, rows, sys.stdout)


def _facts(spec: ModelSpec) -> dict[str, object]:
    return {
        "name": spec.name,
        "aliases": list(spec.aliases),
        "available": available(spec),
        "size_bytes": size_bytes(spec),
        "embed_dim": spec.embed_dim,
        "license": spec.license,
        "languages": list(spec.languages),
        "summary": spec.summary,
        "fingerprint": spec.identity.fingerprint,
    }


@app.command("pull")
def pull_model(name: NameArgument, quiet: QuietFlag = False) -> None:
    """Fetch a model's files, going on where an earlier try stopped, and verify them all."""
    spec = resolve(name)
    note = notes(quiet=quiet)
    with download_progress(sys.stderr, quiet=quiet) as on_download:
        fetch(spec, offline=settings().offline, on_note=note, on_download=on_download)
    note(f"{spec.name} is here, every file verified.")


@app.command("verify")
def verify_model(name: NameArgument, json: JsonFlag = False) -> None:
    """Compare every file of a model with the hash that its spec names."""
    spec = resolve(name)
    checks = verify(spec)
    if json:
        print_document({"model": spec.name, "files": [_file_facts(check) for check in checks]})
    for check in checks:
        if not json:
            print_lines(f"{_verdict(check):8}{check.path}")
    if any(check.actual == "" for check in checks):
        raise WeightsMissingError(
            f"Files of the model {spec.name} are not here; run: visionquery models pull {spec.name}"
        )
    wrong = next((check for check in checks if not check.ok), None)
    if wrong is not None:
        raise ChecksumMismatchError(
            f"{wrong.path} has sha256 {wrong.actual}, its spec names {wrong.expected}; "
            f"delete the file and run: visionquery models pull {spec.name}",
            path=wrong.path, expected=wrong.expected, actual=wrong.actual,
        )


@app.command("quantize")
def quantize_model(
    name: NameArgument,
    images: ImagesOption = None,
    out: OutOption = None,
    force: ForceFlag = False,
    library: LibraryOption = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Make a model's 8-bit form, which is smaller and faster, unless it finds other pictures."""
    from visionquery.cli.quantizing import make

    made = make(resolve(name), images=images, out=out, force=force, library=library, quiet=quiet)
    if json:
        from visionquery.present.documents import quantized_document

        print_document(quantized_document(made))
        return
    from visionquery.present.quantized import print_quantized

    print_quantized(made, sys.stdout)
    notes(quiet=quiet)(
        "Use it with --model and this folder; a library moves to it with: "
        f"visionquery index --reencode --model {shlex.quote(str(made.folder))}"
    )


def _verdict(check: Check) -> str:
    return "missing" if check.actual == "" else "ok" if check.ok else "WRONG"


def _file_facts(check: Check) -> dict[str, object]:
    return {
        "path": check.path,
        "ok": check.ok,
        "expected": check.expected,
        "actual": check.actual,
    }
