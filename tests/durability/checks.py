"""What must hold of a library whatever happened to its writer."""

import sqlite3
from pathlib import Path

from durability.steps import SCENARIOS, finish, held, states
from visionquery.store.local import open_local

__all__ = ["check_catalog", "check_goes_on", "check_left"]


def check_catalog(folder: Path) -> None:
    """Have SQLite look through a catalog, and through the index of its words."""
    connection = sqlite3.connect(folder / "catalog.sqlite")
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.execute("INSERT INTO words (words) VALUES ('integrity-check')")
        connection.rollback()
        assert connection.execute("SELECT count(*) FROM stale_words").fetchone() == (0,)
    finally:
        connection.close()


def check_left(scenario: str, folder: Path, *, done: int) -> int:
    """Check what a writer left that acknowledged `done` steps of a scenario (-1: it did not get as
    far as to have made a library): these, and at most one more. Return how many images were
    looked at."""
    if not (folder / "catalog.sqlite").exists():
        assert done == -1, "the library is gone"
        return 0
    check_catalog(folder)
    store = open_local(folder)
    try:
        now = held(store)
    finally:
        store.close()
    assert now in states(scenario)[max(done, 0) : done + 2]
    return len(now.images)


def check_goes_on(scenario: str, folder: Path) -> int:
    """Check that what is left of a scenario can be done, and that the end of it is the same as if
    nothing had happened. Return how many images were looked at."""
    finish(scenario, folder)
    return check_left(scenario, folder, done=len(SCENARIOS[scenario]))
