"""The roots and files of a library in memory."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Set
from dataclasses import replace

from visionquery.errors import StoreError
from visionquery.store.base import FileRecord, Root, Scope
from visionquery.store.fragments import images_of, parts_of
from visionquery.store.places import absolute, locate, packed
from visionquery.store.settling import owner, settled

__all__ = ["MemoryPlaces", "Seen"]


Seen = tuple[FileRecord, str]
"""A file, and the fragment of it that is an image."""


class MemoryPlaces:
    """Files by (root_id, path), and the roots that they lie below."""

    def __init__(self) -> None:
        self.files: dict[tuple[int, str], FileRecord] = {}
        self._roots: dict[int, Root] = {}
        self._roots_made = 0

    def add(self, place: str, *, whole: bool) -> Root:
        """Return the root that a normal absolute place belongs to, made if need be."""
        root = owner(place, self.roots(), whole=whole)
        if root is None:
            self._roots_made += 1
            return self._settle(Root(self._roots_made, place, whole))
        return self._settle(replace(root, whole=True)) if whole and not root.whole else root

    def move(self, scope: Scope, place: str) -> Root:
        """Say that what lies at a scope is at another place now.

        Raises StoreError when the scope's root is not there.
        """
        if scope.root_id not in self._roots:
            raise StoreError(f"Root {scope.root_id} is not in the library.")
        if not scope.path:
            return self._settle(replace(self._roots[scope.root_id], location=place))
        root = self.add(place, whole=True)
        self._hand_over(scope, locate(place, [root]) or Scope(root.root_id))
        return self._settle(root)

    def check(self, files: Iterable[FileRecord], image_ids: Set[str]) -> None:
        """Raise StoreError when a file is below no root, or shows none of the images."""
        for file in files:
            if file.root_id not in self._roots:
                raise StoreError(f"A file is below root {file.root_id}, not in the library.")
            if missing := set(images_of(file)) - image_ids:
                raise StoreError(f"A file shows image {min(missing)}, which is not stored.")

    def drop_empty_roots(self) -> None:
        """Forget the roots without files."""
        used = {root_id for root_id, _ in self.files}
        self._roots = {key: root for key, root in self._roots.items() if key in used}

    def roots(self) -> list[Root]:
        """Return all roots in order of location."""
        return sorted(self._roots.values(), key=lambda root: packed(root.location))

    def below(self, scope: Scope) -> Iterator[FileRecord]:
        """Yield the files at and below a scope."""
        for (root_id, path), file in self.files.items():
            if root_id == scope.root_id and (
                scope.path in ("", path) or path.startswith(scope.path + "/")
            ):
                yield file

    def by_image(self) -> defaultdict[str, list[Seen]]:
        """Return where each image, by its id, is seen, in order of roots and of fragments; an
        image without any file has an empty list."""
        found: defaultdict[str, list[Seen]] = defaultdict(list)
        for file in sorted(self.files.values(), key=lambda file: file.root_id):
            for part in parts_of(file):
                if part.image_id is not None:
                    found[part.image_id].append((file, part.name))
        return found

    def place(self, file: FileRecord) -> str:
        """Return where a file is, absolute."""
        return absolute(self._roots[file.root_id].location, file.path)

    def folder(self, file: FileRecord) -> str:
        """Return where the root of a file is, absolute."""
        return self._roots[file.root_id].location

    def _settle(self, root: Root) -> Root:
        after = settled(root, [each for key, each in self._roots.items() if key != root.root_id])
        for source, target in after.handed:
            self._hand_over(source, target)
        for root_id in after.dropped:
            self._roots.pop(root_id, None)
        self._roots[after.root.root_id] = after.root
        return after.root

    def _hand_over(self, source: Scope, target: Scope) -> None:
        gone, come = (f"{scope.path}/" if scope.path else "" for scope in (source, target))
        keys = [k for k in self.files if k[0] == source.root_id and k[1].startswith(gone)]
        for file in [self.files.pop(key) for key in keys]:
            path = come + file.path[len(gone) :]
            moved = replace(file, root_id=target.root_id, path=path)
            self.files.setdefault((target.root_id, path), moved)
