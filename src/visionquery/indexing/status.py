"""What a library holds, which of its folders are there now, and whether it changes its model."""

from dataclasses import dataclass, replace

from visionquery.indexing.copied import unfinished_from
from visionquery.indexing.places import is_there
from visionquery.indexing.report import Skipped
from visionquery.indexing.unseen import with_regions
from visionquery.store.base import Root, Scope, Store

__all__ = ["Changes", "LibraryStatus", "ReencodingStatus", "RootStatus", "library_status"]


@dataclass(frozen=True, slots=True)
class Changes:
    """How an indexed folder differs from what is known of it, by names, sizes and times: files
    that are new, changed and missing; `broken` cannot be used and are as they were; what is
    `unreachable` could not be looked at."""

    new: int
    changed: int
    missing: int
    broken: tuple[Skipped, ...]
    unreachable: tuple[Skipped, ...]

    @property
    def is_up_to_date(self) -> bool:
        """Whether a run would find nothing to do."""
        return not (self.new or self.changed or self.missing)


@dataclass(frozen=True, slots=True)
class RootStatus:
    """An indexed folder: whether it is there now, files with an image, files skipped. `whole` is
    False for one of which single files were named. `changes` is None where nobody has looked, and
    where the folder is not there."""

    location: str
    present: bool
    files: int
    skipped: int
    whole: bool = True
    changes: Changes | None = None


@dataclass(frozen=True, slots=True)
class ReencodingStatus:
    """A move to another model: `done` of `images` have their vector of `model`, which is found
    at `source`, a catalog name or a folder."""

    model: str
    source: str
    done: int
    images: int


@dataclass(frozen=True, slots=True)
class LibraryStatus:
    """A library at a glance; `size_bytes` is its room on disk. `reencoding` is None unless the
    library is on its way to another model. `copying_from` says where the library is that this one
    is an unfinished copy of, None when it is none. `regions` is how many images were looked at in
    parts."""

    location: str
    model: str
    embed_dim: int
    images: int
    size_bytes: int
    roots: tuple[RootStatus, ...]
    reencoding: ReencodingStatus | None = None
    copying_from: str | None = None
    regions: int = 0


def library_status(store: Store, *, look: bool = False) -> LibraryStatus:
    """Return what a library holds and which of its folders are there now; with `look`, how they
    differ from it, which takes a scan of each."""
    with store.reading():
        roots = store.roots()
        status = LibraryStatus(
            location=store.location,
            model=store.model.name,
            embed_dim=store.model.embed_dim,
            images=store.image_count(),
            size_bytes=store.size_bytes(),
            roots=tuple(_root_status(store, root) for root in roots),
            reencoding=_reencoding(store),
            copying_from=unfinished_from(store),
            regions=int(with_regions(store).sum()),
        )
    if not look:
        return status
    # A scan may take its time: no state of the store is held for it.
    pairs = zip(status.roots, roots, strict=True)
    return replace(status, roots=tuple(_looked_at(store, *pair) for pair in pairs))


def _root_status(store: Store, root: Root) -> RootStatus:
    files, skipped = store.file_count(Scope(root.root_id))
    return RootStatus(root.location, is_there(root.location), files, skipped, root.whole)


def _looked_at(store: Store, status: RootStatus, root: Root) -> RootStatus:
    from visionquery.indexing.survey import survey

    if not status.present:
        return status
    found = survey(store, root, Scope(root.root_id))
    if found.away:
        return replace(status, present=False)
    changes = Changes(
        len(found.new), len(found.changed), len(found.gone), found.broken, found.unreachable
    )
    return replace(status, changes=changes)


def _reencoding(store: Store) -> ReencodingStatus | None:
    model = store.next_model()
    if model is None:
        return None
    return ReencodingStatus(
        model.name, model.source, int(store.next_done().sum()), store.image_count()
    )
