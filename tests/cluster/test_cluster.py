"""Indexing on a real Ray cluster of several nodes: the same library, whatever is lost over it."""

import json
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cluster.conftest import Held, Nodes, Slowly, environment
from tests.conftest import COLOURS, paint

from visionquery import Library

PICTURES = 120


@pytest.fixture(scope="module")
def pile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, one of them twice, an archive of several, an album of pages, and broken files."""
    folder = tmp_path_factory.mktemp("pile")
    colours = list(COLOURS)
    for number in range(PICTURES):
        paint(folder / f"{number % 4}" / f"{number}.png", colours[number % 6], number)
    shutil.copy(folder / "0" / "0.png", folder / "copy.png")
    with zipfile.ZipFile(folder / "album.zip", "w") as album:
        for number in range(5):
            member = paint(folder.parent / "members" / f"{number}.png", "red", 1000 + number)
            album.write(member, f"{number}.png")
        album.writestr("broken.png", b"no picture")
    (folder / "broken.jpg").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def local(
    pile: Path, tiny_model: Path, held: Callable[[Path], Held],
    tmp_path_factory: pytest.TempPathFactory,
) -> Held:  # fmt: skip
    """What a run on this machine alone comes to."""
    place = tmp_path_factory.mktemp("local") / "library"
    with Library.open(place, model=tiny_model, create=True) as library:
        library.add(pile)
    return held(place)


def index(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run `visionquery index --json` as a process."""
    return subprocess.run(
        [sys.executable, "-m", "visionquery", "index", "--json", *map(str, arguments)],
        capture_output=True, text=True, check=False, env=environment(), timeout=120,
    )  # fmt: skip


def test_a_cluster_makes_the_library_that_one_machine_makes(
    nodes: Nodes, pile: Path, tiny_model: Path, tmp_path: Path, local: Held,
    held: Callable[[Path], Held],
) -> None:  # fmt: skip
    options = ("--library", tmp_path / "library", "--model", tiny_model, "--on", nodes.address)
    first = index(pile, *options)
    assert first.returncode == 0, first.stderr
    report = json.loads(first.stdout)
    assert report["images"] == PICTURES + 5
    assert {Path(each["path"]).name for each in report["skipped"]} == {"album.zip", "broken.jpg"}
    assert [line for line in first.stderr.splitlines() if "ndex" not in line] == []
    held(tmp_path / "library").assert_same(local)
    second = json.loads(index(pile, *options).stdout)
    assert (second["added"], second["reused"], second["images"]) == (0, 0, PICTURES + 5)


def test_what_is_known_by_content_is_not_encoded_again(
    nodes: Nodes, pile: Path, tiny_model: Path, tmp_path: Path
) -> None:
    place = tmp_path / "library"
    with Library.open(place, model=tiny_model, create=True) as library:
        library.add(pile)
    shutil.copytree(pile, tmp_path / "moved")
    paint(tmp_path / "moved" / "new.png", "green", 5000)
    ran = index(tmp_path / "moved", "--library", place, "--on", nodes.address)
    report = json.loads(ran.stdout)
    assert (report["added"], report["reused"]) == (1, PICTURES + 1 + 5)


def test_a_node_killed_in_the_middle_costs_nothing_but_time(
    nodes: Nodes, slowly: type[Slowly], pile: Path, tiny_model: Path, tmp_path: Path,
    local: Held, held: Callable[[Path], Held],
) -> None:  # fmt: skip
    run = slowly(nodes.address, tmp_path / "library", tiny_model, pile, 0.1)
    run.wait_for(20)
    nodes.kill_one()
    report = run.end()
    nodes.add_one()
    assert (report["images"], len(report["skipped"])) == (PICTURES + 5, 2)
    held(tmp_path / "library").assert_same(local)


def test_an_interrupted_run_keeps_what_is_finished_and_the_next_goes_on(
    nodes: Nodes, slowly: type[Slowly], pile: Path, tiny_model: Path, tmp_path: Path,
    local: Held, held: Callable[[Path], Held],
) -> None:  # fmt: skip
    arguments = (nodes.address, tmp_path / "library", tiny_model, pile)
    run = slowly(*arguments, 0.2)
    run.wait_for(20)
    run.process.send_signal(signal.SIGINT)
    assert run.end() == {"error": "KeyboardInterrupt"}
    kept = len(held(tmp_path / "library").images)
    assert 15 <= kept < PICTURES
    report = slowly(*arguments, 0.0).end()
    assert report["images"] == PICTURES + 5
    assert report["added"] <= PICTURES + 1 + 5 - kept
    held(tmp_path / "library").assert_same(local)


@pytest.mark.parametrize(
    ("wrong", "kind", "sentence"),
    [
        ("absent", "ModelError", "does not have the model tiny as it is here at"),
        pytest.param(
            "newer", "EngineError", "this machine 99.0: install the same version on all nodes",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_node_that_cannot_do_its_part_is_named_before_the_work_begins(
    nodes: Nodes, slowly: type[Slowly], pile: Path, tiny_model: Path, tmp_path: Path,
    wrong: str, kind: str, sentence: str,
) -> None:  # fmt: skip
    said = slowly(nodes.address, tmp_path / "library", tiny_model, pile, 0.0, wrong).end()
    assert said["error"] == kind
    assert said["sentence"].startswith("The node ")
    assert sentence in said["sentence"]


@pytest.mark.slow
def test_cores_prepare_what_gpus_encode(
    start_nodes: type[Nodes], slowly: type[Slowly], pile: Path, tiny_model: Path, tmp_path: Path,
    local: Held, held: Callable[[Path], Held],
) -> None:  # fmt: skip
    nodes = start_nodes(2, gpus=1)
    run = slowly(nodes.address, tmp_path / "library", tiny_model, pile, 0.02)
    run.wait_for(1)
    nodes.kill_one()
    assert run.end()["images"] == PICTURES + 5
    nodes.close()
    held(tmp_path / "library").assert_same(local)


@pytest.mark.slow
def test_a_cluster_that_goes_away_leaves_what_was_finished(
    start_nodes: type[Nodes], slowly: type[Slowly], pile: Path, tiny_model: Path, tmp_path: Path,
    local: Held, held: Callable[[Path], Held],
) -> None:  # fmt: skip
    nodes = start_nodes(1)
    run = slowly(nodes.address, tmp_path / "library", tiny_model, pile, 0.1)
    run.wait_for(20)
    nodes.close()
    said = run.end()
    assert said["error"] == "EngineError"
    assert "All that was finished is kept" in said["sentence"]
    assert len(held(tmp_path / "library").images) >= 15
    assert index(pile, "--library", tmp_path / "library").returncode == 0
    held(tmp_path / "library").assert_same(local)


@pytest.mark.slow
def test_without_an_address_the_cores_of_this_machine_are_the_cluster(
    pile: Path, tiny_model: Path, tmp_path: Path, local: Held, held: Callable[[Path], Held]
) -> None:
    place = tmp_path / "library"
    ran = index(pile, "--library", place, "--model", tiny_model, "--on", "ray")
    assert json.loads(ran.stdout)["images"] == PICTURES + 5
    held(place).assert_same(local)
