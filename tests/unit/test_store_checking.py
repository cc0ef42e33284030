"""Damage of every kind is found, and what is brought in order is a library like any other."""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from visionquery.doctor import Diagnosis, examine
from visionquery.errors import StoreError
from visionquery.store.base import FileRecord, Fragment, NewImage, Scope
from visionquery.store.catalog_checks import facts_damage, stored_facts
from visionquery.store.checking import Checked, check
from visionquery.store.local import create_local, open_local
from visionquery.store.vector_checks import check_vectors
from visionquery.testing.store_examples import MODEL, example_image, fill
from visionquery.types import ModelIdentity

NEXT = ModelIdentity(name="next", fingerprint="f2", embed_dim=4, source="next")
GONE = range(3, 6)
FILES = {
    f"{number % 5}/Pic_{number}.jpg": example_image(str(number), taken_at="2024-01-01T00:00:00")
    for number in range(60)
}
PAGES = [example_image(f"page {number}") for number in range(3)]


def quiet(*_: object) -> None:
    """Show no progress."""


def look(folder: Path) -> Checked:
    return check(folder, on_progress=quiet)


def mend(folder: Path) -> Diagnosis:
    return examine(folder, mend=True, on_progress=quiet)


def index(folder: Path) -> None:
    """What an indexing does: read what it does not know, and drop what is in no file."""
    with closing(open_local(folder)) as store, store.writing():
        root = store.add_root(os.path.abspath(os.sep + "pictures"))  # noqa: PTH100
        known = store.files(Scope(root.root_id))
        files = [FileRecord(root.root_id, path, 1, 2, image.image_id) for path, image in kept()]
        parts = tuple(Fragment(f"page={n}", each.image_id) for n, each in enumerate(PAGES, start=1))
        files.append(FileRecord(root.root_id, "a.pdf", 1, 2, None, fragments=parts))
        files.append(FileRecord(root.root_id, "broken.jpg", 1, 2, None, "it is not whole"))
        new = [file for file in files if known.get(file.path) != file]
        images: list[NewImage] = [*PAGES, *(image for _, image in kept())]
        wanted = {part.image_id for file in new for part in (file, *file.fragments)}
        store.write([image for image in images if image.image_id in wanted], new)
        strange = known.keys() - {file.path for file in files}
        store.forget([(root.root_id, path) for path in strange])
        store.prune()


def kept() -> Sequence[tuple[str, NewImage]]:
    return [pair for number, pair in enumerate(FILES.items()) if number not in GONE]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library with holes, texts, notes, a file of several images and one of none."""
    folder = tmp_path_factory.mktemp("whole") / "library"
    with closing(create_local(folder, MODEL)) as store:
        fill(store, FILES, home=os.path.abspath(os.sep + "pictures"))  # noqa: PTH100
        with store.writing():
            paths = list(FILES)
            store.forget([(1, paths[number]) for number in GONE])
            store.prune()
            store.write_texts({row: f"text of {row}" for row in range(10, 20)})
            store.write_measures(0, np.ones((60, 1), np.float32))
    index(folder)
    return folder


@pytest.fixture
def library(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "library")


def content(folder: Path) -> object:
    """All that a person can ask of a library."""
    with closing(open_local(folder)) as store:
        files = {path: file for root in store.roots() for path, file in
                 store.files(Scope(root.root_id)).items()}  # fmt: skip
        rows = np.flatnonzero(store.alive()).tolist()
        images = {
            record.image_id: (record.facts, record.paths, dict(record.fragments), vector.tobytes())
            for record, vector in zip(store.records(rows), store.vectors(rows), strict=True)
        }
        words = [np.count_nonzero(store.holding(word)) for word in ("pic", "näme 7", "pic 17")]
        roots = [(root.location, root.whole) for root in store.roots()]
        return files, images, words, roots, store.model, store.image_count()


def sql(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / "catalog.sqlite")) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def flip(path: Path, place: int, bits: int = 1) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        (before,) = file.read(1)
        file.seek(place)
        file.write(bytes([before ^ bits]))


def test_a_whole_library_is_whole(made: Path) -> None:
    found = look(made)
    assert found.is_whole, found
    assert (found.images, found.files, found.coded) == (60, 61, 0)


def test_a_repair_of_a_whole_library_changes_nothing(library: Path) -> None:
    before = (library / "catalog.sqlite").read_bytes()
    found = mend(library)
    assert found.is_whole
    assert found.repaired is None
    assert (library / "catalog.sqlite").read_bytes() == before


def test_every_flipped_byte_of_a_vector_is_found(library: Path) -> None:
    place = library / "vectors-1"
    with closing(sqlite3.connect(library / "catalog.sqlite")) as connection:
        found = connection.execute("SELECT row, vector_crc FROM images ORDER BY row").fetchall()
    rows, checksums = np.array(found, dtype=np.int64).T
    chance = random.Random(1)
    for row in rows.tolist():
        for byte in range(32):
            flip(place / "000000.f32", row * 32 + byte, bit := 1 << chance.randrange(8))
            wrong = check_vectors(place, 8, rows, checksums, on_progress=quiet)
            assert wrong == {row: "its vector is damaged"}
            flip(place / "000000.f32", row * 32 + byte, bit)
    assert look(library).is_whole


CHANGES = [
    "image_id = x'00112233445566778899aabbccddeeff'", "image_id = 5", "width = 641", "height = 'a'",
    "format = 'JPEH'", "size_bytes = 1001", "camera = 'A'", "taken_at = '2024-01-01T00:00:01'",
    "taken_at = CAST(x'ff' AS TEXT)", "latitude = 1.0", "longitude = 'x'", "caption = ''",
    "keywords = '[]'", "keywords = '[\"n'", "facts_crc = facts_crc + 1", "vector_crc = 7",
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_every_changed_fact_is_found(library: Path, change: str) -> None:
    sql(library, f"UPDATE images SET {change} WHERE row = 17")
    found = look(library)
    assert [image.row for image in found.lost] == [17], found
    assert [Path(path).name for path in found.lost[0].paths] == ["Pic_17.jpg"]
    repaired = mend(library)
    assert repaired.is_whole, repaired.after
    index(library)
    assert look(library).is_whole


def test_every_flipped_byte_of_facts_is_found(library: Path) -> None:
    """As the catalog has them on its pages, not as SQL changes them."""
    path, chance = library / "catalog.sqlite", random.Random(2)
    data = path.read_bytes()
    for number in (20, 33, 47):
        start = data.rindex(bytes.fromhex(FILES[f"{number % 5}/Pic_{number}.jpg"].image_id))
        end = data.index(f'"{number}"]'.encode(), start) + len(f'"{number}"]')
        for place in range(start, end):
            flip(path, place, bit := 1 << chance.randrange(8))
            assert not look(library).is_whole, (number, place - start, bit)
            flip(path, place, bit)
    assert look(library).is_whole


def test_an_image_of_before_checksums_is_given_one(library: Path) -> None:
    sql(library, "UPDATE images SET vector_crc = NULL, facts_crc = NULL WHERE row < 30")
    before = look(library)
    assert before.is_whole
    assert before.unproved == 27
    mend(library)
    assert look(library).unproved == 0
    with closing(sqlite3.connect(library / "catalog.sqlite")) as connection:
        assert all(facts_damage(each) is None for each in stored_facts(connection))


def test_swapped_vectors_and_swapped_rows_are_found(library: Path) -> None:
    with (library / "vectors-1" / "000000.f32").open("r+b") as file:
        data = file.read()
        file.seek(0)
        file.write(data[32:64] + data[:32])
    assert [image.row for image in look(library).lost] == [0, 1]
    sql(
        library,
        "UPDATE images SET row = 9999 WHERE row = 30",
        "UPDATE images SET row = 30 WHERE row = 31",
        "UPDATE images SET row = 31 WHERE row = 9999",
    )
    assert [image.row for image in look(library).lost] == [0, 1, 30, 31]


DAMAGES: dict[str, Callable[[Path], object]] = {
    "words lost": lambda f: sql(f, "DELETE FROM words_data WHERE id > 10"),
    "words of another": lambda f: sql(f, "UPDATE words_content SET c0 = 'other' WHERE id = 20"),
    "no words": lambda f: sql(f, "DROP TABLE words"),
    "words waiting": lambda f: sql(f, "INSERT INTO stale_words VALUES (7)"),
    "keyword lost": lambda f: sql(f, "DELETE FROM keywords WHERE row = 20"),
    "hole lost": lambda f: sql(f, "DELETE FROM holes WHERE row = 4"),
    "hole in an image": lambda f: sql(f, "INSERT INTO holes VALUES (20)"),
    "too few rows": lambda f: sql(f, "UPDATE library SET rows = 12"),
    "too many rows": lambda f: sql(f, "UPDATE library SET rows = 99999999"),
    "another dimension": lambda f: sql(f, "UPDATE library SET embed_dim = 9"),
    "another model": lambda f: sql(f, "UPDATE library SET fingerprint = 'g1'"),
    "another generation": lambda f: sql(f, "UPDATE library SET generation = 5"),
    "no library row": lambda f: sql(f, "DELETE FROM library"),
    "file of no image": lambda f: sql(f, "UPDATE files SET row = 5000 WHERE row = 20"),
    "file of no root": lambda f: sql(f, "UPDATE files SET root_id = 7 WHERE row = 20"),
    "another name": lambda f: sql(f, "UPDATE files SET folded = 'x' WHERE row = 20"),
    "text damaged": lambda f: sql(f, "UPDATE texts SET text = 'other' WHERE row = 12"),
    "measures cut": lambda f: sql(f, "UPDATE measures SET numbers = x'00'"),
    "notes damaged": lambda f: sql(f, "UPDATE notes SET value = '[3,' WHERE key IN ('changes','loose')"),  # noqa: E501
    "image forgotten": lambda f: sql(f, "DELETE FROM images WHERE row = 20"),
    "segment gone": lambda f: (f / "vectors-1" / "000000.f32").unlink(),
    "segment cut": lambda f: os.truncate(f / "vectors-1" / "000000.f32", 500),
    "no mark": lambda f: sql(f, "PRAGMA application_id = 5"),
    "no catalog": lambda f: (f / "catalog.sqlite").unlink(),
    "no header": lambda f: flip(f / "catalog.sqlite", 3, 255),
    "catalog cut": lambda f: os.truncate(f / "catalog.sqlite", 60_000),
    "catalog empty": lambda f: os.truncate(f / "catalog.sqlite", 0),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_damage_is_found_and_repaired(library: Path, made: Path, damage: Callable[[Path], object]) -> None:  # noqa: E501
    damage(library)
    assert not look(library).is_whole
    found = mend(library)
    assert found.is_whole, found.after
    assert look(library).is_whole
    index(library)
    assert content(library) == content(made)


def test_what_does_no_harm_is_no_damage(library: Path, made: Path) -> None:
    with (library / "vectors-1" / "000000.f32").open("ab") as file:
        file.write(b"garbage")
    (library / "vectors-1" / "000007.f32").write_bytes(b"more of it")
    (library / "notes.txt").write_text("mine")
    found = look(library)
    assert found.is_whole
    assert found.notes == ("notes.txt is none of the library's files",)
    assert content(library) == content(made)


def test_a_lost_log_loses_only_what_was_in_it(library: Path) -> None:
    store = open_local(library)
    fill(store, {"late.jpg": example_image("late")})
    copy = shutil.copytree(library, library.with_name("copy"))
    store.close()
    assert (copy / "catalog.sqlite-wal").exists()
    (copy / "catalog.sqlite-wal").unlink()
    (copy / "catalog.sqlite-shm").unlink()
    assert look(copy).is_whole
    assert look(copy).images == 60


def test_vectors_of_the_next_model_are_looked_at(library: Path) -> None:
    rows = [0, 1, 2, 40]
    vectors = np.eye(4, dtype=np.float32)
    with closing(open_local(library)) as store, store.writing():
        store.begin_next(NEXT)
        store.write_next(rows, vectors)
    assert look(library).is_whole
    flip(library / "vectors-2" / "000000.f32", 2 * 16 + 3)
    assert look(library).next_rows == (2,)
    assert mend(library).is_whole
    with closing(open_local(library)) as store:
        assert np.flatnonzero(store.next_done()).tolist() == [0, 1, 40]
        assert store.next_model() == NEXT


def test_a_library_whose_model_is_lost_says_how_to_go_on(library: Path) -> None:
    (library / "vectors-1" / "model.json").unlink()
    sql(library, "DELETE FROM library")
    before = (library / "catalog.sqlite").read_bytes()
    with pytest.raises(StoreError, match=r"which model .* lost.*visionquery index"):
        mend(library)
    assert (library / "catalog.sqlite").read_bytes() == before


def test_what_is_lost_is_named(library: Path) -> None:
    os.truncate(library / "vectors-1" / "000000.f32", 58 * 32)
    found = mend(library)
    assert found.repaired is not None
    names = sorted(Path(path).name for image in found.repaired.lost for path in image.paths)
    assert names == ["Pic_58.jpg", "Pic_59.jpg", "a.pdf", "a.pdf", "a.pdf"]
    assert found.repaired.unknown == 0
    assert found.repaired.damaged is None


def break_somewhere(folder: Path, seed: int) -> str:
    """Damage one file of a library in one of many ways."""
    chance = random.Random(seed)
    path = chance.choice(sorted(p for p in folder.rglob("*") if p.is_file() and p.stat().st_size))
    data = bytearray(path.read_bytes())
    place, kind = chance.randrange(len(data)), chance.choice(["bit", "run", "page", "cut"])
    if kind == "bit":
        data[place] ^= 1 << chance.randrange(8)
    elif kind == "run":
        length = min(chance.randrange(1, 200), len(data) - place)
        data[place : place + length] = chance.randbytes(length)
    elif kind == "page":
        start = place - place % 4096
        length = min(4096, len(data) - start)
        data[start : start + length] = chance.choice([bytes(length), chance.randbytes(length)])
    else:
        del data[place:]
    path.write_bytes(data)
    return f"{path.name} {kind} at {place}"


@pytest.mark.parametrize(
    "seeds",
    [pytest.param(range(24), id="short"),
     pytest.param(range(1000, 2500), id="long", marks=pytest.mark.slow)],
)  # fmt: skip
def test_whatever_is_damaged_the_library_comes_back(made: Path, tmp_path: Path, seeds: range) -> None:  # noqa: E501
    expected = content(made)
    for seed in seeds:
        library = shutil.copytree(made, tmp_path / "library")
        what = f"seed {seed}: {break_somewhere(library, seed)}"
        found = mend(library)
        assert found.is_whole, (what, found.after)
        assert look(library).is_whole, what
        index(library)
        assert content(library) == expected, what
        shutil.rmtree(library)


REPAIR = """
import sys
from pathlib import Path
from visionquery.doctor import examine
print("go", flush=True)
examine(Path(sys.argv[1]), mend=True, on_progress=lambda *_: None)
print("done", flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
@pytest.mark.parametrize("kind", ["in place", "anew"])
def test_a_killed_repair_leaves_what_was_or_what_is_repaired(made: Path, tmp_path: Path, kind: str) -> None:  # noqa: E501
    chance = random.Random(4)
    for trial in range(3):
        library = shutil.copytree(made, tmp_path / str(trial))
        if kind == "in place":
            flip(library / "vectors-1" / "000000.f32", 700)
        else:
            sql(library, "UPDATE sqlite_schema SET rootpage = 3 WHERE name = 'files_by_row'")
        process = subprocess.Popen(
            [sys.executable, "-c", REPAIR, str(library)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.uniform(0, 0.12))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        left = look(library)
        assert left.is_whole or left.lost or left.unreadable, left
        assert mend(library).is_whole
        index(library)
        assert content(library) == content(made)
