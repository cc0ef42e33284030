"""Images that no file holds any more, found without looking at all images.

What a transaction leaves without a file is taken down in a note at its end; pruning looks at these.
A catalog without the note, or with too many to take down, is looked through as a whole.

Functions over a connection, inside a transaction of the caller's.
"""

import json
import sqlite3

from visionquery.store import catalog, word_index

__all__ = ["finish", "prune"]

_NOTE = "loose"
_MOST = 10_000

_LOOSE = "NOT EXISTS (SELECT 1 FROM files WHERE files.row = images.row)"


def finish(connection: sqlite3.Connection) -> None:
    """Bring what follows from other tables up to date, at the end of a transaction."""
    _take_down(connection)
    word_index.refresh(connection)
    catalog.changed(connection)


def prune(connection: sqlite3.Connection) -> int:
    """Turn images without files into holes, drop roots without files; return how many images."""
    known = catalog.note(connection, _NOTE)
    where = _LOOSE if known is None else f"row IN (SELECT value FROM json_each(?)) AND {_LOOSE}"
    values = () if known is None else (known,)
    found = connection.execute(f"SELECT row, keywords FROM images WHERE {where}", values).fetchall()
    catalog.drop_keywords(connection, found)
    rows = [(row,) for row, _ in found]
    connection.executemany("INSERT INTO holes VALUES (?)", rows)
    for table in ("images", "texts"):
        connection.executemany(f"DELETE FROM {table} WHERE row = ?", rows)
    connection.execute(
        "DELETE FROM roots "
        "WHERE NOT EXISTS (SELECT 1 FROM files WHERE files.root_id = roots.root_id)"
    )
    catalog.set_note(connection, _NOTE, "[]")
    return len(found)


def _take_down(connection: sqlite3.Connection) -> None:
    known = catalog.note(connection, _NOTE)
    if known is None:
        return
    # Whatever happens to an image's files is in `stale_words` until its words are made anew.
    loose = connection.execute(
        f"SELECT DISTINCT row FROM stale_words JOIN images USING (row) WHERE {_LOOSE}"
    ).fetchall()
    if not loose:
        return
    rows = sorted({*json.loads(known), *(row for (row,) in loose)})
    if len(rows) > _MOST:
        connection.execute("DELETE FROM notes WHERE key = ?", (_NOTE,))
    else:
        catalog.set_note(connection, _NOTE, json.dumps(rows))
