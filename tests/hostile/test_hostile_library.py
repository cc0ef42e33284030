"""Every broken, lying and fuzzed file in one run: survived, explained, and within the bound."""

import json
import re
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.figures import record

from visionquery import Library
from visionquery.errors import ImageError
from visionquery.images import workers
from visionquery.images.content import load
from visionquery.images.limits import Limits
from visionquery.images.scan import is_wanted
from visionquery.indexing.bounds import bounds_for, machine_memory_bytes

HOSTILE = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "hostile"

pytestmark = pytest.mark.skipif(
    not (HOSTILE / "manifest.jsonl").is_file(), reason="../shared/data/hostile is not here"
)

THREADS = 2
MIB = 2**20


class Memory:
    """The most memory of this process and its children together, while a block runs, beyond what
    this process had before."""

    def __init__(self) -> None:
        self.peak_bytes = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._before = psutil.Process().memory_info().rss

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.01):
            taken = psutil.Process().memory_info().rss - self._before
            for child in psutil.Process().children():
                try:
                    taken += child.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            self.peak_bytes = max(self.peak_bytes, taken)


def manifest() -> list[dict[str, Any]]:
    lines = (HOSTILE / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def most_bytes() -> int:
    """Return the bound that docs/explanation/reliability.md states for a run."""
    bounds = bounds_for(machine_memory_bytes())
    in_flight = bounds.files + bounds.prepared + bounds.computed
    return in_flight + 2 * bounds.rasters + workers.most_bytes(THREADS)


def test_a_library_of_them_is_made_and_every_file_is_accounted_for(tmp_path: Path) -> None:
    entries = manifest()
    names = {entry["file"] for entry in entries}
    with (
        Library.open(tmp_path / "library", model="pocket", create=True, threads=THREADS) as library,
        Memory() as memory,
    ):
        library.warm_up()
        report = library.add(HOSTILE)
        skipped = {str(Path(item.path).relative_to(HOSTILE)): item.reason
                   for item in report.skipped}  # fmt: skip
        seen = {
            str(Path(path).relative_to(HOSTILE))
            for hit in library.search("width:>0", limit=5000, min_confidence=0.0)
            for path in hit.paths
        }
        again = library.add(HOSTILE)
    candidates = {name for name in names if is_wanted(str(HOSTILE / name))}
    assert candidates - seen - skipped.keys() == set()
    assert all(reason and "\n" not in reason and len(reason) < 300 for reason in skipped.values())
    usable = {entry["file"] for entry in entries if entry["status"] == "ok"}
    assert (usable & candidates) - seen == set()
    assert (again.encoded, again.reused, again.images) == (0, 0, report.images)
    assert memory.peak_bytes < most_bytes()
    kinds = Counter(name.split("/")[0] for name in candidates)
    record("hostile files", tried=len(candidates), indexed=len(seen & candidates),
           skipped=len(skipped), lost=0, peak_mib=round(memory.peak_bytes / MIB),
           bound_mib=round(most_bytes() / MIB), **dict(sorted(kinds.items())))  # fmt: skip


@pytest.mark.slow
def test_as_a_query_each_is_taken_or_refused_in_a_sentence() -> None:
    taken = refused = 0
    for entry in manifest():
        try:
            workers.decode(load(HOSTILE / entry["file"], limits=Limits()), min_side=448)
            taken += 1
        except ImageError as error:
            refused += re.fullmatch("[^\n]{10,300}", str(error)) is not None
    assert taken + refused == len(manifest())
    record("hostile queries", tried=taken + refused, taken=taken, refused=refused)
