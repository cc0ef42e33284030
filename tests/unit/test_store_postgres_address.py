"""Addresses of libraries in PostgreSQL: what is shown of them, and what libpq gets."""

import pytest

from visionquery.errors import InputError
from visionquery.store.pg.address import parsed


@pytest.mark.parametrize(
    ("address", "shown", "conninfo", "schema"),
    [
        (
            "postgresql://ann:s%40cret@db:5433/team?schema=photos&sslmode=require",
            "postgresql://ann@db:5433/team?sslmode=require&schema=photos",
            "postgresql://ann:s%40cret@db:5433/team?sslmode=require",
            "photos",
        ),
        (
            "postgres://a,b:5433/team?target_session_attrs=any",
            "postgres://a,b:5433/team?target_session_attrs=any&schema=visionquery",
            "postgresql://a,b:5433/team?target_session_attrs=any",
            "visionquery",
        ),
        (
            "postgresql://ann@/team?host=/run/pg&password=x+y&sslpassword=z",
            "postgresql://ann@/team?host=/run/pg&schema=visionquery",
            "postgresql://ann@/team?host=/run/pg&password=x%2By&sslpassword=z",
            "visionquery",
        ),
    ],
)
def test_an_address_is_taken_apart(
    address: str, shown: str, conninfo: str, schema: str
) -> None:
    found = parsed(address)
    assert (found.shown, found.conninfo, found.schema) == (shown, conninfo, schema)


@pytest.mark.parametrize(
    "address", ["postgresql:/team", "mysql://team", "postgresql://ann:pa/ss@db#1/x"]
)
def test_what_is_no_address_is_refused_without_being_repeated(address: str) -> None:
    with pytest.raises(InputError) as refusal:
        parsed(address)
    assert address not in str(refusal.value)


@pytest.mark.parametrize("schema", ["", "pg_mine", "a" * 64, "a%00b", "a%0Ab"])
def test_a_schema_needs_a_name_that_postgresql_takes(schema: str) -> None:
    with pytest.raises(InputError, match="cannot be the schema"):
        parsed(f"postgresql://db/team?schema={schema}")


def test_nobody_sees_a_password_by_chance() -> None:
    assert "secret" not in repr(parsed("postgresql://ann:secret@db/team?password=secret"))
