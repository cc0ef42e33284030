"""What a disk may hold after a loss of power, made from a log of operations on its files.

Of a file, what was written before its last completed sync is there; of later writes any may be
there or not, also in part, by sectors. A name that was made, changed or removed is sure once its
folder was synced; before that it is as it was, or as it was to be. SQLite's shared memory is none
of it: it does not outlive a system.
"""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Disk", "Operation", "operations"]

SECTOR = 512


@dataclass(frozen=True)
class Operation:
    """A line of the log: what was done to which inode, where, and with which data."""

    kind: str
    inode: int
    where: int
    data: bytes


@dataclass
class File:
    """What is sure of a file, and what was done to it since: data at a place, or a new size."""

    sure: bytearray = field(default_factory=bytearray)
    later: list[tuple[int, bytes | None]] = field(default_factory=list)

    def sync(self) -> None:
        for change in self.later:
            _apply(self.sure, change)
        self.later.clear()

    def after_loss(self, chance: random.Random, kept: float) -> bytes:
        content = bytearray(self.sure)
        for where, data in self.later:
            for change in _sectors(where, data):
                if chance.random() < kept:
                    _apply(content, change)
        return bytes(content)


@dataclass
class Folder:
    """The names that are sure to be in a folder, those that are there for its processes, and the
    changes between: names and what they stand for from then on, None for nothing."""

    sure: dict[str, "File | Folder"] = field(default_factory=dict)
    now: dict[str, "File | Folder"] = field(default_factory=dict)
    later: list[dict[str, "File | Folder | None"]] = field(default_factory=list)

    def change(self, names: dict[str, "File | Folder | None"]) -> None:
        _rename(self.now, names)
        self.later.append(names)

    def sync(self) -> None:
        self.sure, self.later = dict(self.now), []

    def after_loss(self, chance: random.Random, kept: float) -> dict[str, "File | Folder"]:
        names = dict(self.sure)
        for change in self.later:
            if chance.random() < kept:
                _rename(names, change)
        return names


class Disk:
    """A folder `home` and what is below it, as operations change it. It is empty, and sure to be
    there, at first."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._root = Folder()
        self._by_inode: dict[int, File | Folder] = {home.stat().st_ino: self._root}

    def do(self, operation: Operation) -> None:
        """Take up one operation."""
        kind, inode, data = operation.kind, operation.inode, operation.data
        if kind in {"create", "mkdir"}:
            made = File() if kind == "create" else Folder()
            self._by_inode[inode] = made
            self._set({data.decode(): made})
        elif kind == "unlink":
            self._set({data.decode(): None})
        elif kind == "rename":
            old, new = data.decode().split("\0")
            folder, name = self._folder(old)
            self._set({new: folder.now[name], old: None})
        elif kind == "sync":
            self._by_inode[inode].sync()
        elif kind in {"write", "truncate"}:
            file = self._by_inode[inode]
            assert isinstance(file, File)
            file.later.append((operation.where, data if kind == "write" else None))

    def after_loss(self, into: Path, *, seed: int) -> None:
        """Write into a new folder what may be there when power is lost now: of what is not sure,
        nothing, all, or any part, by `seed`."""
        chance = random.Random(seed)
        kept = chance.choice((0.0, 1.0, 0.1, 0.5, 0.5, 0.9))
        self._write(self._root, into, chance, kept)

    def _write(self, folder: Folder, into: Path, chance: random.Random, kept: float) -> None:
        into.mkdir()
        for name, entry in folder.after_loss(chance, kept).items():
            if isinstance(entry, Folder):
                self._write(entry, into / name, chance, kept)
            else:
                (into / name).write_bytes(entry.after_loss(chance, kept))

    def _set(self, paths: dict[str, File | Folder | None]) -> None:
        """Change names, all in one folder, in one step."""
        folder = self._folder(next(iter(paths)))[0]
        folder.change({self._folder(path)[1]: entry for path, entry in paths.items()})

    def _folder(self, path: str) -> tuple[Folder, str]:
        *parents, name = Path(path).relative_to(self._home).parts
        folder = self._root
        for each in parents:
            found = folder.now[each]
            assert isinstance(found, Folder)
            folder = found
        return folder, name


def operations(log: Path) -> Iterator[Operation]:
    """Yield the operations of a log."""
    with log.open("rb") as file:
        while line := file.readline():
            kind, inode, where, size = line.split()
            yield Operation(kind.decode(), int(inode), int(where), file.read(int(size)))


def _rename(
    names: dict[str, File | Folder], change: dict[str, File | Folder | None]
) -> None:
    for name, entry in change.items():
        if entry is None:
            names.pop(name, None)
        else:
            names[name] = entry


def _apply(content: bytearray, change: tuple[int, bytes | None]) -> None:
    where, data = change
    if data is None:
        del content[where:]
        content.extend(bytes(max(where - len(content), 0)))
        return
    content.extend(bytes(max(where - len(content), 0)))
    content[where : where + len(data)] = data


def _sectors(where: int, data: bytes | None) -> Iterable[tuple[int, bytes | None]]:
    """Cut a write where sectors of the disk end; a new size is one thing."""
    if data is None:
        return [(where, None)]
    first = SECTOR - where % SECTOR
    starts = [0, *range(first, len(data), SECTOR)]
    return [
        (where + start, data[start:end])
        for start, end in zip(starts, [*starts[1:], len(data)], strict=True)
    ]
