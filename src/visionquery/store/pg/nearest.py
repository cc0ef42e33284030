"""The index of vectors, and the rows that it gives for the nearest to a vector.

It is HNSW over the vectors as half-precision numbers, one for each partition of a table of images,
made once there are too many to compare every one. Without it the same questions are answered by
comparing all.
"""

from collections.abc import Sequence
from typing import Any

import psycopg

from visionquery.store.pg.adapting import Sent, ask
from visionquery.store.pg.conditions import EVERY, Condition
from visionquery.store.pg.connections import LOOKED_AT, PgConnection
from visionquery.store.pg.tables import partitions

__all__ = ["EXACT_UP_TO", "look_further", "make_indexes", "nearest_rows"]

EXACT_UP_TO = 20_000
"""Rows up to which every image is compared, and no index is made."""

_MOST_NUMBERS = 4_000
"""Numbers of a vector up to which the index takes it."""

_MOST_LOOKED_AT = 1_000
"""The most that pgvector takes for `hnsw.ef_search`."""

_LOOKED_AT_TO_INSERT = 128
"""Twice pgvector's own: a sixth more time to make, and half as many of the nearest are missed."""

_MEMORY_MIB = (64, 2_048)
"""Bounds of what making an index may take."""

_BYTES_OF_LINKS = 600
"""What an image takes in an index that is being made, beside its vector."""

_WORKERS = 4


def nearest_rows(
    table: str, embed_dim: int, among: Condition, near: Sent, count: int
) -> Condition:
    """Return the statement for the rows of the `count` nearest images of those that a condition
    lets through."""
    half = f"halfvec({embed_dim})"
    if embed_dim > _MOST_NUMBERS:
        distance, asked = "i.vector <#> %s", "i.vector IS NOT NULL"
    else:
        distance, asked = f"(i.vector::{half}) <#> %s::{half}", "true"
    test = asked if among == EVERY else among.text
    return Condition(
        # The planner must know how few these are.
        f"(SELECT i.row FROM {table} AS i WHERE {test} ORDER BY {distance} LIMIT {int(count)})",
        (*among.values, near),
    )


def look_further(connection: PgConnection, count: int) -> None:
    """Let the index be searched far enough for `count` images of each vector, until the transaction
    ends; in the usual case every connection is set so."""
    if count > LOOKED_AT:
        _set(connection, {"hnsw.ef_search": str(min(2 * count, _MOST_LOOKED_AT))})


def make_indexes(connection: PgConnection, table: str, embed_dim: int) -> bool:
    """Make the indexes of vectors that partitions with images lack; return whether there was one
    to be made."""
    if embed_dim > _MOST_NUMBERS:
        return False
    due = [name for name in partitions(connection, table) if _lacks_index(connection, name)]
    for name in due:
        ((rows,),) = ask(connection, f"SELECT count(*) FROM {name}")
        try:
            _make_index(connection, name, embed_dim, rows, workers=_WORKERS)
        except psycopg.errors.DiskFull:
            # Workers share memory through a disk that is small in many a container.
            _make_index(connection, name, embed_dim, rows, workers=0)
    return bool(due)


def _lacks_index(connection: PgConnection, partition: str) -> bool:
    ((lacks,),) = ask(
        connection,
        f"SELECT to_regclass(%s) IS NULL AND EXISTS (SELECT FROM {partition})",
        f"{partition}_near",
    )
    return bool(lacks)


def _make_index(
    connection: PgConnection, partition: str, embed_dim: int, rows: int, *, workers: int
) -> None:
    least, most = _MEMORY_MIB
    needed = rows * (2 * embed_dim + _BYTES_OF_LINKS) >> 20
    with connection.transaction():
        _set(
            connection,
            {
                "maintenance_work_mem": f"{min(max(needed, least), most)}MB",
                "max_parallel_maintenance_workers": str(workers),
                # It takes as long as it takes.
                "statement_timeout": "0",
            },
        )
        connection.execute(
            f"CREATE INDEX {partition}_near ON {partition} "
            f"USING hnsw ((vector::halfvec({embed_dim})) halfvec_ip_ops) "
            f"WITH (ef_construction = {_LOOKED_AT_TO_INSERT})".encode()
        )


def _set(connection: psycopg.Connection[Any], settings: dict[str, str]) -> None:
    """Set what holds until the transaction ends."""
    calls: Sequence[str] = ["set_config(%s, %s, true)"] * len(settings)
    values = [each for pair in settings.items() for each in pair]
    connection.execute(f"SELECT {', '.join(calls)}".encode(), values)
