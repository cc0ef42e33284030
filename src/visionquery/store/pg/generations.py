"""Images made anew beside those in use: with the vectors of another model, or without holes.

Functions over a connection, inside a transaction of the caller's: until it is committed, nothing
has changed.
"""

from collections.abc import Mapping, Sequence

from visionquery.errors import StoreError
from visionquery.store.pg.adapting import ask, text_in, text_out
from visionquery.store.pg.connections import PgConnection
from visionquery.store.pg.nearest import EXACT_UP_TO, make_indexes
from visionquery.store.pg.opened import State
from visionquery.store.pg.tables import FACTS, make_images, make_partitions
from visionquery.types import ModelIdentity

__all__ = [
    "begin_next",
    "compact",
    "drop_next",
    "finish_next",
    "next_model",
    "note",
    "set_note",
]

_NUMBERED = ("files", "texts", "words", "measures", "loose")
_MODEL = "model_name, fingerprint, embed_dim, model_source"


def next_model(connection: PgConnection) -> ModelIdentity | None:
    """Return the model that the library is being moved to."""
    found = ask(connection, f"SELECT {_MODEL} FROM next_model")
    return ModelIdentity(*found[0]) if found else None


def begin_next(connection: PgConnection, model: ModelIdentity) -> None:
    """Say that the library moves to a model; what was made for another one is dropped."""
    before = next_model(connection)
    if before is None or before.fingerprint != model.fingerprint:
        drop_next(connection)
    # Also when going on: the model may have been found in another place this time.
    ask(connection, "DELETE FROM next_model")
    ask(
        connection,
        f"INSERT INTO next_model ({_MODEL}) VALUES (%s, %s, %s, %s)",
        model.name,
        model.fingerprint,
        model.embed_dim,
        model.source,
    )


def drop_next(connection: PgConnection) -> None:
    """Forget the move and its vectors."""
    ask(connection, "DELETE FROM next_model")
    ask(connection, "DELETE FROM next_vectors")


def finish_next(
    connection: PgConnection, state: State, *, forget_notes: Sequence[str]
) -> ModelIdentity:
    """Put images with the vectors of the next model in place of those in use, and return it.

    Raises StoreError when there is no next model, or an image without a vector of it.
    """
    model = next_model(connection)
    if model is None:
        raise StoreError("The library is not being moved to another model.")
    ((lacks,),) = ask(
        connection,
        f"SELECT EXISTS (SELECT FROM {state.table} AS i "
        "WHERE NOT EXISTS (SELECT FROM next_vectors AS n WHERE n.row = i.row))",
    )
    if lacks:
        raise StoreError(f"Not every image has a vector of {model.name}: write those first.")
    source = f"{state.table} AS i JOIN next_vectors AS n ON n.row = i.row"
    _make_anew(connection, state, model, "i.row", "n.vector", source, state.rows)
    ask(
        connection,
        f"UPDATE library SET generation = %s, ({_MODEL}) = (SELECT {_MODEL} FROM next_model)",
        state.generation + 1,
    )
    ask(connection, "DELETE FROM measures")
    ask(connection, "DELETE FROM notes WHERE key = ANY(%s)", [text_in(k) for k in forget_notes])
    drop_next(connection)
    return model


def compact(connection: PgConnection, state: State, notes: Mapping[str, str]) -> bool:
    """Number the images 0 to n - 1 and keep the notes; return whether there was a hole, without
    which nothing changes.

    Raises StoreError while the library is being moved to another model.
    """
    if state.rows == state.images:
        return False
    if (moving := next_model(connection)) is not None:
        raise StoreError(
            f"The library is being moved to the model {moving.name}: finish that first "
            "(visionquery index --reencode), then compact it."
        )
    connection.execute(
        "CREATE TEMP TABLE moved ON COMMIT DROP AS SELECT i.row AS old, "
        f"row_number() OVER (ORDER BY i.row) - 1 AS new FROM {state.table} AS i".encode()
    )
    connection.execute(b"ANALYZE moved")
    source = f"{state.table} AS i JOIN moved ON old = i.row"
    _make_anew(connection, state, state.model, "new", "i.vector", source, state.images)
    for table in _NUMBERED:
        if table != "files":
            connection.execute(
                f'DELETE FROM {table} WHERE "row" NOT IN (SELECT old FROM moved)'.encode()
            )
        connection.execute(
            f'UPDATE {table} SET "row" = new FROM moved WHERE "row" = old AND old <> new'.encode()
        )
    ask(
        connection,
        "UPDATE library SET generation = %s, rows = images, analyzed = 0",
        state.generation + 1,
    )
    for key, value in notes.items():
        set_note(connection, key, value)
    return True


def set_note(connection: PgConnection, key: str, value: str) -> None:
    """Keep a note in place of the one that is there."""
    ask(
        connection,
        "INSERT INTO notes VALUES (%s, %s) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        text_in(key),
        text_in(value),
    )


def note(connection: PgConnection, key: str) -> str | None:
    """Return a note, None when there is none."""
    found = ask(connection, "SELECT value FROM notes WHERE key = %s", text_in(key))
    return text_out(found[0][0]) if found else None


def _make_anew(
    connection: PgConnection,
    state: State,
    model: ModelIdentity,
    row: str,
    vector: str,
    source: str,
    row_count: int,
) -> None:
    table = make_images(connection, state.generation + 1, model.embed_dim)
    make_partitions(connection, table, 0, row_count)
    connection.execute(
        f'INSERT INTO {table} ("row", image_id, vector, {FACTS}) '
        f"SELECT {row}, i.image_id, {vector}, {FACTS} FROM {source} ORDER BY 1".encode()
    )
    if row_count > EXACT_UP_TO:
        make_indexes(connection, table, model.embed_dim)
