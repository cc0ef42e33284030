"""Segments: offsets, several files, leftovers past the committed rows."""

from pathlib import Path

import numpy as np
import pytest

from visionquery.errors import StoreError
from visionquery.store import vectors
from visionquery.store.vectors import Segments


def _rows(first: int, count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.arange(first * 3, (first + count) * 3, dtype=np.float32).reshape(count, 3)


@pytest.mark.parametrize("batches", [[1] * 11, [4, 4, 3], [11], [3, 8], [5, 0, 6]])
def test_rows_come_back_in_order(tmp_path: Path, batches: list[int]) -> None:
    segments = Segments(tmp_path, 3, rows_per_segment=4)
    done = 0
    for count in batches:
        segments.append(done, _rows(done, count))
        done += count
        assert np.array_equal(np.vstack([*segments.blocks(done), _rows(0, 0)]), _rows(0, done))
    sizes = [path.stat().st_size for path in sorted(tmp_path.iterdir())]
    assert sizes == [48, 48, 36]
    asked = np.array([10, 0, 4, 4, 3])
    assert np.array_equal(segments.take(asked, 11), _rows(0, 11)[asked])


def test_leftovers_past_the_last_row_are_written_over(tmp_path: Path) -> None:
    segments = Segments(tmp_path, 3, rows_per_segment=4)
    segments.append(0, _rows(0, 2))
    with (tmp_path / "000000.f32").open("ab") as file:
        file.write(b"\xff" * 17)
    (tmp_path / "000001.f32").write_bytes(b"\xff" * 7)
    segments.check(2)
    segments.append(2, _rows(2, 4))
    assert np.array_equal(np.vstack(list(segments.blocks(6))), _rows(0, 6))


def test_shorter_file_is_damage_at_any_time(tmp_path: Path) -> None:
    segments = Segments(tmp_path, 3, rows_per_segment=4)
    segments.append(0, _rows(0, 6))
    with (tmp_path / "000001.f32").open("r+b") as file:
        file.truncate(23)
    with pytest.raises(StoreError, match=r"000001.f32 has 23 of 24 bytes"):
        segments.check(6)
    with pytest.raises(StoreError, match=r"000001.f32 has 23 of 24 bytes"):
        list(segments.blocks(6))
    segments.check(5)


def test_a_block_outlives_its_segments(tmp_path: Path) -> None:
    segments = Segments(tmp_path, 3)
    segments.append(0, _rows(0, 2))
    (block,) = segments.blocks(2)
    segments.close()
    assert np.array_equal(block, _rows(0, 2))
    assert not block.flags.writeable


def test_scattered_rows_of_large_files_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segments = Segments(tmp_path, 3, rows_per_segment=4)
    segments.append(0, _rows(0, 11))
    asked = np.array([10, 0, 4, 4, 3, 9])
    mapped = segments.take(asked, 11)
    monkeypatch.setattr(vectors, "_MOST_MAPPED_BYTES", 100)
    assert np.array_equal(segments.take(asked, 11), mapped)
    assert segments.take(np.empty(0, dtype=np.int64), 11).shape == (0, 3)
    (tmp_path / "000002.f32").write_bytes(b"1234567")
    with pytest.raises(StoreError, match=r"000002.f32 has 7 of 36 bytes"):
        segments.take(asked, 11)


def test_segments_hold_rows_of_any_type(tmp_path: Path) -> None:
    codes = Segments(tmp_path, 2, dtype=np.dtype("i1"), ending="i8", rows_per_segment=4)
    codes.append(0, np.arange(-5, 5, dtype=np.int8).reshape(5, 2))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000000.i8", "000001.i8"]
    assert codes.block(1, 5).tolist() == [[3, 4]]
    assert codes.take(np.array([4, 0]), 5).dtype == np.int8
