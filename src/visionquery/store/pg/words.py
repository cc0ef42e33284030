"""The words of images, and which images have a phrase of them.

Every image has a row in `words`, made anew by `refresh` in the transaction that changes its facts,
files or text. Names of roots are compared when asked: a root that moves leaves the words as they
are.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath

import numpy as np

from visionquery.store.base import FileRecord, NewImage, Root
from visionquery.store.folding import folded, with_single_spaces
from visionquery.store.fragments import compared, fragment_of, parts_of
from visionquery.store.pg.adapting import Rows, ask, sent_rows, text_in
from visionquery.store.pg.conditions import NOWHERE, Condition, both, either
from visionquery.store.pg.connections import PgConnection
from visionquery.store.pg.images import HEAD, facts_of
from visionquery.store.places import unpacked
from visionquery.store.words import holds, image_words, name_words

__all__ = [
    "add_words",
    "drop_words",
    "holding",
    "in_a_row",
    "put_texts",
    "refresh",
    "roots_named",
    "words_anywhere",
]

_ROWS_AT_ONCE = 10_000


def holding(phrase: str, roots: Sequence[Root]) -> Condition:
    """Return the condition for an image `i` to have the words of a phrase, as `words_of` gives
    them, in a row."""
    if not phrase:
        return NOWHERE
    inside = in_a_row(phrase)
    found = Condition(
        f"EXISTS (SELECT FROM words AS w WHERE w.row = i.row AND {inside.text})", inside.values
    )
    named = roots_named(phrase, roots)
    if not named:
        return found
    below = "EXISTS (SELECT FROM files AS f WHERE f.row = i.row AND f.root_id = ANY(%s))"
    return either([found, Condition(below, (named,))])


def roots_named(phrase: str, roots: Iterable[Root]) -> list[int]:
    """Return the numbers of the roots whose name has the words of a phrase in a row."""
    return [
        root.root_id
        for root in roots
        if phrase
        and any(holds(words, phrase) for words in name_words(PurePath(root.location).name))
    ]


def words_anywhere(phrase: str) -> Condition:
    """Return the condition for the words `w` to have those of a phrase, as far as the index knows
    them, anywhere: what the planner can tell the number of."""
    return Condition("w.heads @> %s::text[]", (_heads(phrase),))


def in_a_row(phrase: str) -> Condition:
    """Return the condition for the words `w` to have those of a phrase, of one at least, in a
    row."""
    # The index knows heads of words alone; the text decides.
    exactly = Condition("strpos(' ' || w.words || ' ', %s) > 0", (f" {phrase} ",))
    return both(words_anywhere(phrase), exactly)


def add_words(
    connection: PgConnection,
    first_row: int,
    images: Sequence[NewImage],
    files: Iterable[FileRecord],
) -> None:
    """Store the words of new images, one row each from `first_row` on, in these files alone."""
    paths: defaultdict[str, list[str]] = defaultdict(list)
    for file in files:
        for part in parts_of(file):
            if part.image_id is not None:
                paths[part.image_id].append(compared(file.path, part.name))
    _put(
        connection,
        (
            (row, image_words(image.facts.caption, image.facts.keywords, paths[image.image_id], ""))
            for row, image in enumerate(images, start=first_row)
        ),
    )


def refresh(connection: PgConnection, table: str, rows: Iterable[int]) -> None:
    """Make the words of rows what they are now."""
    stale = np.sort(np.fromiter(rows, dtype=np.int64))
    for start in range(0, len(stale), _ROWS_AT_ONCE):
        part = stale[start : start + _ROWS_AT_ONCE]
        drop_words(connection, part)
        _put(connection, _made(connection, table, part))


def drop_words(connection: PgConnection, rows: Rows) -> None:
    """Forget the words of rows."""
    ask(connection, 'DELETE FROM words WHERE "row" = ANY(%s)', sent_rows(rows))


def put_texts(connection: PgConnection, texts: Mapping[int, str]) -> None:
    """Store the texts that were read in the images of rows in place of those that are there."""
    rows = sent_rows(np.fromiter(texts, dtype=np.int64))
    ask(connection, 'DELETE FROM texts WHERE "row" = ANY(%s)', rows)
    with connection.cursor().copy(
        'COPY texts ("row", text, folded) FROM STDIN (FORMAT BINARY)'
    ) as copy:
        copy.set_types(("int8", "text", "text"))
        for row, text in texts.items():
            copy.write_row((row, text_in(text), with_single_spaces(folded(text))))


def _made(connection: PgConnection, table: str, rows: Rows) -> Iterator[tuple[int, str]]:
    paths: defaultdict[int, list[str]] = defaultdict(list)
    for row, path, fragment in ask(
        connection,
        'SELECT "row", path, fragment FROM files WHERE "row" = ANY(%s)',
        sent_rows(rows),
    ):
        paths[row].append(compared(unpacked(path), fragment_of(fragment)))
    # The answer is here as a whole: words are written over the same connection.
    for row, caption, keywords, text in facts_of(connection, table, rows):
        yield row, image_words(caption, keywords, paths[row], text)


def _put(connection: PgConnection, words: Iterable[tuple[int, str]]) -> None:
    made = list(words)
    with connection.cursor().copy(
        'COPY words ("row", words, heads) FROM STDIN (FORMAT BINARY)'
    ) as copy:
        copy.set_types(("int8", "text", "text[]"))
        for row, text in made:
            copy.write_row((row, text, _heads(text)))


def _heads(words: str) -> list[str]:
    return list(dict.fromkeys(word[:HEAD] for word in words.split()))
