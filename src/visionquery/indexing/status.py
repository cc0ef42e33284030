"""What a library holds, which of its folders are there now, and whether it changes its model."""

from dataclasses import dataclass

from visionquery.indexing.places import is_there
from visionquery.store.base import Root, Scope, Store

__all__ = ["LibraryStatus", "ReencodingStatus", "RootStatus", "library_status"]


@dataclass(frozen=True, slots=True)
class RootStatus:
    """An indexed folder: whether it is there now, files with an image, files skipped."""

    location: str
    present: bool
    files: int
    skipped: int


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
    library is on its way to another model."""

    location: str
    model: str
    embed_dim: int
    images: int
    size_bytes: int
    roots: tuple[RootStatus, ...]
    reencoding: ReencodingStatus | None = None


def library_status(store: Store) -> LibraryStatus:
    """Return what a library holds and which of its folders are there now."""
    with store.reading():
        return LibraryStatus(
            location=store.location,
            model=store.model.name,
            embed_dim=store.model.embed_dim,
            images=store.image_count(),
            size_bytes=store.size_bytes(),
            roots=tuple(_root_status(store, root) for root in store.roots()),
            reencoding=_reencoding(store),
        )


def _root_status(store: Store, root: Root) -> RootStatus:
    files = store.files(Scope(root.root_id)).values()
    skipped = sum(1 for file in files if file.problem is not None)
    return RootStatus(root.location, is_there(root.location), len(files) - skipped, skipped)


def _reencoding(store: Store) -> ReencodingStatus | None:
    model = store.next_model()
    if model is None:
        return None
    return ReencodingStatus(
        model.name, model.source, int(store.next_done().sum()), store.image_count()
    )
