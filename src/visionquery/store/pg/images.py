"""Images: their facts and vectors, and how rows become records.

Functions over a connection and the table of images in use; those that change something run inside
a transaction of the caller's.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from visionquery.errors import StoreError
from visionquery.store.base import ImageRecord, NewImage
from visionquery.store.entries import is_image_id
from visionquery.store.folding import folded
from visionquery.store.pg.adapting import (
    Rows,
    ask,
    rows_of,
    sent_rows,
    sent_vector,
    text_in,
    text_out,
    vector_type,
)
from visionquery.store.pg.connections import PgConnection
from visionquery.store.pg.files import seen_in
from visionquery.store.pg.tables import FACTS
from visionquery.store.places import packed
from visionquery.types import Facts, Matrix

__all__ = [
    "HEAD",
    "add_images",
    "all_rows",
    "facts_of",
    "image_rows",
    "put_next",
    "records",
    "replace_facts",
    "rows_with_prefix",
]

HEAD = 64
"""Characters of a word or keyword that an index holds; PostgreSQL's have room for 2,700 bytes."""

_HEX = re.compile("[0-9a-f]*")
_AFTER_ANY_ID = b"\xff" * 65  # longer than the longest hash in use
_FACT_TYPES = (
    "int8", "int8", "text", "int8", "text", "text", "text", "float8", "float8",
    "text", "text", "text[]", "text[]",
)  # fmt: skip
_READ = (
    "width, height, format, size_bytes, camera, taken_at, latitude, longitude, caption, keywords"
)


def image_rows(connection: PgConnection, table: str, image_ids: Iterable[str]) -> dict[str, int]:
    """Return the rows of those ids that are stored."""
    asked = [bytes.fromhex(each) for each in image_ids if is_image_id(each)]
    if not asked:
        return {}
    found = ask(
        connection, f"SELECT image_id, i.row FROM {table} AS i WHERE image_id = ANY(%s)", asked
    )
    return {image_id.hex(): row for image_id, row in found}


def rows_with_prefix(connection: PgConnection, table: str, prefix: str) -> list[int]:
    """Return the rows of the first two images, by id, whose id starts with `prefix`."""
    prefix = prefix.lower()
    if not _HEX.fullmatch(prefix):
        return []
    half = len(prefix) % 2
    found = ask(
        connection,
        f"SELECT i.row FROM {table} AS i WHERE image_id BETWEEN %s AND %s "
        "ORDER BY image_id LIMIT 2",
        bytes.fromhex(prefix + "0" * half),
        bytes.fromhex(prefix + "f" * half) + _AFTER_ANY_ID,
    )
    return [row for (row,) in found]


def all_rows(connection: PgConnection, source: str, *values: object) -> Rows:
    """Return the rows (n,), in any order, of a table and what follows it."""
    ((sent,),) = ask(connection, f"SELECT string_agg(int8send(i.row), '') FROM {source}", *values)
    return rows_of(sent)


def add_images(
    connection: PgConnection, table: str, first_row: int, images: Sequence[NewImage]
) -> None:
    """Store new images, one row each from `first_row` on."""
    columns = f'"row", image_id, vector, {FACTS}'
    with connection.cursor().copy(f"COPY {table} ({columns}) FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(("int8", "bytea", vector_type(connection), *_FACT_TYPES))
        for row, image in enumerate(images, start=first_row):
            image_id, vector = bytes.fromhex(image.image_id), sent_vector(image.vector)
            copy.write_row((row, image_id, vector, *_columns_of(image.facts)))


def put_next(connection: PgConnection, rows: Sequence[int], vectors: Matrix) -> None:
    """Store vectors of the next model, (len(rows), its embed_dim), in place of those of rows."""
    # Of a row that comes twice, the last counts.
    kept = dict(zip(rows, vectors, strict=True))
    asked = sent_rows(np.fromiter(kept, dtype=np.int64))
    ask(connection, 'DELETE FROM next_vectors WHERE "row" = ANY(%s)', asked)
    with connection.cursor().copy(
        'COPY next_vectors ("row", vector) FROM STDIN (FORMAT BINARY)'
    ) as copy:
        copy.set_types(("int8", vector_type(connection)))
        for row, vector in kept.items():
            copy.write_row((row, sent_vector(vector)))


def replace_facts(connection: PgConnection, table: str, facts: Mapping[int, Facts]) -> None:
    """Store facts of images, by row, in place of those that are there."""
    marks = ", ".join(["%s"] * len(_FACT_TYPES))
    with connection.cursor() as cursor:
        cursor.executemany(
            f'UPDATE {table} SET ({FACTS}) = ({marks}) WHERE "row" = %s'.encode(),
            [(*_columns_of(each), row) for row, each in facts.items()],
        )


def facts_of(connection: PgConnection, table: str, rows: Rows) -> list[tuple[Any, ...]]:
    """Return (row, caption, keywords, text) of those of the rows that are images."""
    found = ask(
        connection,
        f"SELECT i.row, caption, keywords, text FROM {table} AS i "
        "LEFT JOIN texts AS t ON t.row = i.row WHERE i.row = ANY(%s)",
        sent_rows(rows),
    )
    return [
        (row, _out(caption), json.loads(text_out(keywords)), _out(text))
        for row, caption, keywords, text in found
    ]


def records(connection: PgConnection, table: str, rows: Sequence[int]) -> list[ImageRecord]:
    """Return the records of rows, in their order. Raises StoreError when one is no image."""
    asked = sent_rows(np.array([int(row) for row in rows], dtype=np.int64))
    # The two go over together: one way there and back.
    with connection.pipeline():
        files = connection.execute(
            b"SELECT f.row, location, path, fragment FROM files AS f JOIN roots USING (root_id) "
            b"WHERE f.row = ANY(%s) ORDER BY root_id, place",
            [asked],
            binary=True,
        )
        facts = connection.execute(
            f"SELECT i.row, image_id, text, {_READ} FROM {table} AS i "
            "LEFT JOIN texts AS t ON t.row = i.row WHERE i.row = ANY(%s)".encode(),
            [asked],
            binary=True,
        )
    seen = seen_in(files)
    known = {found[0]: _record(found, seen.get(found[0], {})) for found in facts}
    for row in rows:
        if row not in known:
            raise StoreError(f"Row {row} is no image of the library (any more): search again.")
    return [known[int(row)] for row in rows]


def _record(found: tuple[Any, ...], seen: Mapping[str, str]) -> ImageRecord:
    """Return the record of an image, (row, image_id, text, facts …), that is seen there."""
    row, image_id, text, width, height, kind, size_bytes, camera, taken_at, *rest = found
    latitude, longitude, caption, keywords = rest
    facts = Facts(
        width=width,
        height=height,
        format=text_out(kind),
        size_bytes=size_bytes,
        camera=_out(camera),
        taken_at=_out(taken_at),
        latitude=latitude,
        longitude=longitude,
        caption=_out(caption),
        keywords=tuple(json.loads(text_out(keywords))),
    )
    paths = tuple(sorted(seen, key=packed))
    fragments = {path: fragment for path, fragment in seen.items() if fragment}
    return ImageRecord(row, image_id.hex(), facts, paths, _out(text), fragments)


def _columns_of(facts: Facts) -> tuple[object, ...]:
    keywords = [folded(each) for each in facts.keywords]
    return (
        facts.width,
        facts.height,
        text_in(facts.format),
        facts.size_bytes,
        _in(facts.camera),
        None if facts.camera is None else folded(facts.camera),
        _in(facts.taken_at),
        facts.latitude,
        facts.longitude,
        _in(facts.caption),
        json.dumps(facts.keywords),
        keywords,
        [each[:HEAD] for each in keywords],
    )


def _in(text: str | None) -> str | None:
    return None if text is None else text_in(text)


def _out(kept: str | None) -> str | None:
    return None if kept is None else text_out(kept)
