"""The records of files as points of the catalog."""

from typing import Any

from visionquery.store.base import FileRecord, Fragment
from visionquery.store.fragments import parts_of
from visionquery.store.qd.engine import Point
from visionquery.store.qd.images import Seen
from visionquery.store.qd.spelling import kept_text, key_of, lineage, shown_text

__all__ = ["INDEXES", "file_key", "file_of", "file_point", "seen_in"]

INDEXES = {"kind": "keyword", "lineage": "keyword", "use": "keyword", "root": "integer"}


def file_key(root_id: int, path: str) -> str:
    """Return the id of the point of a file."""
    return key_of("file", root_id, path)


def file_point(file: FileRecord) -> Point:
    """Return the point of a file."""
    payload = {
        "kind": "file",
        "root": file.root_id,
        "path": kept_text(file.path),
        "lineage": lineage(file.root_id, file.path),
        "size_bytes": file.size_bytes,
        "mtime_ns": file.mtime_ns,
        "image_id": file.image_id,
        "problem": file.problem,
        "fragments": [
            [kept_text(each.name), each.image_id, each.problem] for each in file.fragments
        ],
        "use": "skipped" if file.problem is not None else "used",
    }
    return Point(file_key(file.root_id, file.path), payload)


def file_of(payload: dict[str, Any]) -> FileRecord:
    """Return the record that the point of a file carries."""
    return FileRecord(
        root_id=payload["root"],
        path=shown_text(payload["path"]),
        size_bytes=payload["size_bytes"],
        mtime_ns=payload["mtime_ns"],
        image_id=payload["image_id"],
        problem=payload["problem"],
        fragments=tuple(
            Fragment(shown_text(name), image_id, problem)
            for name, image_id, problem in payload["fragments"]
        ),
    )


def seen_in(file: FileRecord) -> list[tuple[str, Seen]]:
    """Return which images a file holds, and where in it."""
    return [
        (part.image_id, Seen(file.root_id, file.path, at, part.name))
        for at, part in enumerate(parts_of(file))
        if part.image_id is not None
    ]
