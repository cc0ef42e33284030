"""A small library on disk, ways to damage its files, and all that can be asked of it."""

import hashlib
import shutil
import sqlite3
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from visionquery.errors import StoreError
from visionquery.query.ast import Contains, Filter, Near, OneOf, Range
from visionquery.store.base import MEASURES, FileRecord, Scope
from visionquery.store.local import LocalStore, create_local, open_local
from visionquery.store.questions import Question
from visionquery.testing.store_examples import HOME, MODEL, example_image, fill

__all__ = ["answers", "change", "damaged", "example_damage", "true_answers"]

_RECORD = struct.Struct("<BBIH")
"""One act of damage: which file, what is done, where, and with what number."""

_MOST_ACTS = 12
_FEW, _MANY = 12, 1_100  # from 1,024 rows on there are codes beside the vectors
_PROBE = np.eye(1, 8, dtype=np.float32)
_VALUES = (None, -1, 0, 2**62, 1e308, "", "\0", "x" * 300, b"\xff\0", b"", "[1", "2024-13")
_FILTERS = (
    Filter("path", Contains("3")),
    Filter("date", Range("2020", "2024")),
    Filter("width", Range(1, 2000)),
    Filter("camera", Contains("s")),
    Filter("keyword", OneOf(("näme",))),
    Filter("ext", OneOf(("jpg",))),
    Filter("orientation", OneOf(("landscape",))),
    Filter("near", Near(1.0, 2.0, 30.0)),
    Filter("text", Contains("word")),
)


@cache
def _files(rows: int) -> dict[str, bytes]:
    """Return the files of a library with all that one can hold, by their paths in its folder. Its
    images are in the catalog, the changes after that still in the write-ahead log."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "library"
        with closing(create_local(folder, MODEL)) as store:
            fill(
                store,
                {f"{n}/{n}.jpg": example_image(str(n), taken_at="2021-01-01") for n in range(rows)},
            )
            with store.writing():
                store.write_texts({row: f"word {row}" for row in range(3)})
        with closing(open_local(folder)) as store:
            with store.writing():
                store.write_texts({row: f"word {row}" for row in range(4)})
                store.write_measures(0, np.ones((4, MEASURES), dtype=np.float32))
                store.set_note("decoder", "1")
                root = store.roots()[0]
                store.write([], [FileRecord(root.root_id, "bad.jpg", 1, 2, None, "it is empty")])
                store.forget([(root.root_id, "5/5.jpg")])
                store.prune()
            return {
                path.relative_to(folder).as_posix(): path.read_bytes()
                for path in sorted(folder.rglob("*"))
                if path.is_file() and path.suffix != ".sqlite-shm"
            }


@contextmanager
def damaged(data: bytes) -> Iterator[Path]:
    """Give the folder of a library damaged in the way that the bytes say: the first whether it
    has codes, all others acts of eight."""
    files = _files(_MANY if data[:1] == b"\1" else _FEW)
    place = Path(tempfile.mkdtemp())
    try:
        folder = place / "library"
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        # SQL first: it needs whole files.
        for act in sorted(_acts(data[1:]), key=lambda act: act[1] % 8 != 7):
            _damage(folder, sorted(files), *act)
        yield folder
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _acts(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    whole = data[: len(data) // _RECORD.size * _RECORD.size][: _MOST_ACTS * _RECORD.size]
    yield from _RECORD.iter_unpack(whole)


def _damage(folder: Path, names: list[str], file: int, kind: int, place: int, value: int) -> None:
    path = folder / names[file % len(names)]
    if not path.exists():
        return
    if kind % 8 == 7:
        _put_in_cell(folder / "catalog.sqlite", place, value)
        return
    content = bytearray(path.read_bytes())
    at = place % (len(content) + 1)
    match kind % 8:
        case 0:
            content[at : at + 1] = bytes(byte ^ (value & 255 or 1) for byte in content[at : at + 1])
        case 1:
            content[at : at + 2] = struct.pack("<H", value)[: len(content) - at]
        case 2:
            del content[at:]
        case 3:
            content[at : at + 512] = bytes(len(content[at : at + 512]))
        case 4:
            first, second = (number // 4096 * 4096 for number in (at, value * 64 % (at + 1)))
            page, other = content[first : first + 4096], content[second : second + 4096]
            content[first : first + len(other)], content[second : second + len(page)] = other, page
        case 5:
            path.unlink()
            return
        case _:
            other_path = folder / names[value % len(names)]
            content = bytearray(other_path.read_bytes() if other_path.exists() else b"")
    path.write_bytes(content)


def _put_in_cell(catalog: Path, place: int, value: int) -> None:
    """Put a value where another kind of value belongs, as one flipped bit of a record can."""
    with closing(sqlite3.connect(catalog, isolation_level=None)) as connection:
        try:
            tables = [name for (name,) in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
            )]  # fmt: skip
            table = tables[place % len(tables)]
            columns = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]
            column = columns[place // 64 % len(columns)]
            new = _VALUES[value % len(_VALUES)]
            connection.execute("PRAGMA writable_schema = ON")
            connection.execute(f"UPDATE OR IGNORE {table} SET {column} = ?", (new,))
        except sqlite3.Error:  # constraints that hold, and a table that is not to be changed
            return


def answers(folder: Path) -> list[object]:
    """Open a library and return all it answers, in a form to be compared; a refusal is None."""
    try:
        store = open_local(folder)
    except StoreError:
        return []
    with closing(store):
        return [_asked(lambda question=question: question(store)) for question in _QUESTIONS]


def _asked(question: Callable[[], Any]) -> object:
    try:
        answer = question()
    except StoreError as error:
        _check_refusal(error)
        return None
    return answer.tolist() if isinstance(answer, np.ndarray) else answer


def _check_refusal(error: StoreError) -> None:
    assert str(error), "a refusal without words"


def _rows(store: LocalStore) -> list[int]:
    return np.flatnonzero(store.alive()).tolist()


_QUESTIONS: tuple[Callable[[LocalStore], Any], ...] = (
    lambda store: store.model,
    lambda store: store.image_count(),
    lambda store: store.row_count(),
    lambda store: store.roots(),
    lambda store: store.locate(f"{HOME}/3/3.jpg"),
    lambda store: [store.files(Scope(root.root_id)) for root in store.roots()],
    lambda store: store.alive(),
    lambda store: store.scores(_PROBE)[:, _rows(store)],
    lambda store: store.estimates(_PROBE).cosines.shape,
    lambda store: store.candidates(Question(_PROBE, (0,), _PROBE[:0], 3, 1)).rows,
    *(lambda store, test=test: store.matching(test) for test in _FILTERS),
    lambda store: store.holding("näme"),
    lambda store: store.text_read(),
    lambda store: np.nan_to_num(store.measures(), nan=-1.0),
    lambda store: store.within([Scope(root.root_id, "3") for root in store.roots()]),
    lambda store: store.records(_rows(store)),
    lambda store: store.ordered("path"),
    lambda store: store.ordered("date"),
    lambda store: store.facets(),
    lambda store: store.find("0"),
    lambda store: store.vectors(_rows(store)),
    lambda store: store.next_model(),
    lambda store: store.next_done(),
    lambda store: store.note("decoder"),
    lambda store: store.size_bytes() > 0,
)


def change(folder: Path) -> None:
    """Write, forget and prune in a library, or be refused."""
    try:
        with closing(open_local(folder)) as store, store.writing():
            root = store.add_root(HOME)
            new = example_image("new")
            store.write([new], [FileRecord(root.root_id, "new.jpg", 1, 2, new.image_id)])
            store.write_texts({store.find(new.image_id)[0]: "new words"})
            store.set_note("decoder", "2")
            store.forget([(root.root_id, "3/3.jpg")])
            store.prune()
    except StoreError as error:
        _check_refusal(error)


@cache
def true_answers(*, coded: bool) -> list[object]:
    """Return what the library answers while nothing is damaged."""
    with damaged(b"\1" if coded else b"\0") as folder:
        return answers(folder)


def example_damage() -> list[bytes]:
    """Return ways to damage a library, a few of every kind, drawn from a fixed sequence."""
    made = []
    for number in range(64):
        drawn = hashlib.sha256(bytes([number])).digest()
        made.append(bytes([number % 16 == 0]) + bytes([drawn[0], number % 8]) + drawn[1:23])
    return made
