"""The catalog's tables and their version."""

__all__ = [
    "APPLICATION_ID",
    "CHECKSUMS",
    "FACETS",
    "FILES",
    "FILE_TRIGGERS",
    "NEXT_MODEL",
    "SCHEMA_VERSION",
    "TABLES",
]

APPLICATION_ID = 0x56514C42
"""Marks a SQLite file as a VisionQuery catalog ("VQLB")."""

SCHEMA_VERSION = 5

NEXT_MODEL = (
    # At most one row: the model that the library is being moved to.
    """CREATE TABLE next_model (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        model_name TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        embed_dim INTEGER NOT NULL,
        model_source TEXT NOT NULL,
        generation INTEGER NOT NULL)""",
    # Which rows have their vector of it; some may have become holes since.
    "CREATE TABLE next_rows (row INTEGER PRIMARY KEY)",
)

FILES = (
    # A row for each fragment, in the order of `place`; a file that is an image has one row, whose
    # fragment is empty. Paths and fragments are bytes: a name need not be text.
    """CREATE TABLE files (
        root_id INTEGER NOT NULL,
        path BLOB NOT NULL,
        size_bytes INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        row INTEGER,
        problem TEXT,
        folded TEXT NOT NULL DEFAULT '',
        fragment BLOB NOT NULL DEFAULT x'',
        place INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (root_id, path, fragment)) WITHOUT ROWID""",
    "CREATE INDEX files_by_row ON files (row)",
)

FACETS = (
    "CREATE INDEX images_by_size ON images (width, height)",
    "CREATE INDEX images_by_camera ON images (camera) WHERE camera IS NOT NULL",
    "CREATE INDEX images_by_position ON images (latitude, longitude) WHERE latitude IS NOT NULL",
    # In the form that filters compare.
    """CREATE TABLE keywords (
        folded TEXT NOT NULL,
        row INTEGER NOT NULL,
        PRIMARY KEY (folded, row)) WITHOUT ROWID""",
    # An image whose text was read has a row here, though nothing stood in it.
    "CREATE TABLE texts (row INTEGER PRIMARY KEY, text TEXT NOT NULL, folded TEXT NOT NULL)",
    # Parts of 4,096 rows: MEASURES float32 of each.
    "CREATE TABLE measures (part INTEGER PRIMARY KEY, numbers BLOB NOT NULL)",
    # Words come apart at single spaces, nothing else; "|" stands between those of two texts.
    """CREATE VIRTUAL TABLE words USING fts5 (
        text, tokenize = "ascii tokenchars '|'", columnsize = 0)""",
    # Images whose words are to be made anew before the transaction ends; NULL means none.
    "CREATE TABLE stale_words (row INTEGER)",
    """CREATE TRIGGER image_comes AFTER INSERT ON images BEGIN
        INSERT INTO stale_words VALUES (new.row); END""",
    """CREATE TRIGGER image_goes AFTER DELETE ON images BEGIN
        INSERT INTO stale_words VALUES (old.row); END""",
    """CREATE TRIGGER text_comes AFTER INSERT ON texts BEGIN
        INSERT INTO stale_words VALUES (new.row); END""",
)

FILE_TRIGGERS = (
    """CREATE TRIGGER file_comes AFTER INSERT ON files BEGIN
        INSERT INTO stale_words VALUES (new.row); END""",
    """CREATE TRIGGER file_goes AFTER DELETE ON files BEGIN
        INSERT INTO stale_words VALUES (old.row); END""",
    """CREATE TRIGGER file_changes AFTER UPDATE OF row ON files WHEN old.row IS NOT new.row BEGIN
        INSERT INTO stale_words VALUES (old.row), (new.row); END""",
)

CHECKSUMS = (
    # As `checksums` makes them; NULL is none, of what an older program wrote.
    "ALTER TABLE images ADD COLUMN vector_crc INTEGER",
    "ALTER TABLE images ADD COLUMN facts_crc INTEGER",
    "ALTER TABLE next_rows ADD COLUMN vector_crc INTEGER",
    """CREATE TRIGGER image_changes AFTER UPDATE OF caption, keywords ON images BEGIN
        INSERT INTO stale_words VALUES (new.row); END""",
)

TABLES = (
    # One row: what the vectors are and how many are committed. Vectors past `rows` do not exist.
    """CREATE TABLE library (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        model_name TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        embed_dim INTEGER NOT NULL,
        model_source TEXT NOT NULL,
        generation INTEGER NOT NULL,
        rows INTEGER NOT NULL)""",
    # AUTOINCREMENT: the number of a root that went is never given to another.
    """CREATE TABLE roots (
        root_id INTEGER PRIMARY KEY AUTOINCREMENT,
        location BLOB NOT NULL UNIQUE,
        whole INTEGER NOT NULL DEFAULT 1)""",
    """CREATE TABLE images (
        row INTEGER PRIMARY KEY,
        image_id BLOB NOT NULL UNIQUE,
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        format TEXT NOT NULL,
        size_bytes INTEGER NOT NULL,
        camera TEXT,
        taken_at TEXT,
        latitude REAL,
        longitude REAL,
        caption TEXT,
        keywords TEXT NOT NULL)""",
    "CREATE INDEX images_by_date ON images (taken_at)",
    *FILES,
    "CREATE TABLE holes (row INTEGER PRIMARY KEY)",
    "CREATE TABLE notes (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    *NEXT_MODEL,
    *FACETS,
    *FILE_TRIGGERS,
    *CHECKSUMS,
)
