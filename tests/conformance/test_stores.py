"""Every store means the same: the public checks, and random histories on two at once."""

import itertools
import os
from pathlib import Path

import pytest
from tests.conformance.histories import MODEL, live_alike
from tests.engines import Postgres

from visionquery.store import codes, pruning
from visionquery.store.local import create_local
from visionquery.store.memory import MemoryStore
from visionquery.store.postgres import create_store
from visionquery.store.vectors import Segments
from visionquery.testing.store_checks import STORE_CHECKS, Check, MakeStore


@pytest.fixture
def coded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let libraries on disk have codes of a few rows, where others need thousands, and take down
    few images to be pruned."""
    monkeypatch.setattr(codes, "_ROWS_PER_STEP", 4)
    monkeypatch.setattr(pruning, "_MOST", 3)
    monkeypatch.setitem(Segments.__init__.__kwdefaults__, "rows_per_segment", 8)


@pytest.fixture(params=["local", "coded", "memory", "postgres"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> MakeStore:
    """Return how to make a new, empty store."""
    if request.param == "memory":
        return MemoryStore
    if request.param == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        return lambda model: create_store(server.address(), model)
    if request.param == "coded":
        request.getfixturevalue("coded")
    number = itertools.count()
    return lambda model: create_local(tmp_path / f"library-{next(number)}", model)


@pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: str(check.__name__))
def test_store_passes(check: Check, make_store: MakeStore) -> None:
    check(make_store)


@pytest.mark.skipif(os.name == "nt", reason="the places of this test are POSIX ones")
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.usefixtures("coded")
def test_local_answers_as_memory_after_any_history(seed: int, tmp_path: Path) -> None:
    store = create_local(tmp_path / "library", MODEL)
    live_alike(store, seed)
    store.close()


@pytest.mark.parametrize("seed", range(2))
def test_postgres_answers_as_memory_after_any_history(seed: int, postgres: Postgres) -> None:
    store = create_store(postgres.address(), MODEL)
    live_alike(store, seed, looks=6)
    store.close()
