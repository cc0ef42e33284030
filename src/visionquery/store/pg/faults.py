"""What PostgreSQL and the way to it complain about, said as one sentence that helps."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from visionquery.errors import (
    EngineError,
    InputError,
    LibraryReadOnlyError,
    LibraryReplacedError,
    StoreError,
    VisionQueryError,
)
from visionquery.store.pg.address import Address

__all__ = ["may_pass", "refused_connection", "replaced", "translated"]

_STARTING, _TOO_MANY = "57P03", "53300"
_UNDEFINED = ("42P01", "3F000", "42703")  # a table, a schema, a column that is not there
_LATER = ("40001", "40P01", "55P03")
_REFUSED_CONNECTIONS = (
    ("password authentication failed|no password supplied|SASL|no pg_hba.conf entry"
     "|authentication failed|role .* (?:does not exist|is not permitted to log in)",
     "does not let this user in ({}): check the user and the password (in the address, PGPASSWORD "
     "or ~/.pgpass)."),
    ("database .* does not exist",
     "has no such database ({}): create it (createdb), or correct the address."),
    ("too many (?:clients|connections)|remaining connection slots",
     "takes no more connections now ({}): try again later, or raise its max_connections."),
    ("starting up|shutting down|recovery mode|not yet accepting",
     "is not ready ({}): try again in a moment."),
)  # fmt: skip


@contextmanager
def translated(address: Address, *, writing: bool = False) -> Iterator[None]:
    """Turn errors of psycopg about the library at an address into ours. `writing` says that a
    transaction was under way."""
    try:
        yield
    except psycopg.Error as error:
        raise _meaning(error, address.shown, writing=writing) from error


def refused_connection(error: psycopg.Error, address: Address) -> VisionQueryError:
    """Return the error for a connection that could not be made."""
    if isinstance(error, psycopg.ProgrammingError):
        return InputError(
            f"The address {address.shown} means nothing to PostgreSQL: check the names after '?', "
            "and write special characters of a user or a password as %XX."
        )
    said = _first_line(error)
    for pattern, meaning in _REFUSED_CONNECTIONS:
        if re.search(pattern, str(error)):
            return EngineError(f"PostgreSQL at {address.shown} {meaning.format(said)}")
    return EngineError(
        f"PostgreSQL at {address.shown} cannot be reached ({said}): check that it runs, and the "
        "address."
    )


def may_pass(error: psycopg.Error) -> bool:
    """Return whether a connection that could not be made may be made in a moment."""
    if not isinstance(error, psycopg.OperationalError):
        return False
    first_three = (pattern for pattern, _ in _REFUSED_CONNECTIONS[:2])
    return not any(re.search(pattern, str(error)) for pattern in first_three)


def replaced(shown: str) -> LibraryReplacedError:
    """Return the error for a library that is not the one that was opened any more."""
    return LibraryReplacedError(
        f"The library {shown} was moved to another model, compacted or replaced while it was open "
        "here: open it again."
    )


def _meaning(error: psycopg.Error, shown: str, *, writing: bool) -> VisionQueryError:
    code, said = error.sqlstate or "", _first_line(error)
    if code in _UNDEFINED:
        return replaced(shown)
    if code == "25006":
        return LibraryReadOnlyError(
            f"The library {shown} can only be read here, where PostgreSQL is a replica or set to "
            "read only: use the address of the primary server to change it."
        )
    if code == "42501":
        return LibraryReadOnlyError(
            f"The library {shown} may not be opened or changed by this user ({said}): ask the "
            "owner of its schema for the rights."
        )
    if code == "57014":
        return EngineError(
            f"PostgreSQL at {shown} broke off what took it too long ({said}): raise its "
            "statement_timeout for this user, or ask for less."
        )
    if code.startswith("53"):
        return EngineError(
            f"PostgreSQL at {shown} has no room left ({said}): free some, then run the command "
            "again; what was stored so far is kept."
        )
    if code in _LATER:
        return EngineError(f"PostgreSQL at {shown} was busy ({said}): try again in a moment.")
    if code.startswith("54"):
        return StoreError(f"Something is too large for the library {shown}: {said}.")
    if code.startswith(("08", "57P")) or (not code and isinstance(error, psycopg.OperationalError)):
        kept = "; nothing of the last step is half-written" if writing else ""
        return EngineError(
            f"The connection to PostgreSQL at {shown} was lost ({said}){kept}: check that it runs, "
            "then run the command again."
        )
    return EngineError(f"PostgreSQL at {shown} failed: {said}.")


def _first_line(error: psycopg.Error) -> str:
    text = error.diag.message_primary or str(error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else type(error).__name__
