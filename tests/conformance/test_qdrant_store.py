"""The store in Qdrant means what every store means, after any history too."""

import os
from contextlib import closing

import pytest
from tests.conformance.histories import MODEL, live_alike
from tests.conformance.qdrant_stores import new_store

from visionquery.testing.store_checks import STORE_CHECKS, Check


@pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: str(check.__name__))
def test_qdrant_store_passes(check: Check) -> None:
    check(new_store)


@pytest.mark.skipif(os.name == "nt", reason="the places of this test are POSIX ones")
@pytest.mark.parametrize("seed", range(3))
def test_it_answers_as_memory_does_after_any_history(seed: int) -> None:
    with closing(new_store(MODEL)) as store:
        live_alike(store, seed, looks=8)
