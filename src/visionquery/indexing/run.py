"""One run over some folders: find what changed, encode what is new, forget what is gone."""

import os.path
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from visionquery.images.formats import decoder_version
from visionquery.images.limits import Limits
from visionquery.images.scan import FoundFile, Unreachable, is_passed_over, scan
from visionquery.indexing.pipeline import Failed, Known, Outcome, Ready, flow
from visionquery.indexing.places import is_there
from visionquery.indexing.report import IndexReport, Progress, Skipped, Stages
from visionquery.models.encoder import Encoder
from visionquery.store.base import FileRecord, NewImage, Root, Scope, Store
from visionquery.store.places import absolute, below

__all__ = ["index"]

OnProgress = Callable[[Progress], None]

_DECODER_NOTE = "decoder"
"""Note of what judged files unreadable: another decoder tries them again."""

_FILES_PER_WRITE = 512
"""Files without new images are written in groups of this size."""


@dataclass(slots=True)
class _Counts:
    """What a run has done so far."""

    started: float
    total: int = 0
    done: int = 0
    added: int = 0
    updated: int = 0
    reused: int = 0
    unchanged: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    stages: Stages = field(default_factory=Stages)

    def progress(self) -> Progress:
        seconds = time.perf_counter() - self.started
        return Progress(self.done, self.total, self.added + self.updated, seconds)


@dataclass(frozen=True, slots=True)
class _Work:
    """What a scan of one scope found: files to read and paths that are gone."""

    root: Root
    known: dict[str, FileRecord]
    changed: list[FoundFile]
    gone: list[str]


def index(
    store: Store,
    encoder: Encoder,
    scopes: Sequence[Scope],
    *,
    on_progress: OnProgress,
    limits: Limits,
    threads: int,
    batch_size: int,
) -> IndexReport:
    """Bring `scopes` of the store's roots up to date; the caller holds `store.writing()`.

    Every batch is durable once written, so an interrupt (KeyboardInterrupt passes through)
    loses at most the pictures in flight, and the next run goes on from there. `threads` read
    and decode; `batch_size` images go through the encoder at a time.
    """
    counts = _Counts(started=time.perf_counter())
    roots = {root.root_id: root for root in store.roots()}
    decoder = decoder_version()
    try_again = store.note(_DECODER_NOTE) != decoder
    works = [_survey(store, roots[s.root_id], s, counts, try_again=try_again) for s in scopes]
    counts.total = sum(len(work.changed) for work in works)
    on_progress(counts.progress())
    for work in works:
        outcomes = flow(
            work.changed,
            encoder=encoder,
            is_stored=lambda image_id: bool(store.has_images([image_id])),
            limits=limits,
            threads=threads,
            ahead=2 * batch_size + threads,
        )
        for group in _groups(outcomes, batch_size):
            _write_group(store, encoder, work, group, counts)
            on_progress(counts.progress())
    for work in works:
        store.forget([(work.root.root_id, path) for path in work.gone])
    removed = store.prune()
    store.set_note(_DECODER_NOTE, decoder)
    return _report(store, counts, removed)


def _report(store: Store, counts: _Counts, removed: int) -> IndexReport:
    return IndexReport(
        added=counts.added,
        updated=counts.updated,
        reused=counts.reused,
        unchanged=counts.unchanged,
        removed=removed,
        skipped=tuple(counts.skipped),
        images=store.image_count(),
        seconds=time.perf_counter() - counts.started,
        stages=counts.stages,
        notes=tuple(counts.notes),
    )


def _survey(
    store: Store, root: Root, scope: Scope, counts: _Counts, *, try_again: bool
) -> _Work:
    """Scan a scope and compare it with what the store knows of it. What is known stays where a
    named place is not there, or its root is empty."""
    started = time.perf_counter()
    known = store.files(scope)
    place = absolute(root.location, scope.path) if scope.path else root.location
    if known and not os.path.lexists(place):
        counts.notes.append(_away_note(place, len(known)))
        return _Work(root, known, [], [])
    found: dict[str, FoundFile] = {}
    unreachable: list[str] = []
    inner = [path for other in store.roots() if (path := below(other.location, root.location))]
    for item in scan(Path(root.location), below=scope.path, without=inner):
        if isinstance(item, Unreachable):
            unreachable.append(item.relative)
            counts.skipped.append(Skipped(str(item.path), item.reason))
        else:
            found[item.relative] = item
    changed = []
    for file in found.values():
        record = known.get(file.relative)
        if record is None or not _is_same(record, file) or (record.problem and try_again):
            changed.append(file)
        elif record.problem:
            counts.skipped.append(Skipped(str(file.path), record.problem))
        else:
            counts.unchanged += 1
    gone = [path for path in known if path not in found and not _is_below(path, unreachable)]
    gone = [path for path in gone if not _is_named_and_there(root, path)]
    if gone and not found and not unreachable and not is_there(root.location):
        counts.notes.append(
            f"{root.location} is empty, as the place of an unplugged disk would be: nothing was "
            f"removed. If it is meant to be empty, run: visionquery remove {root.location}"
        )
        gone = []
    counts.stages.scan += time.perf_counter() - started
    return _Work(root, known, changed, gone)


def _is_same(record: FileRecord, file: FoundFile) -> bool:
    return (record.size_bytes, record.mtime_ns) == (file.size_bytes, file.mtime_ns)


def _is_below(path: str, folders: Iterable[str]) -> bool:
    return any(not folder or path == folder or path.startswith(folder + "/") for folder in folders)


def _is_named_and_there(root: Root, path: str) -> bool:
    """Whether a file that a scan passes over, and is known because it was named, is there."""
    return any(map(is_passed_over, path.split("/"))) and os.path.lexists(
        absolute(root.location, path)
    )


def _away_note(place: str, files: int) -> str:
    return (
        f"{place} is not there now: what is known of it ({files:,} files) stays in the library. "
        f"Plug its disk in, say where it is with visionquery index NEW --moved-from {place}, or "
        f"forget it with visionquery remove {place}"
    )


def _groups(outcomes: Iterable[Outcome], batch_size: int) -> Iterator[list[Outcome]]:
    """Cut the stream where `batch_size` images are ready to be encoded."""
    group: list[Outcome] = []
    ready = 0
    for outcome in outcomes:
        group.append(outcome)
        ready += isinstance(outcome, Ready)
        if ready == batch_size or len(group) == _FILES_PER_WRITE:
            yield group
            group, ready = [], 0
    if group:
        yield group


def _write_group(
    store: Store, encoder: Encoder, work: _Work, group: list[Outcome], counts: _Counts
) -> None:
    ready = [outcome for outcome in group if isinstance(outcome, Ready)]
    started = time.perf_counter()
    images = _encode(encoder, ready)
    counts.stages.encode += time.perf_counter() - started
    started = time.perf_counter()
    store.write(images, [_record(work.root, outcome) for outcome in group if _is_kept(outcome)])
    counts.stages.write += time.perf_counter() - started
    for outcome in group:
        _count(outcome, work, counts)


def _encode(encoder: Encoder, ready: list[Ready]) -> list[NewImage]:
    if not ready:
        return []
    vectors = encoder.encode_images(np.stack([item.prepared for item in ready]))
    return [
        NewImage(item.image_id, vector, item.facts)
        for item, vector in zip(ready, vectors, strict=True)
    ]


def _is_kept(outcome: Outcome) -> bool:
    """A file that could not even be read may be readable next time: it leaves no record."""
    return not (isinstance(outcome, Failed) and outcome.image_id is None)


def _record(root: Root, outcome: Outcome) -> FileRecord:
    file = outcome.file
    return FileRecord(
        root_id=root.root_id,
        path=file.relative,
        size_bytes=file.size_bytes,
        mtime_ns=file.mtime_ns,
        image_id=None if isinstance(outcome, Failed) else outcome.image_id,
        problem=outcome.reason if isinstance(outcome, Failed) else None,
    )


def _count(outcome: Outcome, work: _Work, counts: _Counts) -> None:
    counts.done += 1
    if isinstance(outcome, Failed):
        counts.skipped.append(Skipped(str(outcome.file.path), outcome.reason))
        return
    counts.stages.read += outcome.read_seconds
    if isinstance(outcome, Known):
        counts.reused += 1
        return
    counts.stages.decode += outcome.decode_seconds
    if outcome.file.relative in work.known:
        counts.updated += 1
    else:
        counts.added += 1
