"""One run over some folders: find what changed, encode what is new, forget what is gone."""

import os.path
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from visionquery.errors import ImageError
from visionquery.images import decode
from visionquery.images.formats import decoder_version
from visionquery.images.limits import Limits
from visionquery.images.scan import FoundFile, Unreachable, is_passed_over, scan
from visionquery.indexing.bounds import bounds_for, machine_memory_bytes
from visionquery.indexing.outcomes import Encoded, Failed, Known, Loaded, Outcome
from visionquery.indexing.pipeline import flow
from visionquery.indexing.places import is_there
from visionquery.indexing.report import IndexReport, Progress, Skipped, Stages
from visionquery.models.encoder import Encoder
from visionquery.store.base import FileRecord, NewImage, Root, Scope, Store
from visionquery.store.places import absolute, below

__all__ = ["index"]

OnProgress = Callable[[Progress], None]
_Outcome = Outcome[FoundFile]

_DECODER_NOTE = "decoder"
"""Note of what judged files unreadable: another decoder tries them again."""

_IMAGES_PER_WRITE = 16
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
) -> IndexReport:
    """Bring `scopes` of the store's roots up to date; the caller holds `store.writing()`.

    Every batch is durable once written, so an interrupt (KeyboardInterrupt passes through)
    loses at most the pictures in flight, and the next run goes on from there. `threads` decode
    and encode.
    """
    counts = _Counts(started=time.perf_counter())
    roots = {root.root_id: root for root in store.roots()}
    decoder = decoder_version()
    try_again = store.note(_DECODER_NOTE) != decoder
    works = [_survey(store, roots[s.root_id], s, counts, try_again=try_again) for s in scopes]
    counts.total = sum(len(work.changed) for work in works)
    on_progress(counts.progress())
    for work in works:
        with closing(
            flow(
                work.changed,
                read=partial(_read, limits=limits),
                weigh=lambda file: file.size_bytes,
                is_stored=lambda image_id: bool(store.has_images([image_id])),
                encoder=encoder,
                limits=limits,
                threads=threads,
                bounds=bounds_for(machine_memory_bytes()),
            )
        ) as outcomes:
            for group in _groups(outcomes):
                _write_group(store, work, group, counts)
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


def _read(file: FoundFile, *, limits: Limits) -> Loaded[FoundFile] | Failed[FoundFile]:
    started = time.perf_counter()
    try:
        data = decode.read(file.path, limits=limits)
    except ImageError as error:
        return Failed(file, str(error), None)
    return Loaded(file, data, decode.image_id(data), time.perf_counter() - started)


def _groups(outcomes: Iterable[_Outcome]) -> Iterator[list[_Outcome]]:
    """Cut the stream into what is written at a time: the first images soon, then more at once."""
    group: list[_Outcome] = []
    images, most = 0, 1
    for outcome in outcomes:
        group.append(outcome)
        images += isinstance(outcome, Encoded)
        if images == most or len(group) == _FILES_PER_WRITE:
            yield group
            most = min(2 * most, _IMAGES_PER_WRITE)
            group, images = [], 0
    if group:
        yield group


def _write_group(store: Store, work: _Work, group: list[_Outcome], counts: _Counts) -> None:
    started = time.perf_counter()
    images = [
        NewImage(outcome.image_id, outcome.vector, outcome.facts)
        for outcome in group
        if isinstance(outcome, Encoded)
    ]
    store.write(images, [_record(work.root, outcome) for outcome in group if _is_kept(outcome)])
    counts.stages.write += time.perf_counter() - started
    for outcome in group:
        _count(outcome, work, counts)


def _is_kept(outcome: _Outcome) -> bool:
    """A file that could not even be read may be readable next time: it leaves no record."""
    return not (isinstance(outcome, Failed) and outcome.image_id is None)


def _record(root: Root, outcome: _Outcome) -> FileRecord:
    file = outcome.item
    return FileRecord(
        root_id=root.root_id,
        path=file.relative,
        size_bytes=file.size_bytes,
        mtime_ns=file.mtime_ns,
        image_id=None if isinstance(outcome, Failed) else outcome.image_id,
        problem=outcome.reason if isinstance(outcome, Failed) else None,
    )


def _count(outcome: _Outcome, work: _Work, counts: _Counts) -> None:
    counts.done += 1
    if isinstance(outcome, Failed):
        counts.skipped.append(Skipped(str(outcome.item.path), outcome.reason))
        return
    counts.stages.read += outcome.read_seconds
    if isinstance(outcome, Known):
        counts.reused += 1
        return
    counts.stages.decode += outcome.decode_seconds
    counts.stages.encode += outcome.encode_seconds
    if outcome.item.relative in work.known:
        counts.updated += 1
    else:
        counts.added += 1
