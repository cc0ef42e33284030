"""How near indexing comes to the speed of its encoder, beside a plain loop and rclip.

    python -m benchmarks.indexing [MODEL …] [--rclip-python PATH] [--cores N] [--rounds N]
        [--kinds NAME …]

MODEL is a catalog name, a folder, or `vit-b-32` (a tower of that shape with random weights, made
here); default: pocket. All ways take turns in each round, and medians of the rounds are printed, as
images per second:

- bare: the same pictures decoded and prepared before, encoded in batches by all cores; the faster
  of one batch a core and of one batch at a time on all of them.
- floor: all that must be computed, as fast as all cores compute it: the seconds of decoding alone
  on every core and those of encoding alone on every core, added up. No order of the work can be
  faster where both need the same cores; what it leaves out is what a better order could win.
- ours: a new library on disk, from looking at the folder until everything is durable. The image
  tower is open already, as it is for all the others, and the processes that decode are started:
  `benchmarks.apart` tells what that takes.
- loop 1, loop 16: Pillow and onnxruntime as one would write them down: open, convert, resize, run.
- rclip: rclip 3.3 in a process of its own, by its own pipeline, on the same ONNX file. Its python
  is named by --rclip-python (a virtual environment with `pip install rclip==3.3.0`).
- slow disk: ours, but every read of a file sleeps for 50 ms first (wrapped here, not in a disk).

`peak` is the most memory that a process of its own held while it indexed the folder, beside what it
may hold: what it held before, the bounds of `visionquery.indexing.bounds`, the opened tower, and
what the processes that decode may hold.

Targets: 0.9 of bare and of floor, 1.3 × rclip on 12 MP and never below it on anything, 0.9 of the
speed without sleep, memory within the bound. clip-retrieval 2.45 is not among them: it
takes models by name from hubs, not a file that is given, and installs PyTorch with CUDA.
"""

import argparse
import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np
import onnxruntime
from benchmarks.indexing_pictures import KINDS, Kind, make
from benchmarks.quality.verdicts import finish, target
from numpy.typing import NDArray
from PIL import Image

from visionquery.images import content, workers
from visionquery.images.decode import decode
from visionquery.images.limits import Limits
from visionquery.images.workers import most_bytes
from visionquery.indexing.bounds import bounds_for, machine_memory_bytes
from visionquery.indexing.places import add_roots, named_scopes
from visionquery.indexing.run import index
from visionquery.indexing.taking import here
from visionquery.models.catalog import resolve
from visionquery.models.encoder import Encoder, ImageTower, OnnxEncoder, load_encoder
from visionquery.models.spec import ModelSpec
from visionquery.models.weights import require
from visionquery.store.local import create_local

SLEEP_SECONDS = 0.05
ENCODE_SECONDS = 2.5


@dataclass(frozen=True, slots=True)
class Subject:
    """A model to measure, and a child that indexes with rclip, None where it is not there."""

    spec: ModelSpec
    encoder: Encoder
    tower: ImageTower
    plain: onnxruntime.InferenceSession
    cores: int
    rclip: subprocess.Popen[str] | None


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def index_into(folder: Path, encoder: Encoder, place: Path, threads: int) -> None:
    """Index a folder into a new library on disk."""
    store = create_local(place, encoder.identity)
    with store.writing():
        add_roots(store, [folder])
        report = index(
            store, named_scopes(store, [folder]), on_progress=lambda _: None,
            take_up=here(store, encoder, limits=Limits(), threads=threads),
        )  # fmt: skip
    store.close()
    assert report.added == len(list(folder.iterdir())), report.skipped


def ours(folder: Path, subject: Subject) -> None:
    with (
        tempfile.TemporaryDirectory() as place,
        patch.object(OnnxEncoder, "image_tower", lambda _: subject.tower),
    ):
        index_into(folder, subject.encoder, Path(place) / "library", subject.cores)


def with_slow_disk(folder: Path, subject: Subject) -> None:
    true_read = content.read

    def slow_read(path: Path, *, limits: Limits) -> bytes:
        time.sleep(SLEEP_SECONDS)
        return true_read(path, limits=limits)

    with patch.object(content, "read", slow_read):
        ours(folder, subject)


def decoded(files: list[Path], subject: Subject) -> list[NDArray[np.float32]]:
    """Read, hash, decode and prepare pictures on all cores, and do nothing else."""
    encoder = subject.encoder

    def one(file: Path) -> NDArray[np.float32]:
        data = content.read(file)
        content.image_id(data)
        return encoder.prepare(decode(data, min_side=2 * encoder.image_side))

    with ThreadPoolExecutor(subject.cores) as pool:
        return list(pool.map(one, files))


def bare(prepared: list[NDArray[np.float32]], subject: Subject) -> float:
    """Return the seconds of encoding alone, in the faster of two ways."""
    small = [np.stack(prepared[start : start + 4]) for start in range(0, len(prepared), 4)]
    large = [np.stack(prepared[start : start + 16]) for start in range(0, len(prepared), 16)]
    with ThreadPoolExecutor(subject.cores) as pool:
        by_core = seconds(lambda: list(pool.map(subject.tower.encode, small)))
    together = seconds(lambda: [subject.encoder.encode_images(batch) for batch in large])
    return min(by_core, together)


def loop(files: list[Path], subject: Subject, batch: int) -> None:
    """Index as one would write it down first."""
    side, tower = subject.encoder.image_side, subject.spec.image
    waiting: list[NDArray[np.float32]] = []
    for number, file in enumerate(files, 1):
        picture = Image.open(file).convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
        waiting.append((np.asarray(picture, np.float32) / 127.5 - 1).transpose(2, 0, 1))
        if len(waiting) == batch or number == len(files):
            subject.plain.run([tower.output], {tower.inputs[0]: np.stack(waiting)})
            waiting = []


def rclip_seconds(folder: Path, child: subprocess.Popen[str]) -> float:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(f"{folder}\n")
    child.stdin.flush()
    return float(child.stdout.readline())


def start_decoders(files: list[Path], subject: Subject) -> None:
    """Have as many decoding processes as there are cores, each of which has decoded a picture."""
    together = threading.Barrier(subject.cores)

    def start(file: Path) -> None:
        together.wait()
        workers.decode(content.load(file, limits=Limits()), min_side=2 * subject.encoder.image_side)

    with ThreadPoolExecutor(subject.cores) as pool:
        list(pool.map(start, files[: subject.cores]))


def one_round(files: list[Path], subject: Subject) -> dict[str, float]:
    """Return the seconds of every way."""
    folder = files[0].parent
    prepared: list[NDArray[np.float32]] = []
    taken = {"decode": seconds(lambda: prepared.extend(decoded(files, subject)))}
    start_decoders(files, subject)
    taken["ours"] = seconds(lambda: ours(folder, subject))
    taken["bare"] = bare(prepared, subject)
    if subject.rclip is not None:
        taken["rclip"] = rclip_seconds(folder, subject.rclip)
    start_decoders(files, subject)
    taken["slow disk"] = seconds(lambda: with_slow_disk(folder, subject))
    taken["loop 1"] = seconds(lambda: loop(files, subject, 1))
    taken["loop 16"] = seconds(lambda: loop(files, subject, 16))
    return taken


def some_of(files: list[Path], subject: Subject, folder: Path) -> list[Path]:
    """Link as many files into a folder as the encoder takes some seconds for, a dozen at least."""
    side = subject.encoder.image_side
    batch = np.zeros((4, 3, side, side), np.float32)
    subject.tower.encode(batch)
    a_picture = seconds(lambda: subject.tower.encode(batch)) / len(batch) / subject.cores
    some = files[: max(12, int(ENCODE_SECONDS / a_picture))]
    for file in some:
        (folder / file.name).hardlink_to(file)
    return sorted(folder.iterdir())


def peak_bytes(folder: Path, model: str, cores: int) -> tuple[int, int]:
    """Return what a process of its own held at most, and before it began to index."""
    command = [sys.executable, "-m", "benchmarks.indexing", model, "--held-for", str(folder),
               "--cores", str(cores)]  # fmt: skip
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return int(answer[0]), int(answer[1])


def most_held_bytes() -> int:
    """Return the most memory that this process and each of its children ever held, added up.
    (`ru_maxrss` begins with that of the process that started it.)"""
    tasks = Path("/proc/self/task").glob("*/children")
    children = [number for task in tasks for number in task.read_text("ascii").split()]
    total = 0
    for process in ("self", *children):
        status = Path(f"/proc/{process}/status").read_text("ascii")
        (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
        total += int(line.split()[1]) * 1024
    return total


def print_held(folder: Path, model: str, cores: int) -> None:
    """Index a folder and print the most memory held, and what was held before, in bytes."""
    encoder = load_encoder(resolve(model))
    encoder.image_tower()  # opened and gone again: what it leaves behind is not of the pictures
    before = most_held_bytes()
    with tempfile.TemporaryDirectory() as place:
        index_into(folder, encoder, Path(place) / "library", cores)
    print(most_held_bytes(), before)


def measure(kind: Kind, files: list[Path], subject: Subject, name: str, rounds: int) -> None:
    """Print the row of a kind and its targets."""
    runs = [one_round(files, subject) for _ in range(rounds)]

    def speed(way: str) -> str:
        return f"{len(files) / statistics.median(run[way] for run in runs):.1f}"

    def ratio(of: Callable[[dict[str, float]], float]) -> float:
        return statistics.median(of(run) for run in runs)

    floor = len(files) / ratio(lambda run: run["decode"] + run["bare"])
    cells = [kind.name, *(speed(way) for way in ("bare", "decode")), f"{floor:.1f}", speed("ours")]
    to_bare = ratio(lambda run: run["bare"] / run["ours"])
    to_floor = ratio(lambda run: (run["decode"] + run["bare"]) / run["ours"])
    cells += [f"{to_bare:.2f}", f"{to_floor:.2f}", speed("loop 1"), speed("loop 16")]
    cells += [speed("rclip") if subject.rclip else "–", speed("slow disk")]
    peak, before = peak_bytes(files[0].parent, name, subject.cores)
    bounds = bounds_for(machine_memory_bytes())
    bound = before + bounds.files + 2 * bounds.rasters + bounds.prepared + bounds.computed
    bound += most_bytes(subject.cores)
    print(f"| {' | '.join(cells)} | {peak / 2**20:.0f} / {bound / 2**20:.0f} MiB |", flush=True)
    target(f"{kind.name}, of the bare encoder", to_bare, lambda value: value >= 0.9, ">= 0.9")
    target(f"{kind.name}, of the floor", to_floor, lambda value: value >= 0.9, ">= 0.9")
    slow = ratio(lambda run: run["ours"] / run["slow disk"])
    target(f"{kind.name}, reads sleep", slow, lambda value: value >= 0.9, ">= 0.9")
    target(f"{kind.name}, memory", peak / bound, lambda value: value <= 1, "<= 1")
    if subject.rclip is not None:
        least = 1.3 if kind.name.startswith("12") else 1.0
        faster = ratio(lambda run: run["rclip"] / run["ours"])
        target(f"{kind.name}, × rclip", faster, lambda value: value >= least, f">= {least}")


@contextmanager
def rclip_child(python: Path | None, subject_file: Path, side: int, spec: ModelSpec,
                ) -> Iterator[subprocess.Popen[str] | None]:
    """Start rclip with an encoder; say so where it is not there."""
    if python is None or not python.is_file():
        print("rclip is left out: name a python that has it by --rclip-python.")
        yield None
        return
    script = Path(__file__).with_name("indexing_rclip.py")
    command = [str(python), str(script), str(subject_file), str(side), spec.image.inputs[0],
               spec.image.output]  # fmt: skip
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as it:
        yield it
        assert it.stdin is not None
        it.stdin.close()


def vit_folder(folder: Path) -> Path:
    """Make a model folder whose image tower has the shape of ViT-B/32, in float32. Its words are
    pocket's, which nothing here asks."""
    from benchmarks.image_tower import large_tower

    pocket = Path(decode.__file__).parents[1] / "models" / "pocket"
    shutil.copytree(pocket, folder)
    large_tower(folder)
    old = hashlib.sha256((folder / "image.onnx").read_bytes()).hexdigest()
    (folder / "fp32.onnx").replace(folder / "image.onnx")
    new = hashlib.sha256((folder / "image.onnx").read_bytes()).hexdigest()
    session = onnxruntime.InferenceSession(str(folder / "image.onnx"))
    text = (folder / "model.toml").read_text("utf-8").replace(old, new)
    output = session.get_outputs()[0].name
    for before, after in (
        ('name = "pocket"', 'name = "vit-b-32"'), ("embed_dim = 256", "embed_dim = 512"),
        ('"image_embeds"', f'"{output}"'), ("size = 128", "size = 224"),
        ("normalized = true", "normalized = false"),
    ):  # fmt: skip
        text = text.replace(before, after)
    (folder / "model.toml").write_text(text, "utf-8")
    return folder


def measure_model(name: str, folders: dict[Kind, list[Path]], wanted: argparse.Namespace) -> None:
    """Print the table of a model."""
    spec = resolve(name)
    encoder = load_encoder(spec, threads=wanted.cores)
    (file,) = require(spec, spec.image.artifact, verify=False)
    with rclip_child(wanted.rclip_python, file, encoder.image_side, spec) as child:
        print(f"\n{spec.name}, {wanted.cores} cores; images/s")
        print("| pictures | bare | decode | floor | ours | of bare | of floor | loop 1 | loop 16 "
              "| rclip | slow disk | peak |")  # fmt: skip
        print("|---" * 12 + "|")
        plain = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        subject = Subject(spec, encoder, encoder.image_tower(), plain, wanted.cores, child)
        for kind, files in folders.items():
            with tempfile.TemporaryDirectory(dir=files[0].parent.parent) as place:
                fewer = some_of(files, subject, Path(place))
                measure(kind, fewer, subject, name, wanted.rounds)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=["pocket"])
    parser.add_argument("--rclip-python", type=Path)
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=3)
    names = [kind.name for kind in KINDS]
    parser.add_argument("--kinds", nargs="+", choices=names, default=names)
    parser.add_argument("--held-for", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Make the pictures, measure each model, and exit with 1 when a target was missed."""
    wanted = arguments()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: wanted.cores])
    if wanted.held_for is not None:
        print_held(wanted.held_for, wanted.models[0], wanted.cores)
        return
    with tempfile.TemporaryDirectory() as place:
        folders = {kind: make(kind, Path(place) / kind.name) for kind in KINDS
                   if kind.name in wanted.kinds}
        for name in wanted.models:
            made = vit_folder(Path(place) / name) if name == "vit-b-32" else name
            measure_model(str(made), folders, wanted)
    finish()


if __name__ == "__main__":
    main()
