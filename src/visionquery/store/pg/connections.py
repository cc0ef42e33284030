"""Connections to PostgreSQL: how they are made, lent and kept for the next who needs one.

There is no pool of psycopg's here: it connects in threads of its own, which cannot say to the one
who waits why a connection is refused.
"""

import os
import threading
import time
from typing import Any

import psycopg

from visionquery.errors import EngineError, StoreError
from visionquery.store.pg.adapting import adapt, ask
from visionquery.store.pg.address import Address
from visionquery.store.pg.faults import may_pass, refused_connection, translated

__all__ = ["LOOKED_AT", "OWN_SCHEMA", "Connections", "PgConnection", "connect", "prepare"]

PgConnection = psycopg.Connection[tuple[Any, ...]]

OWN_SCHEMA = "(SELECT oid FROM pg_namespace WHERE nspname = current_schema())"
"""The number of the schema that a connection looks for tables in."""

_TRY_FOR_SECONDS = 3.0
_FIRST_WAIT_SECONDS = 0.1
LOOKED_AT = 240
"""`hnsw.ef_search`: how many near images the index keeps in view while it is searched."""

_MOST_IDLE = 8
_DEFAULTS = {
    "connect_timeout": "5",
    # A machine that vanishes is noticed within a minute and a half.
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "6",
}
_SETTINGS = {
    # Compiling takes longer than most answers.
    "jit": "off",
    # A scan of the index goes on until a filter has let enough through, in whatever order.
    "hnsw.iterative_scan": "relaxed_order",
    "hnsw.ef_search": str(LOOKED_AT),
    "client_encoding": "UTF8",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "6",
}
_PREPARE = f"""
    SELECT set_config('search_path', quote_ident(%s) || coalesce(', ' || quote_ident(home), ''),
        false), oid::bigint, {", ".join(f"set_config('{k}', '{v}', false)" for k, v in
        _SETTINGS.items())}
    FROM (SELECT 1) AS one LEFT JOIN (
        SELECT nspname AS home, pg_type.oid FROM pg_extension
        JOIN pg_namespace ON pg_namespace.oid = extnamespace
        JOIN pg_type ON typnamespace = extnamespace AND typname = 'vector'
        WHERE extname = 'vector') AS found ON true"""


def connect(address: Address, *, name: str = "visionquery") -> PgConnection:
    """Make a connection whose statements are transactions of their own and name tables of the
    schema; within three seconds, it is tried again where that may help.

    Raises EngineError when PostgreSQL cannot be reached or lets nobody in.
    """
    give_up, wait = time.monotonic() + _TRY_FOR_SECONDS, _FIRST_WAIT_SECONDS
    while True:
        try:
            connection = psycopg.connect(
                _complete(address.conninfo), autocommit=True, application_name=name
            )
            break
        except psycopg.Error as error:
            if not may_pass(error) or time.monotonic() + wait > give_up:
                raise refused_connection(error, address) from error
        time.sleep(wait)
        wait *= 2
    try:
        with translated(address):
            prepare(connection, address.schema)
    except BaseException:
        connection.close()
        raise
    return connection


def prepare(connection: PgConnection, schema: str) -> None:
    """Let a connection look for tables in a schema, and know the extension's vectors if it is
    there."""
    ((_, vector_oid, *_),) = ask(connection, _PREPARE, schema)
    if vector_oid is not None:
        adapt(connection, vector_oid)


class Connections:
    """Connections to one address, each lent to one thread at a time."""

    def __init__(self, address: Address, first: PgConnection) -> None:
        self.address = address
        self._idle = [first]
        self._changing = threading.Lock()
        self._process = os.getpid()
        self._closed = False

    def take(self) -> PgConnection:
        """Return a connection that is nobody else's. Raises StoreError when the library was
        closed, EngineError when none can be made."""
        with self._changing:
            self._check()
            if self._idle:
                return self._idle.pop()
        return connect(self.address)

    def fresh(self) -> PgConnection:
        """Return a new connection in place of those that were kept, which may be as broken as one
        was found to be."""
        with self._changing:
            self._check()
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
        return connect(self.address)

    def give_back(self, connection: PgConnection) -> None:
        """Keep a connection for the next who needs one, unless it is broken or in a transaction."""
        status = connection.info.transaction_status
        with self._changing:
            if (
                not self._closed
                and status == psycopg.pq.TransactionStatus.IDLE
                and len(self._idle) < _MOST_IDLE
            ):
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        """Close all connections that nobody has; the others follow when they are given back."""
        with self._changing:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _check(self) -> None:
        if self._closed:
            raise StoreError(f"The library {self.address.shown} was closed: open it again.")
        if self._process != os.getpid():
            raise EngineError(
                f"The library {self.address.shown} was opened by another process: open it here."
            )


def _complete(conninfo: str) -> str:
    given = psycopg.conninfo.conninfo_to_dict(conninfo)
    missing = {key: value for key, value in _DEFAULTS.items() if key not in given}
    return psycopg.conninfo.make_conninfo(conninfo, **missing)
