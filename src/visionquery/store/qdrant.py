"""A library in Qdrant: one collection of vectors for each generation, and one of all else.

Every vector of a generation is a point whose id is the row of its image, and which carries what is
known of it, for Qdrant to filter by; the other collection has a point for each file, for notes, and
one for the state, which says what counts (`qd.state`). How a change survives a writer that is
killed, and what readers see of it before, is said in `qd.changes`; what an address means, in
`qd.address`.
"""

from visionquery.errors import StoreError
from visionquery.store.qd import files, moving
from visionquery.store.qd.address import read_address
from visionquery.store.qd.changes import vectors_name
from visionquery.store.qd.conditions import ALL, NOTHING
from visionquery.store.qd.engine import Engine, Point, connected
from visionquery.store.qd.opened import Opened, stored_state
from visionquery.store.qd.state import STATE, State, state_payload
from visionquery.store.qd.store import QdrantStore
from visionquery.types import ModelIdentity

__all__ = ["check_place", "create_store", "created_at", "open_store", "opened_at"]

_FIRST = 1  # of the generations


def open_store(address: str) -> QdrantStore:
    """Open the library at an address.

    Raises LibraryNotFoundError when there is none, SchemaTooNewError when a newer program made it,
    StoreError when something else is there, EngineError when the server cannot be had or refuses,
    InputError for an address that means nothing.
    """
    engine = connected(read_address(address))
    try:
        return opened_at(engine)
    except BaseException:
        engine.close()
        raise


def create_store(address: str, model: ModelIdentity) -> QdrantStore:
    """Make a library for a model's vectors at an address, and open it.

    Raises StoreError when something is there, EngineError, InputError.
    """
    engine = connected(read_address(address))
    try:
        return created_at(engine, model)
    except BaseException:
        engine.close()
        raise


def check_place(address: str) -> None:
    """Raise what would keep a library from being made at an address."""
    engine = connected(read_address(address))
    try:
        _check_free(engine)
    finally:
        engine.close()


def opened_at(engine: Engine) -> QdrantStore:
    """Open the library that an engine has."""
    return QdrantStore(Opened(engine, stored_state(engine)))


def created_at(engine: Engine, model: ModelIdentity) -> QdrantStore:
    """Make a library, and open it. Without its state, which comes last, it is none; of two
    processes that make one, the first one's state stays."""
    _check_free(engine)
    state = State(model, generation=_FIRST)
    moving.clear(engine, state.generation, model.embed_dim)
    engine.make(engine.address.collection, None, files.INDEXES)
    point = Point(STATE, state_payload(state))
    engine.put(engine.address.collection, [point], only_if=NOTHING)
    store = opened_at(engine)
    if store.model != model:
        raise _taken(engine)
    return store


def _check_free(engine: Engine) -> None:
    there = engine.collections()
    for name in (engine.address.collection, vectors_name(engine, _FIRST)):
        if name in there and engine.count(name, ALL):
            raise _taken(engine)


def _taken(engine: Engine) -> StoreError:
    return StoreError(
        f"There is a library or another collection at {engine.address.shown} already: choose "
        "another name."
    )
