"""One run over some folders: find what changed, encode what is new, forget what is gone."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from visionquery.images.formats import decoder_version
from visionquery.images.kinds import LEFT_OUT, readers
from visionquery.indexing.noted import facts_of, said_anew
from visionquery.indexing.outcomes import Encoded, Failed, Known, Outcome
from visionquery.indexing.pieces import Piece, record_of, skipped_of
from visionquery.indexing.report import IndexReport, Progress, Skipped, Stages
from visionquery.indexing.survey import Survey, survey
from visionquery.indexing.taking import FileOutcomes, TakeUp
from visionquery.store.base import NewImage, Root, Scope, Store
from visionquery.store.places import absolute
from visionquery.types import is_address

__all__ = ["DECODER_NOTE", "index"]

OnProgress = Callable[[Progress], None]
DECODER_NOTE = "decoder"
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
    left_out: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    stages: Stages = field(default_factory=Stages)

    def progress(self) -> Progress:
        seconds = time.perf_counter() - self.started
        return Progress(self.done, self.total, self.added + self.updated, seconds)


@dataclass(frozen=True, slots=True)
class _Work:
    """What a survey of one scope found; `changed` are the paths of files that were known, and are
    to be read again."""

    root: Root
    survey: Survey
    changed: frozenset[str]


def index(
    store: Store, scopes: Sequence[Scope], *, take_up: TakeUp, on_progress: OnProgress
) -> IndexReport:
    """Bring `scopes` of the store's roots up to date; the caller holds `store.writing()`.

    `take_up` reads and encodes, here or elsewhere. Every batch is durable once written, so an
    interrupt (KeyboardInterrupt passes through) loses at most the pictures in flight, and the
    next run goes on from there.
    """
    counts = _Counts(started=time.perf_counter())
    roots = {root.root_id: root for root in store.roots()}
    decoder = f"{decoder_version()} {readers()}"
    try_again = store.note(DECODER_NOTE) != decoder
    works = [_survey(store, roots[s.root_id], s, counts, try_again=try_again) for s in scopes]
    counts.total = sum(len(work.survey.to_read) for work in works)
    on_progress(counts.progress())
    for work in works:
        with closing(take_up(work.survey.to_read)) as files:
            for group in _groups(files):
                _write_group(store, work, group, counts)
                on_progress(counts.progress())
    for work in works:
        store.forget([(work.root.root_id, path) for path in work.survey.gone])
    removed = store.prune()
    store.set_note(DECODER_NOTE, decoder)
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
        notes=(*counts.notes, *map(_left_out_note, counts.left_out.items())),
    )


def _survey(store: Store, root: Root, scope: Scope, counts: _Counts, *, try_again: bool) -> _Work:
    """Look at a scope, and say in the report what a person should know of it."""
    started = time.perf_counter()
    found = survey(store, root, scope, try_again=try_again)
    counts.stages.scan += time.perf_counter() - started
    counts.unchanged += found.unchanged
    counts.skipped += (*found.unreachable, *found.broken)
    for extra, files in found.left_out.items():
        counts.left_out[extra] += files
    place = absolute(root.location, scope.path) if scope.path else root.location
    if found.away == "missing":
        counts.notes.append(_away_note(place, len(store.files(scope))))
    elif found.away == "empty":
        counts.notes.append(
            f"{root.location} is empty, as the place of an unplugged disk would be: nothing was "
            f"removed. If it is meant to be empty, run: visionquery remove {root.location}"
        )
    return _Work(root, found, frozenset(file.relative for file in found.changed))


def _left_out_note(left_out: tuple[str, int]) -> str:
    extra, files = left_out
    one, several = LEFT_OUT[extra]
    what = f"1 {one} is left out: to take it in" if files == 1 else (
        f"{files:,} {several} are left out: to take them in"
    )
    return f"{what}, run pip install 'visionquery[{extra}]' and then this command again."


def _away_note(place: str, files: int) -> str:
    if is_address(place):
        return (
            f"There is nothing at {place} now: what is known of it ({files:,} files) stays in the "
            f"library. Say where it is with visionquery index NEW --moved-from {place}, or forget "
            f"it with visionquery remove {place}"
        )
    return (
        f"{place} is not there now: what is known of it ({files:,} files) stays in the library. "
        f"Plug its disk in, say where it is with visionquery index NEW --moved-from {place}, or "
        f"forget it with visionquery remove {place}"
    )


def _groups(files: Iterable[FileOutcomes]) -> Iterator[list[FileOutcomes]]:
    """Cut the stream into what is written at a time: the first images soon, then more at once."""
    group: list[FileOutcomes] = []
    images, most = 0, 1
    for outcomes in files:
        group.append(outcomes)
        images += sum(isinstance(outcome, Encoded) for outcome in outcomes)
        if images >= most or len(group) == _FILES_PER_WRITE:
            yield group
            most = min(2 * most, _IMAGES_PER_WRITE)
            group, images = [], 0
    if group:
        yield group


def _write_group(store: Store, work: _Work, group: list[FileOutcomes], counts: _Counts) -> None:
    started = time.perf_counter()
    images = [
        NewImage(outcome.image_id, outcome.vector, facts_of(outcome))
        for outcomes in group
        for outcome in outcomes
        if isinstance(outcome, Encoded)
    ]
    notes = said_anew(store, work.root.root_id, group)
    records = (record_of(work.root.root_id, outcomes) for outcomes in group)
    store.write(images, [record for record in records if record is not None])
    if notes:
        store.write_facts(notes)
    counts.stages.write += time.perf_counter() - started
    for outcomes in group:
        counts.done += 1
        for outcome in outcomes:
            _count(outcome, outcome.item.file.relative in work.changed, counts)


def _count(outcome: Outcome[Piece], is_update: bool, counts: _Counts) -> None:
    if isinstance(outcome, Failed):
        counts.skipped.append(skipped_of(outcome))
        return
    counts.stages.read += outcome.read_seconds
    if isinstance(outcome, Known):
        counts.reused += 1
        return
    counts.stages.decode += outcome.decode_seconds
    counts.stages.encode += outcome.encode_seconds
    if is_update:
        counts.updated += 1
    else:
        counts.added += 1
