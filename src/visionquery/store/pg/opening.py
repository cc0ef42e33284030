"""How a library in PostgreSQL is opened and made, and what may keep it from being so."""

from psycopg import errors

from visionquery.errors import (
    EngineError,
    LibraryNotFoundError,
    LibraryReadOnlyError,
    SchemaTooNewError,
    StoreError,
    VisionQueryError,
)
from visionquery.store.pg.adapting import ask
from visionquery.store.pg.address import Address, parsed
from visionquery.store.pg.connections import Connections, PgConnection, connect, prepare
from visionquery.store.pg.faults import translated
from visionquery.store.pg.opened import Opened, state_of
from visionquery.store.pg.store import PostgresStore
from visionquery.store.pg.tables import SCHEMA_VERSION, TABLES, make_images
from visionquery.types import ModelIdentity

__all__ = ["check_place", "create_store", "open_store"]

_LEAST_VERSION = (0, 8)
"""Of pgvector: the first with scans that go on until a filter has let enough through."""

_LEAST_SERVER = 140_000

_FOUND = """
    SELECT (SELECT extversion FROM pg_extension WHERE extname = 'vector'),
        EXISTS (SELECT FROM pg_namespace WHERE nspname = %s),
        (SELECT count(*) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
            WHERE nspname = %s),
        (SELECT count(*) FROM information_schema.columns WHERE table_schema = %s
            AND table_name = 'library' AND column_name IN ('program', 'version'))"""


def open_store(address: str) -> PostgresStore:
    """Open the library at an address.

    Raises LibraryNotFoundError where there is none, SchemaTooNewError when a newer program made
    it, StoreError when something else is there, EngineError for an engine that cannot be had or
    lacks something, InputError for an address that means nothing.
    """
    place = parsed(address)
    connection = connect(place)
    try:
        with translated(place):
            _check_extension(place, _contents(connection, place))
            return _opened(connection, place)
    except BaseException:
        connection.close()
        raise


def create_store(address: str, model: ModelIdentity) -> PostgresStore:
    """Make a library for a model's vectors at an address, and open it.

    Raises StoreError when a library or something else is there, EngineError for an engine that
    cannot be had, lacks something or lets nothing be made, InputError for an address that means
    nothing.
    """
    place = parsed(address)
    connection = connect(place)
    try:
        with translated(place):
            _check_free(connection, place)
            try:
                with connection.transaction():
                    _make(connection, place, model)
            except errors.InsufficientPrivilege as error:
                raise _no_right(place) from error
            except (errors.DuplicateTable, errors.UniqueViolation) as error:
                raise _taken(place) from error
            return _opened(connection, place)
    except BaseException:
        connection.close()
        raise


def check_place(address: str) -> None:
    """Raise what would keep a library from being made at an address, as `create_store` does."""
    place = parsed(address)
    connection = connect(place)
    try:
        with translated(place):
            version = _check_free(connection, place)
            ((may_create,),) = ask(
                connection,
                "SELECT CASE WHEN to_regnamespace(quote_ident(%s)) IS NULL "
                "THEN has_database_privilege(current_database(), 'CREATE') "
                "ELSE has_schema_privilege(to_regnamespace(quote_ident(%s))::oid, 'CREATE') END",
                place.schema,
                place.schema,
            )
            if not may_create:
                raise _no_right(place)
            if version is None:
                _check_available(connection, place)
    finally:
        connection.close()


def _opened(connection: PgConnection, place: Address) -> PostgresStore:
    state = state_of(connection)
    return PostgresStore(Opened(Connections(place, connection), state))


def _contents(connection: PgConnection, place: Address) -> str | None:
    """Return the version of the extension, None where it is not there. Raises StoreError unless
    the schema holds a library of a version that this program knows."""
    version, _, relations, columns = _look(connection, place)
    if not relations:
        raise LibraryNotFoundError(
            f"There is no library at {place.shown}: make one with: visionquery index FOLDER "
            "--library ADDRESS."
        )
    if columns != 2:
        raise _not_ours(place)
    ((program, found),) = ask(connection, "SELECT program, version FROM library")
    if program != "visionquery":
        raise _not_ours(place)
    if found != SCHEMA_VERSION:
        raise SchemaTooNewError(
            f"The library {place.shown} has version {found}, and this program knows version "
            f"{SCHEMA_VERSION}: update visionquery.",
            found=found,
            supported=SCHEMA_VERSION,
        )
    return version


def _check_free(connection: PgConnection, place: Address) -> str | None:
    """Return the version of the extension, None where it is not there. Raises StoreError when
    something is in the schema, EngineError where a library cannot be."""
    ((is_replica, encoding, server),) = ask(
        connection,
        "SELECT pg_is_in_recovery(), current_setting('server_encoding'), "
        "current_setting('server_version_num')::integer",
    )
    if is_replica:
        raise LibraryReadOnlyError(
            f"No library can be made at {place.shown}, a replica: use the address of the primary "
            "server."
        )
    if encoding != "UTF8" or server < _LEAST_SERVER:
        raise EngineError(
            f"PostgreSQL at {place.shown} has version {server // 10_000} and a database in "
            f"{encoding}: a library needs version {_LEAST_SERVER // 10_000} or later, and UTF8."
        )
    version, _, relations, columns = _look(connection, place)
    if relations:
        raise _taken(place) if columns == 2 else _not_ours(place)
    if version is not None:
        _check_extension(place, version)
    return version


def _look(connection: PgConnection, place: Address) -> tuple[str | None, bool, int, int]:
    ((version, there, relations, columns),) = ask(connection, _FOUND, *[place.schema] * 3)
    return version, there, relations, columns


def _check_extension(place: Address, version: str | None) -> None:
    numbers = [int(part) for part in (version or "0").split(".")[:2] if part.isdigit()]
    if tuple(numbers) < _LEAST_VERSION:
        found = "is not there" if version is None else f"has version {version}"
        raise EngineError(
            f"The extension pgvector {found} in the database of {place.shown}: install version "
            f"{'.'.join(map(str, _LEAST_VERSION))} or later, then run: CREATE EXTENSION vector, "
            "or ALTER EXTENSION vector UPDATE."
        )


def _check_available(connection: PgConnection, place: Address) -> None:
    found = ask(
        connection, "SELECT default_version FROM pg_available_extensions WHERE name = 'vector'"
    )
    _check_extension(place, found[0][0] if found else None)


def _make(connection: PgConnection, place: Address, model: ModelIdentity) -> None:
    _check_available(connection, place)
    try:
        with connection.transaction():
            # Not in the library's own schema: that may be dropped, and others may need it.
            ask(connection, "SET LOCAL search_path TO public")
            ask(connection, "CREATE EXTENSION IF NOT EXISTS vector")
    except errors.InsufficientPrivilege as error:
        raise EngineError(
            f"The extension pgvector is not in the database of {place.shown}, and this user may "
            "not add it: have its owner run CREATE EXTENSION vector."
        ) from error
    ((name,),) = ask(connection, "SELECT quote_ident(%s)", place.schema)
    ask(connection, f"CREATE SCHEMA IF NOT EXISTS {name}")
    prepare(connection, place.schema)
    connection.execute(TABLES.encode())
    ask(
        connection,
        "INSERT INTO library (version, model_name, fingerprint, embed_dim, model_source) "
        "VALUES (%s, %s, %s, %s, %s)",
        SCHEMA_VERSION,
        model.name,
        model.fingerprint,
        model.embed_dim,
        model.source,
    )
    make_images(connection, 1, model.embed_dim)


def _no_right(place: Address) -> VisionQueryError:
    return EngineError(
        f"This user may not make the schema of {place.shown} or tables in it: ask the owner of the "
        "database for CREATE, or give another schema."
    )


def _taken(place: Address) -> StoreError:
    return StoreError(
        f"There is a library at {place.shown} already: open it, or choose another schema."
    )


def _not_ours(place: Address) -> StoreError:
    return StoreError(
        f"The schema {place.schema} of {place.shown} holds something that is no library: choose "
        "another schema, as in ?schema=photos."
    )
