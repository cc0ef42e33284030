"""The address of a library in PostgreSQL: libpq's own, and the schema that the library is in.

`postgresql://user:password@host:port/database?schema=photos`: `schema` is ours, everything else
means what it means to libpq (several hosts, `target_session_attrs`, `sslmode` …).
"""

import re
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlencode

from visionquery.errors import InputError

__all__ = ["Address", "parsed"]

_SCHEMA = "visionquery"
_SECRET = frozenset({"password", "sslpassword", "oauth_client_secret"})
_FORM = re.compile(r"(postgres(?:ql)?)://(?:([^/?#]*)@)?([^?#]*)(?:\?([^#]*))?", re.DOTALL)
_MOST_BYTES = 63  # a longer name is cut off by PostgreSQL


@dataclass(frozen=True, slots=True)
class Address:
    """What a person may see of an address, what libpq is given, and the schema."""

    shown: str
    conninfo: str = field(repr=False)
    schema: str


def parsed(address: str) -> Address:
    """Return what an address says. Raises InputError for one that cannot be read."""
    form = _FORM.fullmatch(address)
    if form is None:
        # What was given is not repeated: there may be a password in it.
        raise InputError(
            "The address of the library is none of PostgreSQL: write "
            "postgresql://user@host:port/database?schema=name, special characters of a user or "
            "a password as %XX."
        )
    scheme, account, place, query = form.groups(default="")
    # "+" is itself here, as it is to libpq.
    pairs = [(unquote(key), unquote(value)) for key, _, value in
             (each.partition("=") for each in query.split("&") if each)]
    schema = next((value for key, value in pairs if key == "schema"), _SCHEMA)
    _check_schema(schema)
    others = [(key, value) for key, value in pairs if key != "schema"]
    public = [(key, value) for key, value in others if key not in _SECRET]
    user = quote(unquote(account.partition(":")[0]), safe="")
    return Address(
        shown=_joined(scheme, user, place, [*public, ("schema", schema)]),
        conninfo=_joined("postgresql", account, place, others),
        schema=schema,
    )


def _joined(scheme: str, account: str, place: str, pairs: list[tuple[str, str]]) -> str:
    at = f"{account}@" if account else ""
    # A folder of sockets is easier to read as it is.
    query = urlencode(pairs, quote_via=quote, safe="/")
    return f"{scheme}://{at}{place}" + (f"?{query}" if query else "")


def _check_schema(schema: str) -> None:
    fits = 0 < len(schema.encode("utf-8", "surrogatepass")) <= _MOST_BYTES
    if not fits or "\0" in schema or schema.startswith("pg_") or not schema.isprintable():
        raise InputError(
            f"{schema!r} cannot be the schema of a library: give a name of 1 to {_MOST_BYTES} "
            "bytes that does not begin with pg_, as in ?schema=photos."
        )
