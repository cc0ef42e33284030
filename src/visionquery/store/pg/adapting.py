"""How values cross to PostgreSQL and back, many at a time and without an object for each.

A text of PostgreSQL cannot hold NUL: `text_in` writes it, and the character that does so, as two
characters. Vectors, rows and their numbers are sent as the bytes that PostgreSQL itself would send.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection
from psycopg.adapt import Dumper, PyFormat
from psycopg.pq import Format

from visionquery.types import Matrix, Vector

__all__ = [
    "Rows",
    "Sent",
    "adapt",
    "ask",
    "half_matrix_of",
    "matrix_of",
    "rows_of",
    "sent_rows",
    "sent_vector",
    "text_in",
    "text_out",
    "vector_type",
]

Rows = NDArray[np.int64]
"""Row numbers (n,)."""

_INT8, _INT8_ARRAY = 20, 1016  # the numbers of these types in every PostgreSQL
_ESCAPE, _NUL = "\x1a", "\0"
_VECTOR_HEAD = 4  # the number of dimensions, and two bytes that are 0


@dataclass(frozen=True, slots=True)
class Sent:
    """A vector as PostgreSQL's own bytes."""

    data: bytes


@dataclass(frozen=True, slots=True)
class _SentRows:
    data: bytes


class _Ready(Dumper):
    format = Format.BINARY

    def dump(self, obj: Any) -> bytes:
        data: bytes = obj.data
        return data


class _RowsReady(_Ready):
    oid = _INT8_ARRAY


def adapt(connection: Connection[Any], vector_oid: int) -> None:
    """Let a connection take `Sent` vectors, whose type has this number there, and rows."""
    kind = type("_VectorReady", (_Ready,), {"oid": vector_oid})
    connection.adapters.register_dumper(Sent, kind)
    connection.adapters.register_dumper(_SentRows, _RowsReady)


def vector_type(connection: Connection[Any]) -> int:
    """Return the number of the type of vectors, for a connection that takes them."""
    return connection.adapters.get_dumper(Sent, PyFormat.BINARY).oid


def ask(connection: Connection[Any], question: str, *values: object) -> list[tuple[Any, ...]]:
    """Return all that PostgreSQL answers to one statement."""
    cursor = connection.execute(question.encode(), values, binary=True)
    return cursor.fetchall() if cursor.description else []


def text_in(text: str) -> str:
    """Return a text as PostgreSQL can keep it."""
    return text.replace(_ESCAPE, _ESCAPE + "1").replace(_NUL, _ESCAPE + "0")


def text_out(kept: str) -> str:
    """Return the text that `text_in` was given."""
    if _ESCAPE not in kept:
        return kept
    return kept.replace(_ESCAPE + "0", _NUL).replace(_ESCAPE + "1", _ESCAPE)


def sent_vector(vector: Vector) -> Sent:
    """Return a vector (embed_dim,) to be given as a value."""
    return Sent(len(vector).to_bytes(2, "big") + b"\0\0" + vector.astype(">f4").tobytes())


def sent_rows(rows: Rows | NDArray[np.intp]) -> _SentRows:
    """Return rows (n,) to be given as a value of the type bigint[]."""
    head = np.array([1, 0, _INT8, len(rows), 1] if len(rows) else [0, 0, _INT8], dtype=">i4")
    items = np.zeros(len(rows), dtype=[("length", ">i4"), ("row", ">i8")])
    items["length"], items["row"] = 8, rows
    return _SentRows(head.tobytes() + items.tobytes())


def rows_of(sent: bytes | None) -> Rows:
    """Return the rows (n,) of `string_agg(int8send(row), '')`."""
    return np.frombuffer(sent or b"", dtype=">i8").astype(np.int64)


def matrix_of(sent: bytes | None, embed_dim: int) -> tuple[Rows, Matrix]:
    """Return the rows (n,) and vectors (n, embed_dim) of
    `string_agg(int8send(row) || vector_send(vector), '')`."""
    kind = [("row", ">i8"), ("head", "V4"), ("vector", ">f4", (embed_dim,))]
    found = np.frombuffer(sent or b"", dtype=kind)
    return found["row"].astype(np.int64), found["vector"].astype(np.float32)


def half_matrix_of(sent: bytes | None, embed_dim: int) -> Matrix:
    """Return the vectors (n, embed_dim) of `string_agg(halfvec_send(…), '')`."""
    found = np.frombuffer(sent or b"", dtype=[("head", "V4"), ("vector", ">f2", (embed_dim,))])
    return found["vector"].astype(np.float32)
