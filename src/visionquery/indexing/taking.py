"""Taking files up on this machine: from what a scan found to the outcomes of each file."""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from functools import partial

from visionquery.images.limits import Limits
from visionquery.images.scan import FoundFile
from visionquery.indexing.bounds import bounds_for, machine_memory_bytes
from visionquery.indexing.outcomes import Outcome
from visionquery.indexing.pieces import Piece, by_file, read_piece, weigh
from visionquery.indexing.pipeline import flow
from visionquery.models.encoder import PictureEncoder
from visionquery.store.base import Store

__all__ = ["FileOutcomes", "TakeUp", "here"]

FileOutcomes = list[Outcome[Piece]]
"""The outcomes of all pieces of one file."""

TakeUp = Callable[[Sequence[FoundFile]], Generator[FileOutcomes, None, None]]
"""Yields the outcomes of every file once, in any order of the files. Close the generator to stop;
what it raises ends the run."""


def here(store: Store, encoder: PictureEncoder, *, limits: Limits, threads: int) -> TakeUp:
    """Return what takes files up on this machine, in their order: `threads` decode and encode."""

    def take_up(files: Sequence[FoundFile]) -> Generator[FileOutcomes, None, None]:
        with closing(
            flow(
                map(Piece, files),
                read=partial(read_piece, limits=limits),
                weigh=weigh,
                is_stored=lambda image_id: bool(store.rows_of([image_id])),
                encoder=encoder,
                limits=limits,
                threads=threads,
                bounds=bounds_for(machine_memory_bytes()),
            )
        ) as outcomes:
            yield from by_file(outcomes)

    return take_up
