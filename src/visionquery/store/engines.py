"""Stores at an address: an engine of its own keeps the library, here or on other machines.

Each scheme has its module, which is imported when it is asked for.
"""

import re
from importlib import import_module
from typing import Protocol, cast

from visionquery.errors import InputError
from visionquery.store.base import Store
from visionquery.types import ModelIdentity, is_address

__all__ = ["check_engine", "create_engine", "open_engine", "shown"]

_MODULES = {
    "postgresql": "visionquery.store.postgres",
    "postgres": "visionquery.store.postgres",
    "qdrant": "visionquery.store.qdrant",
}


# A password before the host, and what parameters carry of that kind.
_SECRETS = re.compile(r"(?<=://)(?P<user>[^/@:]*):[^/@]*(?=@)|(?P<key>(api_key|password)=)[^&]*")


class _Engine(Protocol):
    def open_store(self, address: str) -> Store: ...

    def create_store(self, address: str, model: ModelIdentity) -> Store: ...

    def check_place(self, address: str) -> None: ...


def shown(location: str) -> str:
    """Return a folder, or an address without the passwords that it may have in it."""
    if not is_address(location):
        return location
    return _SECRETS.sub(lambda found: found["user"] or f"{found['key'] or ''}", location)


def open_engine(address: str) -> Store:
    """Open the library at an address.

    Raises LibraryNotFoundError when there is none, SchemaTooNewError when a newer program made it,
    EngineError when the engine cannot be had or fails, InputError for an address that means
    nothing.
    """
    return _engine(address).open_store(address)


def create_engine(address: str, model: ModelIdentity) -> Store:
    """Make a library for a model's vectors at an address, and open it.

    Raises StoreError when a library or something else is there, EngineError, InputError.
    """
    return _engine(address).create_store(address, model)


def check_engine(address: str) -> None:
    """Raise what would keep a library from being made at an address."""
    _engine(address).check_place(address)


def _engine(address: str) -> _Engine:
    scheme = address.partition("://")[0].lower()
    if scheme not in _MODULES:
        raise InputError(
            f"There is no kind of library {scheme}://: give a folder, or an address that begins "
            "with postgresql:// or qdrant://."
        )
    return cast(_Engine, import_module(_MODULES[scheme]))
