"""The catalog's index of the words of images.

The catalog itself takes down, in `stale_words`, each image whose facts, files or text change;
`refresh`, at the end of every transaction, makes their words anew, so that nothing that changes
the catalog need think of them. Names of roots are compared when asked: a root that moves leaves
the index as it is.
"""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from visionquery.store.base import Scope
from visionquery.store.files import rows_within
from visionquery.store.fragments import compared, fragment_of
from visionquery.store.places import unpacked
from visionquery.store.roots import roots
from visionquery.store.rows import joined, rows_of
from visionquery.store.words import holds, image_words, name_words

__all__ = ["refresh", "rows_holding"]


def refresh(connection: sqlite3.Connection) -> None:
    """Make the words of images that changed in this transaction what they are now."""
    stale = connection.execute("SELECT DISTINCT row FROM stale_words").fetchall()
    if stale:
        connection.executemany("DELETE FROM words WHERE rowid = ?", stale)
        connection.executemany("INSERT INTO words (rowid, text) VALUES (?, ?)", _made(connection))
        connection.execute("DELETE FROM stale_words")


def rows_holding(connection: sqlite3.Connection, phrase: str) -> NDArray[np.int64]:
    """Return the rows (n,) of the images that have the words of a phrase, as `words_of` gives
    them, in a row; some may come twice."""
    if not phrase:
        return joined([])
    # In quotes, the words are looked for next to one another and no operator is meant.
    matches = "(SELECT rowid AS row FROM words WHERE words MATCH ?)"
    found = [rows_of(connection, matches, f'"{phrase}"')]
    for root in roots(connection):
        names = name_words(PurePath(root.location).name)
        if any(holds(words, phrase) for words in names):
            found.append(rows_within(connection, Scope(root.root_id)))
    return joined(found)


def _made(connection: sqlite3.Connection) -> Iterator[tuple[int, str]]:
    stale = connection.execute(
        "SELECT row, caption, keywords, text FROM images LEFT JOIN texts USING (row) "
        "WHERE row IN (SELECT row FROM stale_words)"
    )
    for row, caption, keywords, text in stale:
        files = connection.execute(
            "SELECT path, fragment FROM files WHERE row = ? ORDER BY root_id, path, place", (row,)
        )
        paths = [compared(unpacked(path), fragment_of(fragment)) for path, fragment in files]
        yield row, image_words(caption, json.loads(keywords), paths, text)
