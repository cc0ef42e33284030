"""`visionquery eval FILE`"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from visionquery.cli.options import JsonFlag, ModelOption, QuietFlag
from visionquery.cli.output import notes, print_document, print_lines
from visionquery.cli.session import settings
from visionquery.evaluation import Evaluation, read_captions
from visionquery.evaluation import evaluate as measure
from visionquery.opening import Fetch, asked_model, load_encoder
from visionquery.present.progress import download_progress, index_progress
from visionquery.present.text import count

__all__ = ["evaluate"]


def evaluate(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help='JSON lines: {"file": "a.jpg", "captions": ["…"]}.'),
    ],
    images: Annotated[
        Path | None,
        typer.Option(
            "--images",
            metavar="DIR",
            help="The folder that the files are relative to (default: FILE's own).",
            show_default=False,
        ),
    ] = None,
    model: ModelOption = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Measure a model on your own captioned pictures: does each caption find its picture?"""
    entries = read_captions(file, images=images)
    chosen = settings(model=model)
    note = notes(quiet=quiet)
    threads = chosen.threads or os.cpu_count() or 1
    with download_progress(sys.stderr, quiet=quiet) as on_download:
        fetch = Fetch(offline=chosen.offline, on_note=note, on_download=on_download)
        spec = asked_model(chosen.model) or fetch.choose()
        encoder = load_encoder(spec, fetch, threads=threads)
    with index_progress(sys.stderr, quiet=quiet) as on_progress:
        found = measure(entries, encoder, threads=threads, on_progress=on_progress)
    if json:
        from visionquery.present.documents import evaluation_document

        print_document(evaluation_document(found))
    else:
        _show(found, spec.name)


def _show(found: Evaluation, model: str) -> None:
    print_lines(f"{model}: {count(found.captions, 'caption')}, {count(found.images, 'image')}")
    for k, rate in found.hit_rate.items():
        print_lines(f"  hit_rate@{k:<2}  {rate * 100:5.1f} %    recall@{k:<2} "
                    f"{found.recall[k] * 100:5.1f} %")
    print_lines(f"  MRR {found.mrr:.3f}, median rank {found.median_rank:g}")
