"""Looks: vectors of images by a model that is not the one of a library, kept by content.

One SQLite file for each model, beside no library and for all of them: an image is its bytes, so
what one library had looked at is known to every other. It is a cache. Several processes use it at
a time; what cannot be read counts as not there, and what cannot be written is kept in memory.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from visionquery.types import Matrix, ModelIdentity, Vector

__all__ = ["Looks"]

Result = TypeVar("Result")

_FORM = 1
"""Of the tables and what is in them; another number is another file."""

_TABLES = (
    "CREATE TABLE IF NOT EXISTS looks (image_id TEXT PRIMARY KEY, vector BLOB) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS texts (name TEXT PRIMARY KEY, vectors BLOB)",
)
_BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_BUSY_SECONDS = 5.0
_IDS_AT_ONCE = 500
_STORED: Final = np.dtype("<f2")
_UNIT_ERROR = 0.01
"""How far the length of a stored vector may be from 1: more is damage, which SQLite does not
see."""


class Looks:
    """The looks of one model. Safe in many threads and processes; raises nothing of its own."""

    def __init__(self, folder: Path | None, model: ModelIdentity) -> None:
        """Use, or make, the file of a model in a folder; None keeps everything in memory."""
        self._width = model.embed_dim
        self._file = folder and folder / f"{model.fingerprint}-{_FORM}.sqlite"
        self._vectors: dict[str, bytes] = {}
        self._texts: dict[str, bytes] = {}
        self._changing = threading.Lock()

    def vectors(self, image_ids: Sequence[str]) -> dict[str, Vector]:
        """Return the unit vectors, (embed_dim,), of those of the images that were looked at."""
        found = {name: self._vectors[name] for name in image_ids if name in self._vectors}
        missing = [name for name in image_ids if name not in found]
        if missing:
            none: dict[str, bytes] = {}
            found |= self._asked(lambda connection: _read(connection, missing), none)
        read = {name: self._vector(blob) for name, blob in found.items()}
        return {name: vector for name, vector in read.items() if vector is not None}

    def keep(self, vectors: Mapping[str, Vector]) -> dict[str, Vector]:
        """Keep vectors of images, durable on return where the disk takes them, and return them as
        they will be read: rounded, so that the first answer is like every later one."""
        rounded = {name: vector.astype(_STORED).tobytes() for name, vector in vectors.items()}
        statement = "REPLACE INTO looks VALUES (?, ?)"
        if not self._written(statement, list(rounded.items())):
            with self._changing:
                self._vectors |= rounded
        return {
            name: np.frombuffer(blob, _STORED).astype(np.float32) for name, blob in rounded.items()
        }

    def texts(self, name: str, make: Callable[[], Matrix]) -> Matrix:
        """Return the vectors (n, embed_dim) that are kept under a name, made first where there are
        none."""
        blob = self._texts.get(name) or self._asked(lambda db: _read_texts(db, name), b"")
        if not blob or len(blob) % (self._width * _STORED.itemsize):
            blob = make().astype(_STORED).tobytes()
            if not self._written("REPLACE INTO texts VALUES (?, ?)", [(name, blob)]):
                with self._changing:
                    self._texts[name] = blob
        return np.frombuffer(blob, _STORED).reshape(-1, self._width).astype(np.float32)

    def _vector(self, blob: bytes) -> Vector | None:
        if len(blob) != self._width * _STORED.itemsize:
            return None
        vector = np.frombuffer(blob, _STORED).astype(np.float32)
        return vector if abs(float(np.linalg.norm(vector)) - 1) < _UNIT_ERROR else None

    def _written(self, statement: str, rows: Sequence[tuple[str, bytes]]) -> bool:
        def write(connection: sqlite3.Connection) -> bool:
            with connection:
                connection.executemany(statement, rows)
            return True

        return self._asked(write, False)

    def _asked(self, ask: Callable[[sqlite3.Connection], Result], otherwise: Result) -> Result:
        """Return what the file says, or `otherwise` where it cannot be used. A broken one is set
        aside, and another begun."""
        if self._file is None:
            return otherwise
        for _ in range(2):
            try:
                with _opened(self._file) as connection:
                    return ask(connection)
            except sqlite3.Error as error:
                code = getattr(error, "sqlite_errorcode", 0) & 0xFF
                if code not in _BROKEN or not _set_aside(self._file):
                    return otherwise
            except (OSError, UnicodeDecodeError):
                return otherwise
        return otherwise


@contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file, timeout=_BUSY_SECONDS)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        for statement in _TABLES:
            connection.execute(statement)
        yield connection


def _read(connection: sqlite3.Connection, image_ids: Sequence[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for start in range(0, len(image_ids), _IDS_AT_ONCE):
        some = image_ids[start : start + _IDS_AT_ONCE]
        marks = ", ".join("?" * len(some))
        found |= connection.execute(
            f"SELECT image_id, vector FROM looks WHERE image_id IN ({marks})", some
        ).fetchall()
    return found


def _read_texts(connection: sqlite3.Connection, name: str) -> bytes:
    row = connection.execute("SELECT vectors FROM texts WHERE name = ?", (name,)).fetchone()
    return b"" if row is None else bytes(row[0])


def _set_aside(file: Path) -> bool:
    """Give a broken file another name, and say whether that worked."""
    try:
        file.replace(file.with_name(f"{file.name}.broken"))
        for end in ("-wal", "-shm"):
            file.with_name(file.name + end).unlink(missing_ok=True)
    except OSError:
        return False
    return True
