"""Every folder is indexed: what is no picture is told or passed over, all others are found."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.figures import record
from tests.hostile.folders import (
    BAD_NAMES,
    Program,
    Ran,
    in_background,
    obeying_permissions,
    paint,
    put_links,
    put_odd_files,
    put_times,
    without_more_than,
)

from visionquery.query.ast import Blend, Contains, Filter, Or, Picture
from visionquery.query.grammar import unparse

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="needs a file system that takes any names, and /proc"
)

GOOD = 3
_MANY_FILES, _DEPTH = 10_000, 200
_TMPFS_BYTES = 420_000

_CHURN = """
import os, sys
folder, good = sys.argv[1], open(sys.argv[2], "rb").read()
number = 0
while True:
    number += 1
    with open(f"{folder}/grows.jpg", "ab" if number % 50 else "wb") as file:
        file.write(good)
    with open(f"{folder}/shrinks.jpg", "wb") as file:
        file.write(good * 200)
    os.truncate(f"{folder}/shrinks.jpg", number % len(good))
    for name in ("comes", "goes"):
        with open(f"{folder}/{name}.jpg", "wb") as file:
            file.write(good)
    os.unlink(f"{folder}/goes.jpg")
    os.replace(f"{folder}/comes.jpg", f"{folder}/goes.jpg")
    os.unlink(f"{folder}/goes.jpg")
"""
"""Lets files grow, shrink, come and go for as long as it runs."""


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with some good pictures, beside which bad things are put."""
    made = tmp_path / "pictures"
    for number in range(GOOD):
        paint(made / f"good{number}.jpg", number * 80)
    paint(made / "good.jpg", 255)
    return made


def index(program: Program, *arguments: object, **options: object) -> Ran:
    """Index, and see that every file that was skipped has a reason of one line."""
    ran = program("index", "--json", *arguments, **options)
    assert ran.code == 0, ran
    for path, reason in ran.skipped.items():
        assert reason
        assert reason.isprintable(), (path, reason)
    return ran


def names(ran: Ran) -> dict[str, str]:
    return {Path(path).name: reason for path, reason in ran.skipped.items()}


def tell(what: str, tried: int, ran: Ran) -> None:
    indexed, skipped = ran.document["images"], len(ran.skipped)
    record("hostile folder", what=what, tried=tried, indexed=indexed, skipped=skipped)


def test_links_pipes_devices_and_what_only_seems_a_picture(program, folder):
    put_links(folder)
    put_odd_files(folder)
    ran = index(program, folder)
    assert ran.document["images"] == GOOD + 1
    told = names(ran)
    assert set(told) == {"empty.jpg", "text.png", "sparse.jpg", "sparse.tga", "through.jpg"}
    assert "empty" in told["empty.jpg"]
    assert "5,120.0 MiB" in told["sparse.jpg"]
    tell("links, pipes, devices", sum(1 for _ in folder.rglob("*")), ran)
    again = program("index", folder)
    assert (again.code, again.out) == (0, b"")
    assert again.err.count(b"skipped /") == len(told)


def test_none_of_them_is_a_picture_to_search_by(program, folder):
    put_links(folder)
    put_odd_files(folder)
    (folder / "cut.jpg").write_bytes((folder / "good.jpg").read_bytes()[:100])
    bad = ["itself.jpg", "ring1.jpg", "dangling.jpg", "zero.jpg", "full.jpg", "null.png", "fd.jpg",
           "pipe.jpg", "socket.jpg", "folder.jpg", "empty.jpg", "text.png", "sparse.jpg", "cut.jpg",
           "through.jpg", "one", "nowhere/x.jpg"]  # fmt: skip
    index(program, folder)
    commands = [["similar", folder / name] for name in bad]
    commands += [["search", f'image:"{folder / name}"'] for name in bad]
    commands += [["search", f'a dog -image:"{folder / name}"', folder] for name in bad[:3]]
    for command, ran in zip(commands, program.every(commands), strict=True):
        assert (ran.code, ran.out) == (2, b""), (command, ran)
        assert len(ran.err.splitlines()) == 1, (command, ran)
    record("hostile folder", what="queries by bad files", tried=len(commands), indexed=0,
           skipped=len(commands))  # fmt: skip


def test_names_of_all_bytes_are_found_and_shown_harmlessly(program, folder):
    for number, name in enumerate(BAD_NAMES):
        place = folder / os.fsdecode(name).removesuffix(".jpg") / os.fsdecode(name)
        paint(place, 300 + number)
        place.with_name("no " + os.fsdecode(name)[-200:]).write_bytes(b"no picture")
    ran = index(program, folder)
    assert ran.document["images"] == GOOD + 1 + len(BAD_NAMES)
    assert len(ran.skipped) == len(BAD_NAMES)
    tell("names", 2 * len(BAD_NAMES), ran)
    everything = ["search", "--all", "--limit", "100", "a picture"]
    found, raw, again = program.every([[*everything, "--json"], everything, ["index", folder]])
    paths = [os.fsencode(hit["path"]) for hit in found.document["results"]]
    shown = {os.path.relpath(path, os.fsencode(folder)) for path in paths}
    assert {b"/".join((name.removesuffix(b".jpg"), name)) for name in BAD_NAMES} <= shown
    assert again.err.count(b"skipped /") == 10
    assert b"and 18 more" in again.err
    assert len(raw.out.splitlines()) == ran.document["images"]


def test_files_of_any_name_can_be_asked_with_and_removed(program, folder):
    places = [paint(folder / os.fsdecode(name), 300 + n) for n, name in enumerate(BAD_NAMES)]
    index(program, *places)
    by_path = unparse(Or(tuple(Filter("path", Contains(place.name)) for place in places)))
    like_all = unparse(Or(tuple(Blend((Picture(str(place)),)) for place in places)))
    commands = [["similar", place, "--limit", "1"] for place in places[:4]]
    commands += [["search", like_all, "--all"], ["search", by_path, "--json", "--limit", "100"]]
    *asked, filtered, removed = program.every([*commands, ["remove", *places]])
    assert [ran.code for ran in (*asked, filtered, removed)] == [0] * 7
    assert {hit["path"] for hit in filtered.document["results"]} == set(map(str, places))
    assert b"Forgot 28 files" in removed.err
    assert not (folder / "gone").exists()
    record("hostile folder", what="commands with such names", tried=3 * len(places),
           indexed=len(places), skipped=0)  # fmt: skip


@pytest.mark.parametrize("name", ["x" * 300 + ".jpg", "shut/inside.jpg"])
def test_a_place_that_cannot_be_looked_at_is_no_picture(program, folder, name):
    (folder / "shut").mkdir()
    index(program, folder)
    (folder / "shut").chmod(0)
    try:
        ran = program("similar", folder / name, before=obeying_permissions)
    finally:
        (folder / "shut").chmod(0o755)
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, b"", 1)


def test_hidden_names_are_passed_over_unless_they_are_named(program, folder):
    hidden = [paint(folder / name, 900 + n) for n, name in enumerate((".jpg", "...jpg", "....jpg"))]
    (folder / "...").mkdir()
    assert index(program, folder).document["images"] == GOOD + 1
    named = index(program, *hidden[1:])
    assert named.document["images"] == GOOD + 1 + 2
    tell("names of dots", len(hidden) + 1, named)


def test_times_long_ago_and_far_ahead_are_kept(program, folder):
    made = put_times(folder)
    ran = index(program, folder)
    assert (ran.document["images"], ran.skipped) == (GOOD + 1 + len(made), {})
    tell("times", len(made), ran)
    assert index(program, folder).document["unchanged"] == ran.document["images"]
    os.utime(made[0], (1, 1))  # a clock that was set back
    paint(made[1], 3_000)
    os.utime(made[1], (-5, -5))
    again = index(program, folder).document
    assert (again["added"], again["updated"]) == (0, 1)


def test_a_time_that_no_64_bits_hold_is_no_change(program, folder):
    late = paint(folder / "late.jpg", 2_500)
    os.utime(late, (10**10, 10**10))
    if late.stat().st_mtime_ns != 10**19:
        pytest.skip("the file system keeps no such times")
    assert index(program, folder).document["images"] == GOOD + 2
    assert index(program, folder).document["unchanged"] == GOOD + 2


def test_what_may_not_be_read_is_told_and_comes_back(program, folder):
    shut, locked = folder / "shut", paint(folder / "locked.jpg", 500)
    paint(shut / "inside.jpg", 501)
    index(program, folder)
    shut.chmod(0)
    locked.chmod(0)
    os.utime(locked, (5, 5))
    try:
        commands = [["index", "--json", folder], ["index", folder], ["similar", locked]]
        ran, plain, asked = program.every(commands, before=obeying_permissions)
    finally:
        shut.chmod(0o755)
        locked.chmod(0o644)
    assert names(ran) == {"shut": "permission denied",
                          "locked.jpg": "it cannot be read: permission denied"}  # fmt: skip
    assert ran.document["images"] == GOOD + 3, "what cannot be looked at stays known"
    tell("permissions", 2, ran)
    assert plain.code == 0
    assert asked.code == 2
    after = index(program, folder)
    assert (after.document["images"], after.skipped) == (GOOD + 3, {})


def test_files_that_grow_shrink_come_and_go_while_they_are_read(program, folder, tmp_path):
    good = paint(tmp_path / "whole.jpg", 600)
    with in_background(_CHURN, folder, good):
        while not (folder / "shrinks.jpg").exists():
            time.sleep(0.01)
        for _ in range(2):
            ran = index(program, folder)
            assert GOOD + 1 <= ran.document["images"] <= GOOD + 4
    tell("files that change", 4, ran)
    for name in ("grows", "shrinks", "comes", "goes"):
        shutil.copy(good, folder / f"{name}.jpg")
    after = index(program, folder)
    assert (after.document["images"], after.skipped) == (GOOD + 2, {})


def test_many_files_and_deep_folders(program, folder):
    crowd = folder / "crowd"
    crowd.mkdir()
    for number in range(_MANY_FILES):
        (crowd / f"{number}.jpg").touch()
    deep = paint(folder / "/".join("d" * _DEPTH) / "deep.jpg", 700)
    ran = index(program, folder)
    assert ran.document["images"] == GOOD + 2
    assert len(ran.skipped) == _MANY_FILES
    tell("many and deep", _MANY_FILES + _DEPTH, ran)
    assert program("similar", deep).code == 0


def test_a_library_that_may_not_be_changed_answers_and_refuses_to_be(program, folder):
    index(program, folder)
    paint(folder / "new.jpg", 800)
    places = [program.library, *program.library.rglob("*")]
    modes = {place: place.stat().st_mode for place in places}
    for place in places:
        place.chmod(0o555 if place.is_dir() else 0o444)
    try:
        commands = [["search", "--no-index", "--all", "a picture"], ["index", folder]]
        answered, refused = program.every(commands, before=obeying_permissions)
    finally:
        for place, mode in modes.items():
            place.chmod(mode)
    assert (answered.code, len(answered.out.splitlines())) == (0, GOOD + 1)
    assert (refused.code, len(refused.err.splitlines())) == (4, 1), refused
    after = index(program, folder)
    assert after.document["images"] == GOOD + 2
    tell("read-only library", 1, after)


@pytest.mark.parametrize("size_bytes", [3_000, pytest.param(0, marks=pytest.mark.slow),
                                        pytest.param(120_000, marks=pytest.mark.slow)])  # fmt: skip
def test_a_library_that_cannot_grow_keeps_what_it_has(program, folder, size_bytes):
    index(program, folder)
    for number in range(24):
        paint(folder / f"more{number}.jpg", 1_000 + number)
    refused = program("index", folder, before=without_more_than(size_bytes))
    assert refused.code in (0, 4), refused
    assert refused.code == 0 or len(refused.err.splitlines()) <= 2, refused
    assert program("search", "--no-index", "--all", "a picture").code == 0
    after = index(program, folder)
    assert (after.document["images"], after.skipped) == (GOOD + 1 + 24, {})
    tell(f"no file beyond {size_bytes} bytes", 24, after)


def test_a_full_disk_is_told_and_nothing_is_lost(program, folder, tmp_path):
    index(program, folder)
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_TMPFS_BYTES}", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no disk of its own can be made here")
    try:
        for number in range(120):
            paint(folder / f"more{number}.jpg", 1_000 + number)
        full = program("index", folder, "--library", disk / "library")
        assert (full.code, full.err.count(b"There is no room left")) == (4, 1), full
        left = program("search", "--no-index", "--all", "--json", "--limit", "1", "a picture",
                       "--library", disk / "library")  # fmt: skip
        assert left.code == 0, left
        record("hostile folder", what="full disk", tried=124, skipped=0,
               indexed=left.document["total"])  # fmt: skip
        subprocess.run(["mount", "-o", "remount,size=50m", str(disk)], check=True)
        after = index(program, folder, "--library", disk / "library")
        assert after.document["images"] == GOOD + 1 + 120
    finally:
        subprocess.run(["umount", str(disk)], check=True)
