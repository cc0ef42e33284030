"""What 8 bits gain and cost: speed, fidelity and hit rates of models before and after.

    python -m benchmarks.quantizing

A tower of the shape of ViT-B/32 with random weights tells the speed; floor: as fast, aim: 1.3
times. The real encoder `lit-tiny` tells what happens to vectors and to hit_rate@10 on the 1,000
development photographs of Flickr8k; it may lose half a point. Medians of interleaved runs.
"""

import logging
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from benchmarks.image_tower import SIDE, large_tower
from benchmarks.quality.photos import LIT_TINY, SHARED
from benchmarks.quality.verdicts import finish, target
from numpy.typing import NDArray

from visionquery.evaluation import evaluate, read_captions
from visionquery.images import content
from visionquery.images.decode import decode
from visionquery.models.catalog import resolve
from visionquery.models.encoder import load_encoder
from visionquery.models.fidelity import LEAST_COSINE, LEAST_OVERLAP, Fidelity, Vectors, compare
from visionquery.models.int8_graph import read_graph, write_int8
from visionquery.models.int8_model import BATCH, Material
from visionquery.models.quantize import Quantized, quantize
from visionquery.models.session import Session, open_session
from visionquery.models.spec import ModelSpec

RUNS = 9
CORES = os.cpu_count() or 1
PICTURES = 256
CAPTIONS = SHARED / "data/flickr8k-dev/captions.jsonl"
BACKGROUND = Path(__file__).parents[1] / "src/visionquery/search/background.txt"
LOSS = 0.005
"""Of hit_rate@10, as a fraction: what the training's own gate allows."""

Floats = NDArray[np.float32]


def photographs() -> Floats | None:
    """Return development photographs as lit-tiny takes them, (n, 3, 224, 224), where they are."""
    if not CAPTIONS.is_file() or not Path(LIT_TINY).is_dir():
        print("  skipped on photographs: lit-tiny or flickr8k-dev is not in ../shared")
        return None
    encoder = load_encoder(resolve(LIT_TINY))
    entries = read_captions(CAPTIONS)
    chosen = entries[:: len(entries) // PICTURES][:PICTURES]
    return np.stack(
        [encoder.prepare(decode(content.read(e.path), min_side=2 * SIDE)) for e in chosen]
    )


def vectors(session: Session, pictures: Floats, batch: int) -> Floats:
    """Return unit rows of pictures that go through `batch` at a time."""
    ((name, _),), ((output, _),) = session.inputs.items(), session.outputs.items()
    rows = np.concatenate(
        [
            session.run({name: pictures[start : start + batch]}, output)
            for start in range(0, len(pictures), batch)
        ]
    )
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def side_by_side(sessions: Sequence[Session], pictures: Floats, batch: int) -> None:
    """Let every session encode all pictures at the same time, as when a library is filled."""
    with ThreadPoolExecutor(len(sessions)) as pool:
        list(pool.map(lambda session: vectors(session, pictures, batch), sessions))


def medians(works: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return the median seconds of works that take turns."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(RUNS + 1):
        for name, work in works.items():
            started = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(each[1:]) for name, each in seconds.items()}


def large(pictures: Floats | None) -> None:
    """Measure the tower of the shape of ViT-B/32."""
    print("A tower of the shape of ViT-B/32, random weights")
    some = np.zeros((BATCH, 3, SIDE, SIDE), np.float32) if pictures is None else pictures[:BATCH]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        large_tower(work)
        before, after = work / "fp32.onnx", work / "ours.onnx"
        write_int8(read_graph(before), after, keep=(), work=work)
        sizes = [file.stat().st_size / 1e6 for file in (before, after)]
        exact, small = open_session(before), open_session(after)
        exacts, smalls = ([open_session(file, threads=1) for _ in range(CORES)]
                          for file in (before, after))
        took = medians(
            {
                "float32, 8 at once": lambda: vectors(exact, some, BATCH),
                "int8, 8 at once": lambda: vectors(small, some, BATCH),
                "int8, one by one": lambda: vectors(small, some, 1),
                "float32, 8 on each core": lambda: side_by_side(exacts, some, BATCH),
                "int8, 1 on each core": lambda: side_by_side(smalls, some, 1),
            }
        )
        print(f"  {sizes[0]:.0f} MB, in 8 bits {sizes[1]:.0f} MB")
        for name, seconds in took.items():
            pictures_done = BATCH * (CORES if "core" in name else 1)
            print(f"  {name:24} {seconds / pictures_done * 1000:6.1f} ms a picture")
        # A batch shares its 8 bits, so that the program gives an int8 tower one picture at a time.
        for int8, float32 in (
            ("int8, one by one", "float32, 8 at once"),
            ("int8, 1 on each core", "float32, 8 on each core"),
        ):
            ratio = took[float32] / took[int8]
            target(f"{int8}, times as fast", ratio, lambda value: value >= 1.3, ">= 1.3")
        if pictures is not None:
            one, other = vectors(exact, pictures, BATCH), vectors(small, pictures, 1)
            figures(compare(Vectors(one, one[:1]), Vectors(other, other[:1])))


def figures(near: Fidelity) -> None:
    """Print how near vectors of pictures are, against what the gate wants."""
    print(f"  {near.pictures} photographs: least cosine {near.least_picture_cosine:.4f}")
    target("mean cosine", near.picture_cosine, lambda value: value >= LEAST_COSINE, ">= 0.99")
    target(
        f"same {near.nearest} nearest pictures",
        near.picture_overlap, lambda value: value >= LEAST_OVERLAP, ">= 0.9",
    )  # fmt: skip


def real(pictures: Floats) -> None:
    """Measure lit-tiny, as `visionquery models quantize` makes it."""
    print("lit-tiny")
    source = resolve(LIT_TINY)
    with tempfile.TemporaryDirectory() as folder:
        made = quantize(
            source,
            Path(folder) / "int8",
            material=Material(pictures, BACKGROUND.read_text("utf-8").splitlines()),
            on_note=lambda note: print(f"  refused: {note}"),
            on_progress=lambda *_: None,
        )
        towers(made)
        figures(made.fidelity)
        target(
            f"same {made.fidelity.nearest} best pictures for a caption",
            made.fidelity.text_overlap, lambda value: value >= LEAST_OVERLAP, ">= 0.9",
        )  # fmt: skip
        before, after = hit_rate(source), hit_rate(made.spec)
    print(f"  hit_rate@10 on 1,000 photographs: {before:.4f}, in 8 bits {after:.4f}")
    target("loss of hit_rate@10", before - after, lambda value: value <= LOSS, f"<= {LOSS}")


def towers(made: Quantized) -> None:
    """Print what became of both towers."""
    for tower in made.towers:
        (large, small), (slow, fast) = tower.size_bytes, tower.seconds
        print(
            f"  {tower.name:5} {large / 1e6:5.1f} MB -> {small / 1e6:5.1f} MB, "
            f"{slow * 1000:5.1f} ms -> {fast * 1000:5.1f} ms (x{slow / fast:.2f}), "
            f"{tower.recipe or 'as it was'}, {tower.float_layers} of {tower.layers} in float32"
        )


def hit_rate(spec: ModelSpec) -> float:
    """Return the share of captions whose photograph is among the first ten."""
    found = evaluate(
        read_captions(CAPTIONS),
        load_encoder(spec),
        threads=os.cpu_count() or 1,
        on_progress=lambda _: None,
    )
    return found.hit_rate[10]


def main() -> None:
    """Measure both and say whether the targets are met."""
    logging.disable(logging.WARNING)
    pictures = photographs()
    large(pictures)
    if pictures is not None:
        real(pictures)
    finish()


if __name__ == "__main__":
    main()
