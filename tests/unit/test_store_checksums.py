"""Checksums of vectors and facts are written wherever these are, and fit what is read back."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from visionquery.store.checksums import facts_crc, vector_crc
from visionquery.store.local import LocalStore, create_local
from visionquery.testing.store_examples import MODEL, example_image, fill
from visionquery.types import Facts, ModelIdentity

NEXT = ModelIdentity("wide", "f2", 12, "wide")
FACTS = [
    Facts(1, 2, "PNG", 3),
    Facts(1, 2, "PNG", 3, "Canon \N{SNOWMAN}", "2024-05-01", 48, -0.0, "a\0b", ("x", "\udce9")),
    Facts(1, 2, "PNG", 3, latitude=float("nan"), longitude=1e-300, caption="", keywords=("",)),
    Facts(1, 2, "PNG", 3, latitude=float("inf"), longitude=0.1 + 0.2, taken_at=""),
]


def test_checksums_are_those_of_what_is_read_back(tmp_path: Path) -> None:
    store = create_local(tmp_path / "library", MODEL)
    images = [replace(example_image(str(i)), facts=facts) for i, facts in enumerate(FACTS)]
    fill(store, {f"{i}.png": image for i, image in enumerate(images)})
    assert kept(store) == made(store)
    with store.writing():
        store.write_facts({images[0].image_id: FACTS[1], images[1].image_id: FACTS[2]})
    assert kept(store) == made(store)
    store.close()


def test_a_next_model_brings_its_checksums(tmp_path: Path) -> None:
    store = create_local(tmp_path / "library", MODEL)
    fill(store, {f"{i}.png": example_image(str(i)) for i in range(4)})
    with store.writing():
        store.begin_next(NEXT)
        for rows in ([2, 0], [0, 1, 3, 3]):
            names = [f"{row} {place}" for place, row in enumerate(rows)]
            vectors = [example_image(name, embed_dim=12).vector for name in names]
            store.write_next(rows, np.stack(vectors))
        before = kept(store)
        store.finish_next()
    assert kept(store) == made(store)
    assert kept(store) != before
    store.close()


@pytest.mark.parametrize("bit", [0, 7, 31])
def test_a_flipped_bit_is_another_checksum(bit: int) -> None:
    vector = example_image("one").vector
    flipped = vector.copy()
    flipped.view(np.uint32)[3] ^= np.uint32(1 << bit)
    assert vector_crc(vector) != vector_crc(flipped)
    assert vector_crc(vector) == vector_crc(vector.astype(">f4")) == vector_crc(vector[::1])


def test_every_fact_counts() -> None:
    full = Facts(1, 2, "PNG", 3, "Canon", "2024-05-01", 48.0, 2.0, "sea", ("x", "y"))
    others = [
        replace(full, width=2, height=1), replace(full, format="GIF"), replace(full, size_bytes=4),
        replace(full, camera=None), replace(full, taken_at="2024-05-02"),
        replace(full, latitude=2.0, longitude=48.0), replace(full, caption=None),
        replace(full, keywords=("xy",)), replace(full, keywords=()),
    ]  # fmt: skip
    sums = {facts_crc("aa", each) for each in [full, *others]} | {facts_crc("ab", full)}
    assert len(sums) == len(others) + 2


def kept(store: LocalStore) -> list[tuple[int, int]]:
    connection = sqlite3.connect(Path(store.location, "catalog.sqlite"))
    found = connection.execute("SELECT vector_crc, facts_crc FROM images ORDER BY row").fetchall()
    connection.close()
    return found


def made(store: LocalStore) -> list[tuple[int, int]]:
    rows = range(store.row_count())
    return [
        (vector_crc(vector), facts_crc(record.image_id, record.facts))
        for vector, record in zip(store.vectors(rows), store.records(rows), strict=True)
    ]
