"""A model's int8 form, made here: smaller, faster, and measured against the original first."""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from visionquery.errors import InputError
from visionquery.models.description import read_spec
from visionquery.models.encoder import load_encoder
from visionquery.models.fidelity import LEAST_PICTURES, Fidelity
from visionquery.models.int8_graph import check_installed
from visionquery.models.int8_model import (
    BATCH,
    DESCRIPTION,
    Bench,
    Material,
    OnProgress,
    Outcome,
    read_graphs,
)
from visionquery.models.spec import ModelSpec, Tower
from visionquery.models.weights import hub_cache, require

__all__ = ["Quantized", "QuantizedTower", "check_target", "default_folder", "quantize"]

_RUNS = 5

Pair = tuple[float, float]
"""A figure before and after."""


@dataclass(frozen=True, slots=True)
class QuantizedTower:
    """What became of a tower: `recipe` is None where it stayed as it was. Of its `layers`,
    `float_layers` compute in float32. Bytes of its file, and seconds for a picture (of a batch of
    8) or for a text, before and after."""

    name: str
    recipe: str | None
    layers: int
    float_layers: int
    size_bytes: tuple[int, int]
    seconds: Pair


@dataclass(frozen=True, slots=True)
class Quantized:
    """A model folder that was made, what it was made from, and how near it is to that."""

    spec: ModelSpec
    source: ModelSpec
    folder: Path
    towers: tuple[QuantizedTower, ...]
    fidelity: Fidelity


def default_folder(spec: ModelSpec) -> Path:
    """Return where the int8 form of a model is put when nobody says: beside downloaded ones."""
    return hub_cache().absolute() / "visionquery" / f"{spec.name}-int8"


def quantize(
    spec: ModelSpec,
    folder: Path,
    *,
    material: Material,
    replace_existing: bool = False,
    threads: int = 0,
    on_note: Callable[[str], None],
    on_progress: OnProgress,
) -> Quantized:
    """Make the int8 form of a model whose files are here, as a model in an absolute folder.

    Each tower is made by the first of RECIPES after which the vectors of `material` are near
    enough to the original's. The folder appears whole or not at all; with `replace_existing` it
    may take the place of another model's. Raises InputError without the extra `quantize`, for a
    folder that is there already or cannot be written, for too few pictures and for a model with
    nothing to bring to 8 bits; WeightsMissingError and ChecksumMismatchError for its files; and
    ModelError when no recipe is good enough.
    """
    check_installed()
    check_target(spec, folder, replace_existing=replace_existing)
    if len(material.pictures) < LEAST_PICTURES or not material.texts:
        raise InputError(
            f"{len(material.pictures)} pictures are too few to tell whether an 8-bit model is "
            f"as good; give --images with {LEAST_PICTURES} at least, better hundreds."
        )
    graphs = read_graphs(spec)
    with _beside(folder) as work:
        bench = Bench(spec, work, material, threads, on_note, on_progress)
        for artifact in list(graphs):
            bench.shrink(artifact, graphs.pop(artifact))
        bench.write_description()
        _put(bench.model, folder, work)
    made = read_spec(folder / DESCRIPTION, source=str(folder))
    seconds = _seconds(spec, made, material, threads)
    towers = (
        _tower("image", (spec, made), bench.outcomes, seconds[0]),
        _tower("text", (spec, made), bench.outcomes, seconds[1]),
    )
    return Quantized(made, spec, folder, towers, bench.fidelity)


def check_target(spec: ModelSpec, folder: Path, *, replace_existing: bool) -> None:
    """Raise InputError unless a model can be made in an absolute folder."""
    if not os.path.lexists(folder):
        return
    if not replace_existing:
        raise InputError(
            f"{folder} is there already; give --force to make it anew, or another --out."
        )
    is_model = (folder / DESCRIPTION).is_file() or (folder.is_dir() and not any(folder.iterdir()))
    if not is_model or folder.is_symlink() or folder.resolve() == spec.folder:
        raise InputError(f"{folder} is no model that may be replaced; give another --out.")


def _tower(
    kind: str, models: tuple[ModelSpec, ModelSpec], outcomes: dict[str, Outcome], seconds: Pair
) -> QuantizedTower:
    towers: list[Tower] = [spec.image if kind == "image" else spec.text for spec in models]
    places = [
        require(spec, tower.artifact, verify=False)[0]
        for spec, tower in zip(models, towers, strict=True)
    ]
    outcome = outcomes[towers[1].artifact.file]
    return QuantizedTower(
        kind,
        outcome.recipe.name if outcome.recipe else None,
        outcome.layers,
        outcome.float_layers,
        (places[0].stat().st_size, places[1].stat().st_size),
        seconds,
    )


def _seconds(
    before: ModelSpec, after: ModelSpec, material: Material, threads: int
) -> tuple[Pair, Pair]:
    """Return the median seconds for a picture and for a text, runs of both models taking turns."""
    encoders = [load_encoder(spec, threads=threads) for spec in (before, after)]
    pictures, texts = material.pictures[:BATCH], list(material.texts)[:BATCH]
    runs: list[list[float]] = [[] for _ in range(4)]
    for _ in range(_RUNS + 1):
        for number, encoder in enumerate(encoders):
            started = time.perf_counter()
            encoder.encode_images(pictures)
            between = time.perf_counter()
            for text in texts:
                encoder.encode_texts([text])
            runs[number].append((between - started) / len(pictures))
            runs[2 + number].append((time.perf_counter() - between) / len(texts))
    # The first run opens the files.
    medians = [statistics.median(each[1:]) for each in runs]
    return (medians[0], medians[1]), (medians[2], medians[3])


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """Give a hidden folder beside one that is to be made, for as long as that takes.

    Raises InputError where that cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as work:
            yield Path(work)
    except OSError as error:
        raise InputError(
            f"{folder} cannot be written: {error.strerror or error}; give another --out."
        ) from error


def _put(made: Path, folder: Path, work: Path) -> None:
    """Move a finished folder to its place, and what is there out of it."""
    old = work / "old"
    if os.path.lexists(folder):
        folder.replace(old)
    try:
        made.replace(folder)
    except OSError:
        if old.exists():
            old.replace(folder)
        raise
