"""Libraries in Qdrant for tests: in the client's mode without a server, or, where the variable
VISIONQUERY_TEST_QDRANT says where one is (`qdrant://localhost:6333`), on a server."""

import os
import secrets

from visionquery.store.qd.address import Address, read_address
from visionquery.store.qd.engine import Engine, connected
from visionquery.store.qd.store import QdrantStore
from visionquery.store.qdrant import created_at
from visionquery.types import ModelIdentity

SERVER = os.environ.get("VISIONQUERY_TEST_QDRANT", "").rstrip("/")


def new_engine() -> Engine:
    """Return an engine at an address where nothing is."""
    name = f"vqtest-{secrets.token_hex(6)}"
    if SERVER:
        return connected(read_address(f"{SERVER}/{name}"))
    from qdrant_client import QdrantClient

    # Without a folder: each point that is written to one waits for the disk.
    return Engine(QdrantClient(":memory:"), Address(f"memory/{name}", name, folder=""))


class PassingStore(QdrantStore):
    """A library of a test, which is gone once it is closed."""

    def close(self) -> None:
        engine = self._open.engine
        for name in engine.collections():
            if name.startswith(engine.address.collection):
                engine.drop(name)
        super().close()


def new_store(model: ModelIdentity) -> QdrantStore:
    """Return a new, empty store."""
    return PassingStore(created_at(new_engine(), model)._open)
