"""Damage of every kind is found, and what is brought in order is a library like any other."""

import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from tests.unit.store_damage import (
    FILES,
    content,
    flip,
    index,
    look,
    make,
    mend,
    quiet,
    sql,
)

from visionquery.errors import StoreError
from visionquery.store.catalog_checks import facts_damage, stored_facts
from visionquery.store.local import open_local
from visionquery.store.vector_checks import check_vectors
from visionquery.testing.store_examples import example_image, fill
from visionquery.types import ModelIdentity

NEXT = ModelIdentity(name="next", fingerprint="f2", embed_dim=4, source="next")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("whole") / "library")


@pytest.fixture
def library(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "library")


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
