"""The contract of a store: what indexing writes and what searching reads.

Every implementation passes `visionquery.testing.store_checks`. An image is known by the hash of
its bytes (`image_id`); inside one store it also has a row number, which is how scores, masks
and records refer to it. Rows are stable while a store is open and nobody compacts it; until then,
rows of removed images stay as holes that no mask includes.

A file is an image, or holds several: frames of a video, pages of a document, members of an archive.
A fragment is a text that says which of them is meant.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from visionquery.query.ast import Filter
from visionquery.store.questions import Candidates, Question, Where
from visionquery.store.regions import ImageRegions, Regions
from visionquery.types import Facts, Matrix, ModelIdentity, Vector

__all__ = [
    "MEASURES",
    "NO_NOTES",
    "Compaction",
    "Estimates",
    "Facets",
    "FileRecord",
    "Fragment",
    "ImageRecord",
    "NewImage",
    "Order",
    "Reader",
    "Root",
    "Scope",
    "Span",
    "Store",
]

MEASURES = 1
"""How many measures an image has. Libraries on disk hold as many: another number is another
format."""


NO_NOTES: Mapping[str, str] = MappingProxyType({})

Order = Literal["date", "path"]
"""Order of images for browsing: newest first, undated last; by path."""

Span = tuple[int, int]
"""Rows in a stretch: the first, and the one after the last."""


@dataclass(frozen=True, slots=True)
class Root:
    """An indexed folder. `location` is absolute; files are stored relative to it. `whole` is
    False for a folder that is here for single files of it."""

    root_id: int
    location: str
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Scope:
    """A part of a root: a folder or file below it ("" is all of it), "/"-separated."""

    root_id: int
    path: str = ""


@dataclass(frozen=True, slots=True)
class Fragment:
    """One of several images of a file. `name` says which: `t=12.48`, seconds of a video; `page=3`,
    counted from 1; `member=a/b.jpg`, of an archive. Either `image_id` is set, or `problem` says
    why it was skipped.

    Source: W3C Media Fragments URI 1.0 (`t=`), RFC 8118 (`page=`).
    """

    name: str
    image_id: str | None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file as last seen: `path` relative to its root, "/"-separated (undecodable bytes as
    surrogate escapes). One of three is set: `image_id` of a file that is an image, `problem`, why
    it was skipped, or the `fragments` of one that holds several images, in its order."""

    root_id: int
    path: str
    size_bytes: int
    mtime_ns: int
    image_id: str | None
    problem: str | None = None
    fragments: tuple[Fragment, ...] = ()


@dataclass(frozen=True, slots=True)
class NewImage:
    """An image to be stored. `vector` is a unit row of the store's embed_dim."""

    image_id: str
    vector: Vector
    facts: Facts


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """A stored image with all absolute paths where it was seen, in path order. `text` is what was
    read in the picture, "" when nothing stands there, None when nobody has looked. `fragments`
    says, of those paths whose file holds several images, which one it is: the first in the file's
    order where it is there several times."""

    row: int
    image_id: str
    facts: Facts
    paths: tuple[str, ...]
    text: str | None = None
    fragments: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, eq=False)
class Estimates:
    """Cosines, (p, n), of probes with rows, none of which is further than `error` from the true
    one, and not one in ten million further than `usual_error`; where these are 0, they are the
    true ones."""

    cosines: NDArray[np.float32]
    error: float = 0.0
    usual_error: float = 0.0


@dataclass(frozen=True, slots=True)
class Facets:
    """What filters can choose from, each value with its number of images: the most frequent
    first, equals by name, 200 at most. `types` are extensions as the filter `ext` knows them,
    without the dot; `folders` are absolute, roots and what lies up to two levels below one, with
    the images at or below them; dates are ISO 8601, None where no image has one."""

    cameras: tuple[tuple[str, int], ...]
    types: tuple[tuple[str, int], ...]
    folders: tuple[tuple[str, int], ...]
    first_date: str | None
    last_date: str | None


@dataclass(frozen=True, slots=True)
class Compaction:
    """What compacting a store came to: how many images it has, how many rows of removed ones are
    gone, and how much room it took before and takes now."""

    images: int
    holes: int
    bytes_before: int
    bytes_after: int


class Reader(Protocol):
    """What a store answers: images, their vectors and facts, and the files they were seen in."""

    @property
    def location(self) -> str:
        """Where the store is, as a person would name it, without any password."""

    @property
    def model(self) -> ModelIdentity:
        """The model of all vectors that answers are made of."""

    @property
    def exact_up_to(self) -> int:
        """Up to how many rows every image is compared, unless a person says otherwise: as many as
        this store can compare while somebody waits."""

    def reading(self) -> AbstractContextManager[None]:
        """Let this thread see one state of the store in all that it reads until the block ends:
        without it, a writer may add rows between two answers, which then differ in length.
        Nothing is written inside."""

    def roots(self) -> list[Root]:
        """Return all roots in order of location."""

    def locate(self, path: str) -> Scope | None:
        """Return where an absolute path lies in the roots, None if in none."""

    def files(
        self, scope: Scope, *, after: str | None = None, limit: int | None = None
    ) -> dict[str, FileRecord]:
        """Return the files at and below a scope, by path, in path order: `limit` of them at most,
        and of those only that come after the path `after`."""

    def file_count(self, scope: Scope) -> tuple[int, int]:
        """Return how many files at and below a scope are in use, and how many were skipped."""

    def rows_of(self, image_ids: Sequence[str]) -> dict[str, int]:
        """Return the rows, by id, of those of the ids that are stored."""

    def image_count(self) -> int:
        """Return the number of images."""

    def row_count(self) -> int:
        """Return the number of rows, holes included: the length of scores and masks."""

    def scores(
        self, probes: Matrix, rows: NDArray[np.intp] | None = None
    ) -> NDArray[np.float32]:
        """Return cosines, (p, n), of probes (p, embed_dim) with rows (n,), in their order; None is
        all, holes included, which have any value."""

    def estimates(
        self,
        probes: Matrix,
        *,
        spans: Sequence[Span] | None = None,
        rows: NDArray[np.intp] | None = None,
    ) -> Estimates:
        """Return about the cosines, (p, n), of probes (p, embed_dim) with the rows of spans, one
        span after the other, or with rows (n,), in their order; with all where neither is given,
        as fast as every image can be looked at."""

    def candidates(self, question: Question) -> Candidates:
        """Return the images that are worth comparing for a question, and what it wants to know of
        them: what `scores`, `matching`, `holding` and `measures` say, without a look at every
        image. Some that would be worth it may be missing."""

    def sample(self, count: int) -> NDArray[np.intp]:
        """Return the rows (n,) of the `count` images with the smallest ids, in the order of these:
        as they are hashes, an even sample that does not depend on how images came."""

    def alive(self) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of rows that are images, not holes. As all masks it may be
        kept, and is not to be written to."""

    def matching(self, test: Filter) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images for which a filter holds. Raises InputError when
        its test is not one for its field. A member of an archive has, for filters of paths and
        extensions, for words and for facets, the file's path, "/", and its name for a path."""

    def holding(self, phrase: str) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images that have the words of a phrase in a row: in the
        path of a file below its root, in the name of that root, the caption, a keyword, or the
        text that was read. What a word is `words.words_of` says; no word is in no image."""

    def text_read(self) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images whose text was read."""

    def has_texts(self) -> bool:
        """Return whether the text of any image was read."""

    def measures(self, rows: NDArray[np.intp] | None = None) -> NDArray[np.float32]:
        """Return the measures (n, MEASURES) of rows (n,), None is all, NaN where none was written
        for the model in use."""

    def within(self, scopes: Sequence[Scope]) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images seen at or below any of the scopes."""

    def records(self, rows: Sequence[int]) -> list[ImageRecord]:
        """Return the records of rows, in their order."""

    def ordered(self, by: Order, *, places: Sequence[str] = ()) -> NDArray[np.intp]:
        """Return the rows (n,) of all images in an order, not to be written to. Of several paths
        of an image the first counts, or the first at or below one of the folders `places`, if
        there is one such; an image without any comes before all others. Of one time, paths
        decide; of one path, ids."""

    def page(
        self, where: Where, by: Order, *, offset: int, limit: int, places: Sequence[str] = ()
    ) -> tuple[NDArray[np.intp], int]:
        """Return the rows (n,) of the images offset + 1 to offset + limit of those meant, in the
        order that `ordered` gives, and how many are meant in all."""

    def facets(self) -> Facets:
        """Return what filters can choose from, now."""

    def find(self, image_id: str) -> list[int]:
        """Return the rows whose id starts with `image_id`, in any case (two at most)."""

    def vectors(self, rows: Sequence[int]) -> Matrix:
        """Return the stored vectors of rows, (len(rows), embed_dim), in their order."""

    def regions(self) -> Regions | None:
        """Return the regions of all images that have some, of removed ones too; None where no image
        has. They are those of the model in use."""

    def next_model(self) -> ModelIdentity | None:
        """Return the model that the store is being moved to, None when it is not."""

    def next_done(self) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images that have their vector of the next model."""

    def note(self, key: str) -> str | None:
        """Return a text kept by `set_note`."""

    def size_bytes(self) -> int:
        """Return how much room the store takes."""

    def close(self) -> None:
        """Release files. The store cannot be used afterwards."""


class Store(Reader, Protocol):
    """Images, their vectors and facts, and the files they were seen in."""

    # -- writing: inside `with store.writing():` only --------------------------------------
    def writing(self) -> AbstractContextManager[None]:
        """Hold the one writer's place. Raises LibraryBusyError when another process has it."""

    def add_root(self, location: str, *, whole: bool = True) -> Root:
        """Return the root that this absolute folder belongs to, making it if need be; `whole`
        is False when only single files of it are meant. Inside a whole root, that one is
        returned. Whole roots below it stay roots of their own, which own the files there;
        others become part of it when it is whole."""

    def move(self, scope: Scope, location: str) -> Root:
        """Say that the files below a scope, a root or a folder in it, now lie below another
        absolute folder, and return the root that has them. Where both know a file of the same
        path, the record that was there stays."""

    def write(self, images: Sequence[NewImage], files: Sequence[FileRecord]) -> None:
        """Store images and the files they were seen in, all or nothing, durable on return.
        Images that are already there are left as they are; a file's record is replaced, with all
        its fragments. Every image that a file holds is among `images` or already stored."""

    def write_facts(self, facts: Mapping[str, Facts]) -> None:
        """Store facts of stored images, by image_id, in place of those that are there: all or
        nothing, durable on return. Raises StoreError when one is not stored."""

    def forget(self, files: Sequence[tuple[int, str]]) -> None:
        """Forget files, given as (root_id, path)."""

    def prune(self) -> int:
        """Drop images that no file holds any more, and roots without files; return how many
        images went."""

    def write_texts(self, texts: Mapping[int, str]) -> None:
        """Store the text that was read in pictures, by row, "" for none: all or nothing, durable
        on return. One that is there is replaced. Raises StoreError when a row is no image."""

    def write_measures(self, first_row: int, measures: NDArray[np.float32]) -> None:
        """Store measures (n, MEASURES) of the n rows from `first_row` on: all or nothing, durable
        on return. Those that are there are replaced; NaN stands for none."""

    def write_regions(self, rows: Sequence[int], found: Sequence[ImageRegions]) -> None:
        """Store the regions of rows that have none: all or nothing, durable on return. Raises
        StoreError when a row is no image, and InputError where a store keeps no regions."""

    def drop_regions(self) -> None:
        """Forget all regions."""

    def set_note(self, key: str, value: str) -> None:
        """Keep a small text beside the data."""

    def compact(self, *, notes: Mapping[str, str] = NO_NOTES) -> Compaction:
        """Number the images 0 to n - 1, in the order of their rows, and give back the room of
        removed ones: all or nothing, durable on return, and these notes kept in the same step;
        without a hole, change nothing. Raises StoreError while the store is being moved to another
        model. A store of another process that was open before refuses from then on whatever needs
        vectors, rows or writing."""

    # -- moving to another model: vectors of the next one gather beside those in use ---------
    def begin_next(self, model: ModelIdentity) -> None:
        """Begin, or go on with, vectors of another model; what was made for a third one goes.
        Raises StoreError for the model in use."""

    def write_next(self, rows: Sequence[int], vectors: Matrix) -> None:
        """Store the next model's unit vectors, (len(rows), its embed_dim), of rows: all or
        nothing, durable on return. One that is there is replaced."""

    def finish_next(self, *, forget_notes: Sequence[str] = ()) -> None:
        """Make the next model the model in one step, and drop these notes, the old vectors and
        their measures. Rows and texts stay. Raises StoreError when an image has no vector of it
        yet. A store of another process that was open before refuses from then on whatever needs
        vectors, rows or writing."""

    def drop_next(self) -> None:
        """Give up the move and its vectors; without one, do nothing."""
