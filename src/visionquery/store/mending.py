"""How a catalog that can be read is brought in order: what is damaged goes, what is derived is made
anew.

Functions over a connection, inside a transaction of the caller's, who holds the writer's place.
"""

import json
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from visionquery.store import catalog, catalog_checks, pruning
from visionquery.store.checking import Checked, vectors_in_use
from visionquery.store.checksums import facts_crc, vector_crc
from visionquery.store.identity import keep_identity
from visionquery.store.layout import segments_name
from visionquery.store.measures import drop_measures
from visionquery.store.rows import rows_of
from visionquery.store.schema import TABLES
from visionquery.store.vector_checks import VECTOR_DAMAGED, rows_there
from visionquery.store.vectors import Segments

__all__ = ["give_checksums", "mend"]

_DERIVED_NOTES = ("codes", "loose", "regions")
_ROWS_AT_ONCE = 4096


def mend(
    folder: Path, connection: sqlite3.Connection, found: Checked, *, forget_notes: Sequence[str]
) -> None:
    """Forget the images that are not whole, with all files that show them, and whatever fits
    nothing; make anew what is derived, and drop these notes, of what was measured.

    The vectors of the generation in use are then as many as the catalog says.
    """
    _settle_model(folder, connection)
    connection.executemany(
        "DELETE FROM images WHERE row = ?", ((image.row,) for image in found.lost)
    )
    for rule in catalog_checks.RULES:
        connection.execute(f"DELETE FROM {rule.table} WHERE {rule.where}")
    texts = catalog_checks.wrong_texts(connection)
    connection.executemany("DELETE FROM texts WHERE row = ?", ((row,) for row in texts))
    connection.executemany("DELETE FROM next_rows WHERE row = ?", ((r,) for r in found.next_rows))
    _number_rows(folder, connection)
    _blank(folder, connection, found)
    _mend_notes(connection, forget_notes)
    _derive(connection)
    pruning.finish(connection)


def give_checksums(folder: Path, connection: sqlite3.Connection) -> None:
    """Give checksums to the images that have none, of what they are now."""
    model, generation, row_count = catalog.current(connection)
    segments = Segments(folder / segments_name(generation), model.embed_dim)
    lacking = [
        stored
        for stored in catalog_checks.stored_facts(connection)
        if stored.image_id and stored.facts and None in (stored.vector_crc, stored.facts_crc)
    ]
    for start in range(0, len(lacking), _ROWS_AT_ONCE):
        part = lacking[start : start + _ROWS_AT_ONCE]
        rows = np.array([stored.row for stored in part], dtype=np.int64)
        vectors = segments.take(rows, row_count)
        connection.executemany(
            "UPDATE images SET vector_crc = coalesce(vector_crc, ?), "
            "facts_crc = coalesce(facts_crc, ?) WHERE row = ?",
            (
                (vector_crc(vector), facts_crc(stored.image_id.hex(), stored.facts), stored.row)
                for stored, vector in zip(part, vectors, strict=True)
                if stored.image_id and stored.facts
            ),
        )


def _settle_model(folder: Path, connection: sqlite3.Connection) -> None:
    """Have the catalog name the vectors in use, and their model, as these say themselves; where
    they do not, have them say it."""
    model, generation = vectors_in_use(folder, connection)
    place = folder / segments_name(generation)
    place.mkdir(exist_ok=True)
    keep_identity(place, model)
    connection.execute(
        "UPDATE library SET model_name = ?, fingerprint = ?, embed_dim = ?, model_source = ?, "
        "generation = ?",
        (model.name, model.fingerprint, model.embed_dim, model.source, generation),
    )


def _number_rows(folder: Path, connection: sqlite3.Connection) -> None:
    """Make images and holes all rows, each once, and the files of vectors as long as these."""
    model, generation, row_count = catalog.current(connection)
    place = folder / segments_name(generation)
    images = rows_of(connection, "images")
    if any(catalog_checks.wrong_rows(connection)):
        # No row that was given out is given out again, as far as that can be told.
        known = np.concatenate([images, rows_of(connection, "holes")])
        is_there = known < rows_there(place, model.embed_dim)
        row_count = int(known[is_there].max(initial=-1)) + 1
        catalog.commit_rows(connection, row_count)
        connection.execute("DELETE FROM holes")
        is_hole = np.ones(row_count, dtype=np.bool_)
        is_hole[images] = False
        holes = np.flatnonzero(is_hole).tolist()
        connection.executemany("INSERT INTO holes VALUES (?)", ((row,) for row in holes))
    Segments(place, model.embed_dim).reserve(row_count)


def _blank(folder: Path, connection: sqlite3.Connection, found: Checked) -> None:
    """Make zeros of damaged vectors: what is computed of all rows should not stumble over them."""
    model, generation, row_count = catalog.current(connection)
    rows = [image.row for image in found.lost if image.why == VECTOR_DAMAGED]
    blank = np.array([row for row in rows if 0 <= row < row_count], dtype=np.int64)
    if len(blank):
        segments = Segments(folder / segments_name(generation), model.embed_dim)
        segments.put(blank, np.zeros((len(blank), model.embed_dim), dtype=np.float32))


def _mend_notes(connection: sqlite3.Connection, forget_notes: Sequence[str]) -> None:
    broken = catalog_checks.broken_notes(connection)
    keys = {*broken, *_DERIVED_NOTES, *forget_notes}
    connection.executemany("DELETE FROM notes WHERE key = ?", ((key,) for key in keys))
    if "changes" in broken:
        # Past every number that it may have had: transactions do not come every nanosecond.
        catalog.set_note(connection, "changes", str(time.time_ns()))


def _derive(connection: sqlite3.Connection) -> None:
    """Make anew what is found by: words (at the end of the transaction), keywords, names; and drop
    the measures, which are made when pictures are indexed."""
    connection.execute("DROP TABLE words")
    connection.execute(next(each for each in TABLES if each.startswith("CREATE VIRTUAL TABLE")))
    connection.execute("DELETE FROM stale_words")
    connection.execute("INSERT INTO stale_words SELECT row FROM images")
    connection.execute("DELETE FROM keywords")
    images = connection.execute("SELECT row, keywords FROM images").fetchall()
    catalog.add_keywords(connection, ((row, json.loads(kept)) for row, kept in images))
    connection.executemany(
        "UPDATE files SET folded = ? WHERE root_id = ? AND path = ? AND fragment = ?",
        catalog_checks.wrong_folded(connection),
    )
    drop_measures(connection)
