"""A library over its life: renames, additions, removals, lost disks, and processes killed."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from visionquery import Library
from visionquery.errors import LibraryNotFoundError
from visionquery.store.base import Scope
from visionquery.store.local import open_local

KILLS = 4


@pytest.fixture
def library(tmp_path, tiny_model):
    with Library.open(tmp_path / "library", model=tiny_model, create=True) as opened:
        yield opened


def places(library: Library) -> set[str]:
    return {hit.path for hit in library.search("red", limit=1000, min_confidence=0)}


def test_only_what_is_new_is_encoded(library, pictures):
    assert library.add(pictures).encoded == 12
    again = library.add(pictures)
    assert (again.encoded, again.unchanged) == (0, 12)


def test_renamed_folder_is_recognised(library, pictures):
    library.add(pictures)
    (pictures / "one").rename(pictures / "three")
    report = library.add(pictures)
    assert (report.encoded, report.reused, report.removed, report.images) == (0, 6, 0, 12)
    assert {Path(place).parent.name for place in places(library)} == {"two", "three"}


def test_additions_and_removals(library, pictures):
    library.add(pictures)
    rng = np.random.default_rng(0)
    for number in range(10):
        pixels = rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(pictures / f"new-{number}.png")
    assert library.add(pictures).added == 10
    for number in range(5):
        (pictures / f"new-{number}.png").unlink()
    report = library.add(pictures)
    assert (report.encoded, report.removed, report.images) == (0, 5, 17)
    assert not any("new-0" in place for place in places(library))


def test_a_copy_shares_its_image(library, pictures):
    shutil.copy(pictures / "one" / "red.png", pictures / "copy.png")
    report = library.add(pictures)
    assert (report.added, report.reused, report.images) == (12, 1, 12)
    best = library.search("red ext:png", limit=1).hits[0]
    assert {Path(path).name for path in best.paths} == {"red.png", "copy.png"}


def test_changed_content_replaces_the_image(library, pictures):
    library.add(pictures)
    shutil.copy(pictures / "two" / "blue.jpg", pictures / "one" / "red.png")
    report = library.add(pictures)
    assert (report.updated, report.reused, report.removed, report.images) == (0, 1, 1, 11)


def test_an_unplugged_disk_loses_nothing(library, pictures):
    library.add(pictures)
    away = pictures.rename(pictures.with_name("away"))
    report = library.add(pictures)
    assert (report.removed, report.images, report.skipped) == (0, 12, ())
    assert "is not there now" in report.notes[0]
    pictures.mkdir()
    (pictures / ".keep").touch()
    report = library.add(pictures)
    assert (report.removed, report.images) == (0, 12)
    assert "unplugged" in report.notes[0]
    shutil.rmtree(pictures)
    away.rename(pictures)
    assert library.add(pictures).unchanged == 12


def test_a_part_of_a_root_is_updated_alone(library, pictures):
    library.add(pictures)
    (pictures / "one" / "red.png").unlink()
    (pictures / "two" / "red.jpg").unlink()
    assert library.add(pictures / "two").removed == 1
    assert library.add(pictures).removed == 1


def test_a_single_file_can_be_added(library, pictures):
    report = library.add(pictures / "one" / "red.png")
    assert (report.added, report.images) == (1, 1)
    assert library.add(pictures).added == 11


def test_a_parent_leaves_its_children_their_own(library, pictures):
    library.add(pictures / "one", pictures / "two")
    shutil.copy(pictures / "one" / "red.png", pictures / "copy.png")
    report = library.add(pictures)
    assert (report.encoded, report.reused, report.unchanged) == (0, 1, 12)
    locations = [root.location for root in library.status().roots]
    assert locations == [str(pictures / name) for name in ("", "one", "two")]
    assert len(library.search("red", limit=99, min_confidence=0, within=pictures).hits) == 12


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a library with its image's vector."""
    store = open_local(folder)
    try:
        root = store.roots()[0]
        files = store.files(Scope(root.root_id)).values()
        rows = {file.path: store.find(file.image_id)[0] for file in files}
        vectors = store.vectors(list(rows.values()))
        assert len(set(rows.values())) == store.image_count()
        return {path: v.tobytes() for path, v in zip(rows, vectors, strict=True)}
    finally:
        store.close()


def many_pictures(folder: Path, number: int) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(1)
    for i in range(number):
        pixels = rng.integers(0, 255, (24, 32, 3), dtype=np.uint8)
        picture = Image.fromarray(pixels).resize((640, 480), Image.Resampling.BICUBIC)
        picture.save(folder / f"{i:04}.jpg", quality=80)
    return folder


def index_command(pictures: Path, library: Path, model: Path) -> list[str]:
    return [
        sys.executable, "-m", "visionquery", "index", str(pictures),
        "--library", str(library), "--model", str(model), "--json",
    ]


def stored_bytes(library: Path) -> int:
    return sum(segment.stat().st_size for segment in library.glob("vectors-*/*.f32"))


def committed(library: Path) -> int:
    try:
        store = open_local(library)
    except LibraryNotFoundError:
        return 0
    try:
        return store.image_count()
    finally:
        store.close()


def test_killed_runs_end_like_an_undisturbed_one(tmp_path, tiny_model):
    pictures = many_pictures(tmp_path / "many", 240)
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    subprocess.run(index_command(pictures, calm, tiny_model), check=True, capture_output=True)
    rng = random.Random(3)
    for _ in range(KILLS):
        before = stored_bytes(killed)
        process = subprocess.Popen(
            index_command(pictures, killed, tiny_model),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        while process.poll() is None and stored_bytes(killed) <= before:
            time.sleep(0.002)
        time.sleep(rng.random() * 0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(index_command(pictures, killed, tiny_model), check=True, capture_output=True)
    ours, theirs = content(killed), content(calm)
    assert len(ours) == 240
    assert ours == theirs


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals for another process")
@pytest.mark.parametrize("kind", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_an_interrupt_keeps_what_is_finished(tmp_path, tiny_model, kind):
    pictures, folder = many_pictures(tmp_path / "many", 240), tmp_path / "library"
    process = subprocess.Popen(
        index_command(pictures, folder, tiny_model), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )
    while process.poll() is None and committed(folder) == 0:
        time.sleep(0.002)
    process.send_signal(getattr(signal, kind))
    out, err = process.communicate()
    assert process.returncode == 130, err
    assert out == ""
    assert "kept" in err
    assert "Traceback" not in err
    with Library.open(folder) as library:
        kept = library.status().images
        assert 0 < kept < 240
        assert library.add(pictures).added == 240 - kept
