"""The one writer's place, held by a session of PostgreSQL: it ends with the process that has it."""

import os
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

import psycopg

from visionquery.errors import LibraryBusyError, LibraryReadOnlyError
from visionquery.store.pg.adapting import ask
from visionquery.store.pg.address import Address
from visionquery.store.pg.connections import OWN_SCHEMA, PgConnection, connect
from visionquery.store.pg.faults import translated

__all__ = ["writer_connection"]

_NAME = re.compile(r"visionquery (\d+) (.*)")
_MARK = 0x5651  # "VQ", before the number of the schema
_KEY = f"({_MARK}::bigint << 32 | {OWN_SCHEMA}::bigint)"
_HOLDER = """
    SELECT application_name, backend_start, client_hostname, host(client_addr)
    FROM pg_locks LEFT JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND pg_locks.database =
        (SELECT oid FROM pg_database WHERE datname = current_database())
        AND (classid::bigint << 32 | objid::bigint) = """ + _KEY


@contextmanager
def writer_connection(address: Address) -> Iterator[PgConnection]:
    """Give a connection that has the writer's place until the block ends.

    Raises LibraryBusyError naming the process that has it, LibraryReadOnlyError where nothing may
    be written.
    """
    # The name is what others learn of this process: 63 bytes of it are kept.
    connection = connect(address, name=f"visionquery {os.getpid()} {platform.node()}"[:63])
    try:
        with translated(address):
            _take(connection, address)
        yield connection
    finally:
        # Closing gives the place back too, but only once the server has noticed.
        with suppress(psycopg.Error):
            connection.execute("SELECT pg_advisory_unlock_all()")
        connection.close()


def _take(connection: PgConnection, address: Address) -> None:
    ((is_replica, read_only, may_write),) = ask(
        connection,
        "SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only')::boolean, "
        "has_table_privilege('library', 'UPDATE')",
    )
    if is_replica or read_only:
        raise LibraryReadOnlyError(
            f"The library {address.shown} can only be read here, where PostgreSQL is a replica or "
            "set to read only: use the address of the primary server to change it."
        )
    if not may_write:
        raise LibraryReadOnlyError(
            f"The library {address.shown} may not be changed by this user: ask the owner of its "
            "schema for the rights."
        )
    ((taken,),) = ask(connection, f"SELECT pg_try_advisory_lock({_KEY})")
    if not taken:
        raise _busy(connection, address)


def _busy(connection: PgConnection, address: Address) -> LibraryBusyError:
    then = "wait until it has finished, or stop it, then run the command again."
    for name, since, host_name, host_address in ask(connection, _HOLDER):
        known = _NAME.fullmatch(name or "")
        if known is None or not isinstance(since, datetime):
            continue
        pid, host = int(known[1]), known[2] or host_name or host_address
        moment = since.astimezone().isoformat(timespec="seconds")
        return LibraryBusyError(
            f"Process {pid} on {host} has been writing to the library {address.shown} since "
            f"{moment.replace('T', ' ')}: {then}",
            pid=pid,
            host=host,
            since=moment,
        )
    return LibraryBusyError(
        f"Another process is writing to the library {address.shown}: {then}"
    )
