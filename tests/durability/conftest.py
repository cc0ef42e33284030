"""What tests of durability stand on: their own modules, and writers above files that fail."""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

# The tests' modules import each other, and a writer in another process imports them too.
sys.path.insert(0, str(Path(__file__).parents[1]))


@pytest.fixture(scope="session")
def writers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """Writers of scenarios above files that can fail; see `faulty.Writers`."""
    from durability.faulty import Writers, build

    workplace = tmp_path_factory.mktemp("faults")
    with Writers(build(workplace), workplace) as running:
        yield running


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where there is such: what is tested is what would be on a disk, and in
    which order, and not how long a disk takes."""
    memory = Path("/dev/shm")
    place = memory if memory.is_dir() and os.access(memory, os.W_OK) else tmp_path
    with tempfile.TemporaryDirectory(dir=place, prefix="visionquery-") as folder:
        yield Path(folder)
