"""Files and the images in them: who is seen where, when files come, go, or lie elsewhere."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from visionquery.store.base import FileRecord, Scope
from visionquery.store.fragments import images_of
from visionquery.store.qd.batches import batches
from visionquery.store.qd.conditions import every, one_of
from visionquery.store.qd.engine import Engine, Point
from visionquery.store.qd.files import file_key, file_of, file_point, seen_in
from visionquery.store.qd.images import WHOLE, Image, Seen, image_of, payload_of
from visionquery.store.qd.spelling import scope_key

__all__ = ["hand_over", "images_by_id", "stored_files", "with_files"]

_FILES = 500
_IDS = 500


def images_by_id(engine: Engine, vectors: str, ids: Iterable[str]) -> dict[str, Image]:
    """Return those of the images that are stored, by id."""
    found = {}
    for some in batches(dict.fromkeys(ids), _IDS):
        for point in engine.scroll(vectors, one_of("image_id", some), fields=WHOLE):
            image = image_of(point)
            found[image.image_id] = image
    return found


def stored_files(
    engine: Engine, keys: Iterable[tuple[int, str]]
) -> dict[tuple[int, str], FileRecord]:
    """Return those of the files, given as (root_id, path), that are stored."""
    points = engine.get(engine.address.collection, [file_key(*key) for key in keys])
    files = [file_of(point.payload) for point in points.values()]
    return {(file.root_id, file.path): file for file in files}


def with_files(
    images: Mapping[str, Image], gone: Iterable[FileRecord], come: Iterable[FileRecord]
) -> dict[str, Image]:
    """Return those images, by id, whose places change when files go, or are replaced, and others
    come, as they are then."""
    arriving: defaultdict[str, list[Seen]] = defaultdict(list)
    for file in come:
        for image_id, seen in seen_in(file):
            arriving[image_id].append(seen)
    leaving = {(file.root_id, file.path) for file in gone}
    moved = {
        image_id: image.moved(leaving, arriving[image_id]) for image_id, image in images.items()
    }
    return {image_id: image for image_id, image in moved.items() if image != images[image_id]}


def hand_over(engine: Engine, vectors: str, source: Scope, target: Scope) -> None:
    """Pass the files below a scope on to another; its own record of a path stays."""
    lead = f"{source.path}/" if source.path else ""
    # A file of that name is not below the scope.
    where = every([one_of("lineage", [scope_key(source)]), one_of("kind", ["file"])])
    found = (file_of(point.payload) for point in engine.scroll(engine.address.collection, where))
    below = [file for file in found if file.path.startswith(lead)]
    for some in batches(below, _FILES):
        _hand(engine, vectors, {file: _moved(file, lead, target) for file in some})


def _hand(engine: Engine, vectors: str, moves: Mapping[FileRecord, FileRecord]) -> None:
    """Make files others, in an order in which a part of it can be done again: images first."""
    taken = stored_files(engine, [(file.root_id, file.path) for file in moves.values()])
    come = [file for file in moves.values() if (file.root_id, file.path) not in taken]
    ids = {image_id for file in moves for image_id in images_of(file)}
    changed = with_files(images_by_id(engine, vectors, ids), moves, come)
    engine.amend(vectors, {image.row: payload_of(image) for image in changed.values()})
    points: list[Point] = [file_point(file) for file in come]
    engine.put(engine.address.collection, points)
    gone: list[Any] = [file_key(file.root_id, file.path) for file in moves]
    engine.remove(engine.address.collection, gone)


def _moved(file: FileRecord, lead: str, target: Scope) -> FileRecord:
    path = file.path[len(lead) :]
    inside = f"{target.path}/{path}" if target.path else path
    return replace(file, root_id=target.root_id, path=inside)
