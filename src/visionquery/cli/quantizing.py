"""What `visionquery models quantize` needs: pictures and texts to measure with, and the run."""

import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visionquery.cli.demo import PHOTOGRAPHS, photographs_folder
from visionquery.cli.output import notes
from visionquery.cli.session import open_library, settings
from visionquery.errors import ImageError, InputError, LibraryNotFoundError
from visionquery.images import content, workers
from visionquery.images.limits import Limits
from visionquery.images.scan import FoundFile, scan
from visionquery.models.encoder import Encoder, load_encoder
from visionquery.models.fidelity import LEAST_PICTURES
from visionquery.models.int8_graph import check_installed
from visionquery.models.int8_model import Material
from visionquery.models.quantize import Quantized, check_target, default_folder, quantize
from visionquery.models.spec import ModelSpec
from visionquery.present.progress import step_progress
from visionquery.present.text import count
from visionquery.store.places import expanded

__all__ = ["make"]

_PICTURES = 256
"""As many as tell a share of nearest neighbours to a hundredth, and take a minute or two."""

_ENOUGH = 100
"""Below this, a person is told that more pictures would say more."""


def make(
    spec: ModelSpec,
    *,
    images: Path | None,
    out: Path | None,
    force: bool,
    library: str | None,
    quiet: bool,
) -> Quantized:
    """Make the int8 form of a model, with notes and progress for the person.

    Raises InputError, before anything is encoded, for what cannot be done, and all that
    `quantize` raises.
    """
    check_installed()
    folder = expanded(out).absolute() if out is not None else default_folder(spec)
    check_target(spec, folder, replace_existing=force)
    threads = settings().threads or os.cpu_count() or 1
    note = notes(quiet=quiet)
    paths, whose = _photographs(images, library)
    material = Material(_prepared(paths, load_encoder(spec), threads), _captions())
    pictures = len(material.pictures)
    few = "; more would tell more, see --images" if pictures < _ENOUGH else ""
    note(f"Measuring with {count(pictures, 'picture')} of {whose}{few}.")
    with step_progress(sys.stderr, quiet=quiet, noun="picture") as on_progress:
        return quantize(
            spec,
            folder,
            material=material,
            replace_existing=force,
            threads=threads,
            on_note=note,
            on_progress=on_progress,
        )


def _photographs(images: Path | None, library: str | None) -> tuple[list[str], str]:
    """Return files to measure with and whose they are: those of a folder, else of the library,
    else of the demo."""
    if images is not None:
        folder = expanded(images)
        if not folder.is_dir():
            raise InputError(f"There is no folder {folder}; --images takes one with photographs.")
        return list(_below([str(folder)])), str(folder)
    found = list(_below(_roots(library)))
    if len(found) >= LEAST_PICTURES or library is not None:
        return found, "the library"
    try:
        folder = photographs_folder()
    except InputError as error:
        raise InputError(
            "There are no photographs to measure with; give a folder of some with --images."
        ) from error
    files = [folder / name for name in PHOTOGRAPHS]
    return [str(file) for file in files if file.exists()], "scikit-image"


def _roots(library: str | None) -> list[str]:
    """Return the indexed folders of a library that are there; none where it is not, unless it
    was named."""
    try:
        with open_library(library=library, model="auto", create=False, quiet=True) as opened:
            return [root.location for root in opened.status().roots if root.present]
    except LibraryNotFoundError:
        if library is not None:
            raise
        return []


def _below(folders: Sequence[str]) -> Iterator[str]:
    for folder in folders:
        yield from (found.path for found in scan(folder) if isinstance(found, FoundFile))


def _prepared(paths: Sequence[str], encoder: Encoder, threads: int) -> NDArray[np.float32]:
    """Return pictures from all over the paths as the encoder takes them, (n, 3, side, side),
    without those that cannot be used."""
    limits = Limits()

    def ready(path: str) -> NDArray[np.float32] | None:
        try:
            data = content.load(path, limits=limits)
            return encoder.prepare(
                workers.decode(data, min_side=2 * encoder.image_side, limits=limits)
            )
        except ImageError:
            return None

    chosen = [paths[i * len(paths) // _PICTURES] for i in range(_PICTURES)] if paths else []
    with ThreadPoolExecutor(threads) as pool:
        rows = [row for row in pool.map(ready, dict.fromkeys(chosen)) if row is not None]
    side = encoder.image_side
    return np.stack(rows) if rows else np.empty((0, 3, side, side), np.float32)


def _captions() -> list[str]:
    """Return everyday captions, those that confidence stands on."""
    text = files("visionquery.search").joinpath("background.txt").read_text("utf-8")
    return text.splitlines()
