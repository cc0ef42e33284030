"""What a library of real photographs costs over its life, in images encoded; floor: the new ones.

    python benchmarks/life_of_a_library.py --model DIR --images DIR [--kills 5]

Copies the photographs to a temporary folder, indexes them, runs again, renames a folder, adds
ten, deletes five, and kills indexing runs at random moments before letting one finish, beside a
library that was never disturbed. Each line: what happened, encoded, expected.
"""

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from visionquery.store.base import Scope
from visionquery.store.local import open_local

ADDED, DELETED = 10, 5


def command(pictures: Path, library: Path, model: Path) -> list[str]:
    return [sys.executable, "-m", "visionquery", "index", str(pictures), "--library", str(library),
            "--model", str(model), "--json", "--quiet"]


def index(pictures: Path, library: Path, model: Path) -> dict[str, int]:
    """Run to the end and return the report."""
    ran = subprocess.run(command(pictures, library, model), capture_output=True, check=True)
    report: dict[str, int] = json.loads(ran.stdout)
    return report


def show(what: str, report: dict[str, int], expected: int) -> None:
    encoded = report["added"] + report["updated"]
    verdict = "as expected" if encoded == expected else "NOT AS EXPECTED"
    print(f"{what:34} encoded {encoded:5}  floor {expected:5}  removed {report['removed']:3}  "
          f"images {report['images']:5}  {report['seconds']:6.1f} s  {verdict}", flush=True)


def kill(pictures: Path, library: Path, model: Path, times: int) -> None:
    """Start runs and kill each at a random moment after it has begun to write."""
    rng = random.Random(1)
    for _ in range(times):
        process = subprocess.Popen(command(pictures, library, model), stdout=subprocess.DEVNULL)
        before = stored_bytes(library)
        while process.poll() is None and stored_bytes(library) == before:
            time.sleep(0.005)
        time.sleep(rng.random())
        process.send_signal(signal.SIGKILL)
        process.wait()


def stored_bytes(library: Path) -> int:
    return sum(segment.stat().st_size for segment in library.glob("vectors-*/*"))


def content(library: Path) -> dict[str, np.ndarray]:
    """Every file's vector."""
    store = open_local(library)
    files = store.files(Scope(store.roots()[0].root_id)).values()
    rows = {file.path: store.find(file.image_id)[0] for file in files if file.image_id}
    vectors = store.vectors(list(rows.values()))
    store.close()
    return dict(zip(rows, vectors, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder, calm, killed = (Path(temporary) / n for n in ("photos", "calm", "killed"))
        photographs = sorted(path for path in options.images.iterdir() if path.is_file())
        kept, later = photographs[:-ADDED], photographs[-ADDED:]
        (folder / "one").mkdir(parents=True)
        for path in kept:
            shutil.copy(path, folder / "one")
        show("first run", index(folder, calm, options.model), len(kept))
        show("again", index(folder, calm, options.model), 0)
        (folder / "one").rename(folder / "two")
        show("folder renamed", index(folder, calm, options.model), 0)
        for path in later:
            shutil.copy(path, folder)
        show(f"{ADDED} added", index(folder, calm, options.model), ADDED)
        for path in kept[:DELETED]:
            (folder / "two" / path.name).unlink()
        show(f"{DELETED} deleted", index(folder, calm, options.model), 0)
        kill(folder, killed, options.model, options.kills)
        left = len(photographs) - DELETED - len(content(killed))
        report = index(folder, killed, options.model)
        show(f"finished after {options.kills} × kill -9", report, left)
        ours, theirs = content(killed), content(calm)
        assert set(ours) == set(theirs)
        difference = max(float(np.abs(ours[path] - theirs[path]).max()) for path in theirs)
        print(f"largest difference of a vector to the undisturbed library: {difference:.1e}")


if __name__ == "__main__":
    main()
