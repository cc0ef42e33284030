"""The door to libraries in PostgreSQL with the extension pgvector (the extra `postgres`)."""

from importlib.util import find_spec

from visionquery.errors import InputError
from visionquery.store.base import Store
from visionquery.types import ModelIdentity

__all__ = ["check_place", "create_store", "open_store"]


def open_store(address: str) -> Store:
    """Open the library at an address `postgresql://user@host:port/database?schema=name`.

    Raises LibraryNotFoundError when there is none, SchemaTooNewError when a newer program made it,
    StoreError when something else is there, EngineError when PostgreSQL cannot be had or lacks
    something, InputError for an address that means nothing.
    """
    _check_installed()
    from visionquery.store.pg import opening

    return opening.open_store(address)


def create_store(address: str, model: ModelIdentity) -> Store:
    """Make a library for a model's vectors at an address, and open it.

    Raises StoreError when a library or something else is there, EngineError, InputError.
    """
    _check_installed()
    from visionquery.store.pg import opening

    return opening.create_store(address, model)


def check_place(address: str) -> None:
    """Raise what would keep a library from being made at an address."""
    _check_installed()
    from visionquery.store.pg import opening

    opening.check_place(address)


def _check_installed() -> None:
    if find_spec("psycopg") is None:
        raise InputError(
            "A library in PostgreSQL needs the extra postgres: pip install 'visionquery[postgres]'"
        )
