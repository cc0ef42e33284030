"""The store in Qdrant means what every store means, after any history, and for any question."""

from contextlib import closing

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.conformance.qdrant_stores import new_store
from tests.conformance.test_stores import MODEL, _assert_alike, _drop_next_and_compact, _random_act

from visionquery.store.memory import MemoryStore
from visionquery.testing.store_checks import STORE_CHECKS, Check


class Memory(MemoryStore):
    """A store that, as the one in Qdrant does, forgets the measures of what is no image."""

    def measures(self, rows: NDArray[np.intp] | None = None) -> NDArray[np.float32]:
        found = super().measures(rows)
        found[~self.alive()[slice(None) if rows is None else rows]] = np.nan
        return found


@pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: str(check.__name__))
def test_qdrant_store_passes(check: Check) -> None:
    check(new_store)


@pytest.mark.parametrize("seed", range(3))
def test_it_answers_as_memory_does_after_any_history(seed: int) -> None:
    random, memory, model = np.random.default_rng(seed), Memory(MODEL), MODEL
    moved = compacted = 0
    with closing(new_store(MODEL)) as store:
        for step in range(91):
            act = _random_act(random, memory) if step < 90 else _drop_next_and_compact
            with store.writing(), memory.writing():
                holes = memory.row_count() - memory.image_count()
                assert act(store) == act(memory)
                compacted += holes > memory.row_count() - memory.image_count()
            moved += memory.model != model
            model = memory.model
            if step % 5 == 0:
                _assert_alike(store, memory, random)
    assert memory.image_count() > 0
    assert compacted, "the history should have left holes, and closed them"
    assert moved, "the history should have moved to another model"
