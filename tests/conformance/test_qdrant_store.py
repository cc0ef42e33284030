"""The store in Qdrant means what every store means, after any history too."""

import itertools
import os
from collections.abc import Iterator
from contextlib import closing

import pytest
from tests.conformance.histories import MODEL, live_alike
from tests.conformance.qdrant_server import serving
from tests.conformance.qdrant_stores import SERVER, new_store

from visionquery.store.qd import lease
from visionquery.store.qdrant import create_store
from visionquery.testing.store_checks import STORE_CHECKS, Check


@pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: str(check.__name__))
def test_qdrant_store_passes(check: Check) -> None:
    check(new_store)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Return the address of a server."""
    with serving() as address:
        yield address


@pytest.mark.skipif(bool(SERVER), reason="the other checks ask a server")
@pytest.mark.parametrize(
    "check",
    [
        check if number % 4 == 0 else pytest.param(check, marks=pytest.mark.slow)
        for number, check in enumerate(STORE_CHECKS)
    ],
    ids=lambda check: str(check.__name__),
)
def test_it_passes_over_the_wire(
    check: Check, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "_SETTLES_SECONDS", 0.0)
    number = itertools.count()
    check(lambda model: create_store(f"{server}/{check.__name__}-{next(number)}", model))


@pytest.mark.skipif(os.name == "nt", reason="the places of this test are POSIX ones")
@pytest.mark.parametrize("seed", range(2))
def test_it_answers_as_memory_does_after_any_history(seed: int) -> None:
    with closing(new_store(MODEL)) as store:
        live_alike(store, seed, looks=12)
