"""From folders that a person names to a library that is up to date with them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from visionquery.errors import InputError
from visionquery.indexing.places import add_roots, check_places, holds, named_scopes
from visionquery.store.base import Compaction, Store
from visionquery.types import ModelIdentity, is_address

if TYPE_CHECKING:
    from visionquery.indexing.keeping import Pace
    from visionquery.indexing.ocr import OcrReport
    from visionquery.indexing.reencode import ReencodeReport
    from visionquery.indexing.regions import RegionsReport
    from visionquery.indexing.report import IndexReport, Progress
    from visionquery.models.encoder import Encoder
    from visionquery.store.backup import BackedUp

__all__ = ["add", "add_regions", "backup", "compact", "read_texts", "reencode", "watch"]


def add(
    store: Store,
    encoder: Callable[[], Encoder],
    places: Sequence[str],
    *,
    on: str | None = None,
    on_progress: Callable[[Progress], None],
    threads: int,
) -> IndexReport:
    """Bring a store up to date with absolute folders and files, as `Library.add` says."""
    from visionquery.images.limits import Limits
    from visionquery.indexing.run import index
    from visionquery.indexing.taking import here
    from visionquery.indexing.unseen import unseen_note
    from visionquery.search.background import refresh_background

    if on is not None:
        from visionquery.indexing.cluster import check_address, on_cluster

        check_address(on)
    check_places(places, is_known=lambda place: holds(store, place))
    with store.writing(), ExitStack() as stack:
        add_roots(store, places)
        limits = Limits()
        take_up = here(store, encoder(), limits=limits, threads=threads)
        if on is not None:
            model = encoder().identity
            take_up = stack.enter_context(
                on_cluster(on, store, model, here=take_up, limits=limits)
            )
        scopes = named_scopes(store, places)
        report = index(store, scopes, take_up=take_up, on_progress=on_progress)
        refresh_background(store, encoder())
        note = unseen_note(store, scopes, places)
    return report if note is None else replace(report, notes=(*report.notes, note))


def watch(
    store: Store,
    encoder: Callable[[], Encoder],
    places: Sequence[str],
    *,
    pace: Pace | None,
    polling: bool,
    before_run: Callable[[], None],
    on_progress: Callable[[Progress], None],
    on_report: Callable[[IndexReport], None],
    on_note: Callable[[str], None],
    stop: threading.Event,
    threads: int,
) -> None:
    """Keep a store up to date with absolute folders and files, as `Library.watch` says."""
    from visionquery.indexing.keeping import Pace, keep
    from visionquery.indexing.watching import check_can_be_watched, check_installed

    check_can_be_watched(places)
    if not polling:
        check_installed()
    check_places(places, is_known=lambda place: holds(store, place))

    def run(due: Sequence[str]) -> IndexReport:
        before_run()
        return add(store, encoder, due, on_progress=on_progress, threads=threads)

    keep(
        store, run, places, pace=pace or Pace(), polling=polling,
        on_report=on_report, on_note=on_note, stop=stop,
    )  # fmt: skip


def compact(store: Store) -> Compaction:
    """Give back the room of removed images, as `Library.compact` says."""
    from visionquery.search.background import compacted_notes

    with store.writing():
        return store.compact(notes=compacted_notes(store))


def backup(
    store: Store, to: str, *, on_progress: Callable[[str, int, int], None]
) -> BackedUp:
    """Copy a store in a folder to another one, as `Library.backup` says."""
    from visionquery.store.backup import back_up

    if is_address(store.location):
        raise InputError(
            f"backup copies libraries in folders. Copy {store.location} to one with: visionquery "
            "copy FROM TO; or use the tools of its engine."
        )
    return back_up(Path(store.location), Path(to), on_progress=on_progress)


def reencode(
    store: Store,
    wanted: ModelIdentity,
    load_encoder: Callable[[ModelIdentity], Encoder],
    in_use: Callable[[], Encoder],
    *,
    on_progress: Callable[[Progress], None],
    threads: int,
) -> tuple[ReencodeReport, Encoder | None]:
    """Move a store to another model, or keep it with its own, as `Library.reencode` says.

    `in_use` gives the encoder of the model in use. Return what was done, and the encoder of the
    model that is in use from now on, None where the one in use stays.
    """
    from visionquery.images.limits import Limits
    from visionquery.indexing import reencode as moving
    from visionquery.search.background import BACKGROUND_NOTE, BANK_NOTE, refresh_background

    with store.writing():
        encoder = None
        if wanted.fingerprint == store.model.fingerprint:
            report = moving.keep_model(store)
        else:
            encoder = load_encoder(wanted)
            report = moving.reencode(
                store,
                encoder,
                on_progress=on_progress,
                limits=Limits(),
                threads=threads,
                forget_notes=(BACKGROUND_NOTE, BANK_NOTE),
            )
        if not report.complete:
            return report, None
        refresh_background(store, encoder or in_use())
        return report, encoder


def add_regions(
    store: Store,
    encoder: Callable[[], Encoder],
    places: Sequence[str],
    *,
    on_progress: Callable[[Progress], None],
    threads: int,
) -> RegionsReport:
    """Make regions of the pictures of absolute places, or of all, as `Library.add_regions` says."""
    from visionquery.images.limits import Limits
    from visionquery.indexing.regions import index_regions
    from visionquery.search.background import biases_of, encode_bank

    with store.writing():
        bank = encode_bank(store, encoder())
        return index_regions(
            store,
            encoder(),
            named_scopes(store, places) if places else None,
            biases=lambda vectors: biases_of(vectors, bank),
            on_progress=on_progress,
            limits=Limits(),
            threads=threads,
        )


def read_texts(
    store: Store,
    places: Sequence[str],
    *,
    on_progress: Callable[[Progress], None],
    threads: int,
) -> OcrReport:
    """Read the text inside the pictures of absolute places, or of all, as `Library.read_texts`
    says."""
    from visionquery.images.limits import Limits
    from visionquery.images.ocr import open_reader
    from visionquery.indexing.ocr import read_texts as read

    with store.writing():
        return read(
            store,
            named_scopes(store, places) if places else None,
            open_reader=lambda: open_reader(threads=1),  # A picture for each of the threads.
            on_progress=on_progress,
            limits=Limits(),
            threads=threads,
        )
