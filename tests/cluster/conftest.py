"""Real Ray clusters of several nodes on this machine, each in processes of its own."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from visionquery.store.base import Scope
from visionquery.store.local import open_local

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def environment() -> dict[str, str]:
    return os.environ | {
        "PYTHONPATH": str(ROOT / "src"),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_CLIENT_RECONNECT_GRACE_PERIOD": "2",
        "HF_HUB_OFFLINE": "1",
    }


def free_port() -> int:
    """A port that neither Ray's workers (10002 to 19999) and its servers for clients (23000 to
    23999) nor the system's own (32768 and above) come to have."""
    for port in range(25000 + os.getpid() % 2000, 32000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise AssertionError("no port is free")


class Nodes:
    """A cluster at an address, of whose nodes one can be killed."""

    def __init__(self, count: int, *, gpus: int = 0) -> None:
        port = free_port()
        self.address = f"ray://127.0.0.1:{port}"
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "nodes.py"), str(count), str(port), str(gpus)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, env=environment(),
        )  # fmt: skip
        assert self._said() == "ready"

    def kill_one(self) -> None:
        self._tell("kill")

    def add_one(self) -> None:
        self._tell("add")

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()

    def _tell(self, what: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        assert self._said() == "done"

    def _said(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@pytest.fixture(scope="session")
def nodes() -> Iterator[Nodes]:
    """A cluster of three nodes of one core each."""
    pytest.importorskip("pyarrow")
    running = Nodes(3)
    yield running
    running.close()


@pytest.fixture(scope="session")
def start_nodes() -> type[Nodes]:
    """What starts a cluster of one's own."""
    return Nodes


@dataclass(frozen=True)
class Held:
    """What a library has: files with what became of them, and images with vector and facts."""

    files: dict[str, Any]
    images: dict[str, Any]

    def assert_same(self, other: "Held") -> None:
        assert self.files == other.files
        assert self.images.keys() == other.images.keys()
        for image_id, (vector, facts) in self.images.items():
            np.testing.assert_allclose(vector, other.images[image_id][0], atol=1e-5)
            assert facts == other.images[image_id][1]


@pytest.fixture(scope="session")
def held() -> Callable[[Path], Held]:
    """What tells what a library on disk has."""

    def look(place: Path) -> Held:
        store = open_local(place)
        files = {
            (root.location, path): (file.image_id, file.problem, file.fragments)
            for root in store.roots()
            for path, file in store.files(Scope(root.root_id)).items()
        }
        rows = np.flatnonzero(store.alive()).tolist()
        records, vectors = store.records(rows), store.vectors(rows)
        store.close()
        assert len({record.image_id for record in records}) == len(rows)
        named = zip(records, vectors, strict=True)
        return Held(files, {each.image_id: (vector, each.facts) for each, vector in named})

    return look


class Slowly:
    """An indexing run with a slow encoder, as a process, that can be watched."""

    def __init__(self, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "slowly.py"), *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
        )  # fmt: skip

    def wait_for(self, done: int) -> None:
        """Wait until so many files are done."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("done") and int(line.split()[1]) >= done:
                return
        raise AssertionError(self.process.communicate()[1])

    def end(self) -> dict[str, Any]:
        """Wait for the end, which is quiet, and return the report or the error."""
        out, err = self.process.communicate(timeout=120)
        assert err == ""
        return json.loads(out.splitlines()[-1])


@pytest.fixture(scope="session")
def slowly() -> type[Slowly]:
    """What starts an indexing run with a slow encoder."""
    return Slowly
