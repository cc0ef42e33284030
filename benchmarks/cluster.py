"""Indexing on a Ray cluster of 1, 2 and 4 nodes of one core, on this machine, beside no cluster.

    python -m benchmarks.cluster [--pictures 600] [--sleep 0.02]

An encoder that sleeps for each picture shows what the cluster costs beside the work: its ideal is
workers / sleep pictures a second, as long as the cores of this machine can decode for all. The
tiny model, which costs next to nothing, shows decoding alone. `reached` is how long it takes until
the first picture is written, `rate` what comes after that. The last run loses a node in its middle.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from visionquery.testing.tiny_model import make_tiny_model

ROOT = Path(__file__).parents[1]
PROGRAMS = ROOT / "tests" / "cluster"
ENVIRONMENT = os.environ | {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": str(ROOT / "src")}


@dataclass(frozen=True)
class Given:
    """What all runs have in common."""

    pictures: Path
    count: int
    model: Path
    libraries: Path


class Nodes:
    """A cluster; `tell` has a node killed or added."""

    def __init__(self, count: int) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = 25000 + probe.getsockname()[1] % 7000
        self.address = f"ray://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [sys.executable, PROGRAMS / "nodes.py", str(count), str(port)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, env=ENVIRONMENT,
        )  # fmt: skip
        self._hear()

    def kill_one(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("kill\n")
        self.process.stdin.flush()
        self._hear()

    def _hear(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline()


@contextmanager
def cluster(count: int) -> Iterator[Nodes]:
    nodes = Nodes(count)
    try:
        yield nodes
    finally:
        assert nodes.process.stdin is not None
        nodes.process.stdin.close()
        nodes.process.wait(60)


def make_pictures(folder: Path, count: int) -> None:
    """Save photographs of noise, JPEG, 640 × 480."""
    folder.mkdir()
    for number in range(count):
        small = np.random.default_rng(number).integers(0, 256, (12, 16, 3), dtype=np.uint8)
        Image.fromarray(small).resize((640, 480)).save(folder / f"{number}.jpg", quality=85)


def run(name: str, on: str, sleep: float, given: Given, nodes: Nodes | None = None) -> None:
    """Index all pictures into a new library and print a line; with `nodes`, lose one midway."""
    library = given.libraries / f"{time.monotonic_ns()}"
    child = subprocess.Popen(
        [sys.executable, PROGRAMS / "slowly.py", on, library, given.model, given.pictures,
         str(sleep)],
        stdout=subprocess.PIPE, text=True, env=ENVIRONMENT,
    )  # fmt: skip
    assert child.stdout is not None
    written: list[tuple[int, float]] = []
    last = ""
    for line in child.stdout:
        last = line
        if line.startswith("done"):
            done, seconds = int(line.split()[1]), float(line.split()[2])
            if done:
                written.append((done, seconds))
            if nodes is not None and done > given.count / 3:
                nodes.kill_one()
                nodes = None
    child.wait()
    report = json.loads(last)
    if "error" in report:
        sys.exit(f"{name}: {report['sentence']}")
    (first, reached), (end, ended) = written[0], written[-1]
    rate = (end - first) / (ended - reached)
    lost = given.count - report["images"]
    print(
        f"{name:34} {reached:8.1f} s {ended:8.1f} s {rate:10.1f} /s   "
        f"lost {lost}, double {report['added'] - report['images']}, "
        f"writing {report['stages']['write']:.2f} s",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=600)
    parser.add_argument("--sleep", type=float, default=0.02)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        given = Given(
            Path(place) / "pictures", asked.pictures, make_tiny_model(Path(place) / "model"),
            Path(place),
        )  # fmt: skip
        make_pictures(given.pictures, given.count)
        print(f"{'':34} {'reached':>10} {'ended':>10} {'rate':>13}")
        encoders = ((f"sleeping {1000 * asked.sleep:.0f} ms", asked.sleep), ("tiny model", 0.0))
        for threads in (1, 2, 4):
            for what, sleep in encoders:
                run(f"{what}, here, {threads} threads", f"here:{threads}", sleep, given)
        for count in (1, 2, 4):
            with cluster(count) as nodes:
                for what, sleep in encoders:
                    run(f"{what}, {count} nodes", nodes.address, sleep, given)
        with cluster(4) as nodes:
            what, sleep = encoders[0]
            run(f"{what}, 4 nodes, one killed", nodes.address, sleep, given, nodes)


if __name__ == "__main__":
    main()
