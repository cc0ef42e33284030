"""The store in Qdrant means what every store means."""

import pytest

from tests.conformance.qdrant_stores import new_store
from visionquery.testing.store_checks import STORE_CHECKS, Check


@pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: str(check.__name__))
def test_qdrant_store_passes(check: Check) -> None:
    check(new_store)
