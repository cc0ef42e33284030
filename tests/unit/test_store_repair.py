"""Whatever is damaged, and whenever a repair is killed, the library comes back."""


import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.figures import record
from tests.unit.store_damage import (
    content,
    flip,
    index,
    look,
    make,
    mend,
    sql,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("whole") / "library")


def break_somewhere(folder: Path, seed: int) -> str:
    """Damage one file of a library in one of many ways."""
    chance = random.Random(seed)
    path = chance.choice(sorted(p for p in folder.rglob("*") if p.is_file() and p.stat().st_size))
    data = bytearray(path.read_bytes())
    place, kind = chance.randrange(len(data)), chance.choice(["bit", "run", "page", "cut"])
    if kind == "bit":
        data[place] ^= 1 << chance.randrange(8)
    elif kind == "run":
        length = min(chance.randrange(1, 200), len(data) - place)
        data[place : place + length] = chance.randbytes(length)
    elif kind == "page":
        start = place - place % 4096
        length = min(4096, len(data) - start)
        data[start : start + length] = chance.choice([bytes(length), chance.randbytes(length)])
    else:
        del data[place:]
    path.write_bytes(data)
    return f"{path.name} {kind} at {place}"


@pytest.mark.parametrize(
    "seeds",
    [pytest.param(range(24), id="short"),
     pytest.param(range(1000, 2500), id="long", marks=pytest.mark.slow)],
)  # fmt: skip
def test_whatever_is_damaged_the_library_comes_back(made: Path, tmp_path: Path, seeds: range) -> None:  # noqa: E501
    expected = content(made)
    for seed in seeds:
        library = shutil.copytree(made, tmp_path / "library")
        what = f"seed {seed}: {break_somewhere(library, seed)}"
        found = mend(library)
        assert found.is_whole, (what, found.after)
        assert look(library).is_whole, what
        index(library)
        assert content(library) == expected, what
        shutil.rmtree(library)
    record("damaged files", tried=len(seeds), repaired=len(seeds))


REPAIR = """
import sys
from pathlib import Path
from visionquery.doctor import examine
print("go", flush=True)
examine(Path(sys.argv[1]), mend=True, on_progress=lambda *_: None)
print("done", flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
@pytest.mark.parametrize("kind", ["in place", "anew"])
def test_a_killed_repair_leaves_what_was_or_what_is_repaired(made: Path, tmp_path: Path, kind: str) -> None:  # noqa: E501
    chance = random.Random(4)
    for trial in range(3):
        library = shutil.copytree(made, tmp_path / str(trial))
        if kind == "in place":
            flip(library / "vectors-1" / "000000.f32", 700)
        else:
            sql(library, "UPDATE sqlite_schema SET rootpage = 3 WHERE name = 'files_by_row'")
        process = subprocess.Popen(
            [sys.executable, "-c", REPAIR, str(library)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.uniform(0, 0.12))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        left = look(library)
        assert left.is_whole or left.lost or left.unreadable, left
        assert mend(library).is_whole
        index(library)
        assert content(library) == content(made)
    record("killed repairs", kills=3, lost=0)
