"""The parts of indexing on a cluster that need none: groups, known ids, what a node answers."""

import pickle
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from visionquery import Library
from visionquery.errors import EngineError, InputError, ModelError
from visionquery.images.kinds import readers
from visionquery.images.limits import Limits
from visionquery.images.scan import FoundFile, scan
from visionquery.indexing.cluster import check_address
from visionquery.indexing.on_node import (
    KnownIds,
    Line,
    Rows,
    Task,
    Tower,
    lack,
    load_model,
    outcomes_in,
    packed,
    prepared_rows,
)
from visionquery.indexing.outcomes import Encoded, Failed, Known
from visionquery.indexing.pieces import record_of
from visionquery.models.catalog import resolve

Paint = Callable[[Path, str, int], Path]


@pytest.fixture
def task(tiny_model: Path) -> Task:
    return Task(resolve(str(tiny_model)).identity, Limits(), load_model)


@pytest.fixture
def files(pictures: Path, paint: Paint) -> list[FoundFile]:
    with zipfile.ZipFile(pictures / "album.zip", "w") as album:
        for number in range(3):
            member = paint(pictures.parent / f"{number}.png", "red", 50 + number)
            album.write(member, f"{number}.png")
    (pictures / "broken.png").write_bytes(b"no picture")
    return [each for each in scan(str(pictures)) if isinstance(each, FoundFile)]


def group(files: list[FoundFile]) -> bytes:
    return pickle.dumps(list(enumerate(files)))


def by_number(rows: Iterator[Rows]) -> dict[int, dict[int, Any]]:
    found: dict[int, dict[int, Any]] = {}
    for each in rows:
        for number, part, outcomes in outcomes_in(each):
            for place, outcome in enumerate(outcomes, part):
                found.setdefault(number, {})[place] = outcome
    return found


NONE = KnownIds(packed([]))


def test_one_core_and_two_stages_give_the_same(task: Task, files: list[FoundFile]) -> None:
    alone = by_number(Line(task, NONE).rows(group(files)))
    tower = Tower(task)
    staged = by_number(map(tower.rows, prepared_rows(task, NONE, group(files))))
    assert alone.keys() == staged.keys() == set(range(len(files)))
    for number, outcomes in alone.items():
        assert len(outcomes) == outcomes[0].item.count
        for part, outcome in outcomes.items():
            other = staged[number][part]
            assert (type(other), other.item, other.image_id) == (
                type(outcome), outcome.item, outcome.image_id,
            )  # fmt: skip
            if isinstance(outcome, Encoded):
                np.testing.assert_allclose(outcome.vector, other.vector, atol=1e-6)
                assert outcome.facts == other.facts


def test_what_is_known_is_not_encoded(task: Task, files: list[FoundFile]) -> None:
    first = by_number(Line(task, NONE).rows(group(files)))
    every = (each for parts in first.values() for each in parts.values())
    known = KnownIds(packed(each.image_id for each in every if isinstance(each, Encoded)))
    for rows in (
        Line(task, known).rows(group(files)), prepared_rows(task, known, group(files))
    ):  # fmt: skip
        kinds = {type(each) for parts in by_number(rows).values() for each in parts.values()}
        assert kinds == {Known, Failed}


def test_ids_are_known_whatever_bytes_they_have() -> None:
    ids = ["00" * 16, "ff" * 15 + "00", "00" * 15 + "01", "ab" * 16, "12" * 14 + "0000"]
    known = KnownIds(packed(ids))
    assert all(image_id in known for image_id in ids)
    assert not {"ff" * 16, "01" + "00" * 15, "12" * 14 + "0001"} & {
        image_id for image_id in ("ff" * 16, "01" + "00" * 15, "12" * 14 + "0001")
        if image_id in known
    }  # fmt: skip
    assert "ab" * 16 not in NONE


@pytest.mark.parametrize("staged", [False, True])
def test_what_a_node_does_not_see_is_tried_again(
    task: Task, files: list[FoundFile], *, staged: bool
) -> None:
    away = group([replace(files[0], path="/not/on/this/node.png")])
    rows = prepared_rows(task, NONE, away) if staged else Line(task, NONE).rows(away)
    ((outcome,),) = (parts.values() for parts in by_number(rows).values())
    assert "it is not there any more (on the node " in outcome.reason
    assert record_of(1, [outcome]) is None


def test_a_node_says_what_it_lacks(task: Task, tmp_path: Path) -> None:
    assert lack(task, readers()) == ""
    assert "install the same extras" in lack(task, readers() + " other")
    gone = replace(task, model=replace(task.model, source=str(tmp_path)))
    assert f"does not have the model tiny as it is here at {tmp_path}" in lack(gone, readers())
    other = replace(task, model=replace(task.model, fingerprint="other"))
    assert "does not have the model tiny" in lack(other, readers())
    named = replace(task, model=replace(task.model, name="nemo", source="nemo"))
    assert "run visionquery models pull nemo there" in lack(named, readers())
    with pytest.raises(ModelError, match=r"The node .* cannot encode"):
        by_number(Line(gone, NONE).rows(group([])))


@pytest.mark.parametrize("on", ["head:10001", "ray://", "spark://head", "here"])
def test_what_names_no_cluster_is_refused(on: str) -> None:
    with pytest.raises(InputError, match="names no cluster"):
        check_address(on)


def test_small_work_is_done_here_and_large_work_says_when_no_cluster_answers(
    pictures: Path, paint: Paint, tiny_model: Path, tmp_path: Path
) -> None:
    nobody = "ray://127.0.0.1:1"
    with Library.open(tmp_path / "library", model=tiny_model, create=True) as library:
        assert library.add(pictures, on=nobody).added == 12
        for number in range(70):
            paint(pictures / f"{number}.png", "red", 200 + number)
        with pytest.raises(EngineError, match=f"No cluster answers at {nobody}"):
            library.add(pictures, on=nobody)
        assert library.add(pictures).added == 70
