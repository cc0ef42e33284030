"""The tables of a library in PostgreSQL, and how those of images are made.

Images lie in a table of their generation, `images_G`: another one is made beside it for vectors of
another model or rows without holes, and the library's one row says which is in use. It is cut into
partitions by row, each with an index of its vectors of its own.
"""

from visionquery.store.base import MEASURES
from visionquery.store.pg.adapting import ask
from visionquery.store.pg.connections import OWN_SCHEMA, PgConnection

__all__ = [
    "FACTS",
    "MEASURE_NUMBERS",
    "ROWS_PER_PARTITION",
    "SCHEMA_VERSION",
    "TABLES",
    "drop_other_images",
    "images_table",
    "make_images",
    "make_partitions",
    "partitions",
]

SCHEMA_VERSION = 1

ROWS_PER_PARTITION = 1_000_000

FACTS = (
    "width, height, format, size_bytes, camera, folded_camera, taken_at, latitude, longitude, "
    "caption, keywords, folded_keywords, keyword_heads"
)
"""The columns of an image's facts. Texts that come back are in the form of `adapting.text_in`,
`keywords` as JSON; what filters compare is folded, and the index of keywords knows their heads."""

MEASURE_NUMBERS = ", ".join(f"m[{number}]" for number in range(1, MEASURES + 1))

_PLAIN_UP_TO = 1_700
"""Numbers of a vector that fits a page beside an image's facts. A longer one lies aside, as it is:
vectors cannot be compressed."""

TABLES = """
CREATE TABLE library (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    program text NOT NULL DEFAULT 'visionquery',
    version integer NOT NULL,
    model_name text NOT NULL,
    fingerprint text NOT NULL,
    embed_dim integer NOT NULL,
    model_source text NOT NULL,
    generation integer NOT NULL DEFAULT 1,
    -- The next row number, how many images there are, the number of the state, and how many rows
    -- there were when the planner last learned about them.
    rows bigint NOT NULL DEFAULT 0,
    images bigint NOT NULL DEFAULT 0,
    changes bigint NOT NULL DEFAULT 0,
    analyzed bigint NOT NULL DEFAULT 0);
-- Places are the bytes that a file system knows them by; `spelled` sorts as Python does, where that
-- is another order.
CREATE TABLE roots (
    root_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    location bytea NOT NULL,
    whole boolean NOT NULL,
    folder bytea NOT NULL,
    spelled bytea NOT NULL,
    folded text COLLATE "C" NOT NULL);
-- A row for each fragment, in the order of `place`. An index holds no long path: it has the heads.
CREATE TABLE files (
    root_id integer NOT NULL,
    head bytea NOT NULL,
    path bytea NOT NULL,
    fragment bytea NOT NULL,
    place integer NOT NULL,
    size_bytes bigint NOT NULL,
    mtime_ns bigint NOT NULL,
    "row" bigint,
    problem text,
    spelled bytea,
    folded text COLLATE "C" NOT NULL);
CREATE INDEX files_by_path ON files (root_id, head);
CREATE INDEX files_by_row ON files ("row");
CREATE TABLE texts (
    "row" bigint PRIMARY KEY DEFERRABLE,
    text text NOT NULL,
    folded text COLLATE "C" NOT NULL);
CREATE TABLE words (
    "row" bigint PRIMARY KEY DEFERRABLE,
    words text COLLATE "C" NOT NULL,
    heads text[] COLLATE "C" NOT NULL);
CREATE INDEX words_by_head ON words USING gin (heads);
CREATE TABLE measures ("row" bigint PRIMARY KEY DEFERRABLE, m real[] NOT NULL);
CREATE TABLE notes (key text COLLATE "C" PRIMARY KEY, value text NOT NULL);
-- Images whose file went: pruning looks at these alone.
CREATE TABLE loose ("row" bigint NOT NULL);
CREATE TABLE next_model (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    model_name text NOT NULL,
    fingerprint text NOT NULL,
    embed_dim integer NOT NULL,
    model_source text NOT NULL);
CREATE TABLE next_vectors ("row" bigint PRIMARY KEY, vector vector NOT NULL);
ALTER TABLE next_vectors ALTER vector SET STORAGE EXTERNAL;
"""


def images_table(generation: int) -> str:
    """Return the name of the table of a generation's images."""
    return f"images_{int(generation)}"


def make_images(connection: PgConnection, generation: int, embed_dim: int) -> str:
    """Make the table of a generation's images, empty, and return its name."""
    table = images_table(generation)
    storage = "PLAIN" if embed_dim <= _PLAIN_UP_TO else "EXTERNAL"
    connection.execute(
        f"""
        CREATE TABLE {table} (
            "row" bigint PRIMARY KEY,
            image_id bytea NOT NULL,
            width bigint NOT NULL,
            height bigint NOT NULL,
            format text NOT NULL,
            size_bytes bigint NOT NULL,
            camera text,
            folded_camera text COLLATE "C",
            taken_at text COLLATE "C",
            latitude double precision,
            longitude double precision,
            caption text,
            keywords text NOT NULL,
            folded_keywords text[] COLLATE "C" NOT NULL,
            keyword_heads text[] COLLATE "C" NOT NULL,
            vector vector({int(embed_dim)}) NOT NULL) PARTITION BY RANGE ("row");
        ALTER TABLE {table} ALTER vector SET STORAGE {storage};
        CREATE INDEX ON {table} (image_id);
        CREATE INDEX ON {table} (coalesce(taken_at, ''));
        CREATE INDEX ON {table} (latitude, longitude) WHERE latitude IS NOT NULL;
        CREATE INDEX ON {table} USING gin (keyword_heads);
        """.encode()
    )
    make_partitions(connection, table, 0, 1)
    return table


def make_partitions(connection: PgConnection, table: str, first_row: int, end: int) -> None:
    """Make the partitions, as far as they are missing, that rows from `first_row` to before `end`
    lie in."""
    last = max(end - 1, first_row) // ROWS_PER_PARTITION
    for number in range(first_row // ROWS_PER_PARTITION, last + 1):
        ((there,),) = ask(connection, "SELECT to_regclass(%s) IS NOT NULL", f"{table}_{number}")
        if not there:
            low, high = number * ROWS_PER_PARTITION, (number + 1) * ROWS_PER_PARTITION
            # Made apart and attached, it waits for nobody who reads, and nobody waits for it.
            connection.execute(
                f"""
                CREATE TABLE {table}_{number}
                    (LIKE {table} INCLUDING CONSTRAINTS INCLUDING STORAGE);
                ALTER TABLE {table} ATTACH PARTITION {table}_{number}
                    FOR VALUES FROM ({low}) TO ({high});
                """.encode()
            )


def partitions(connection: PgConnection, table: str) -> list[str]:
    """Return the names of the partitions of a table of images, in order of rows."""
    found = ask(
        connection,
        "SELECT relname::text FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid "
        "WHERE inhparent = %s::text::regclass",
        table,
    )
    return sorted((name for (name,) in found), key=lambda name: int(name.rpartition("_")[2]))


def drop_other_images(connection: PgConnection, generation: int) -> None:
    """Drop the images of generations that are not in use, inside a transaction."""
    found = ask(
        connection,
        "SELECT relname::text FROM pg_class "
        f"WHERE relnamespace = {OWN_SCHEMA} AND relkind = 'p' "
        r"AND relname ~ '^images_[0-9]+$' AND relname <> %s",
        images_table(generation),
    )
    for (name,) in found:
        connection.execute(f"DROP TABLE {name}".encode())
