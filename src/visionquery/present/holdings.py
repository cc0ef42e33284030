"""What a library holds, folder by folder, and what to do about it, in words."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from visionquery.indexing.status import Changes, LibraryStatus, RootStatus
from visionquery.present.text import count, escaped, place_text, printable

__all__ = ["broken_lines", "next_step", "root_fields", "root_lines"]


def root_lines(root: RootStatus) -> str:
    """Return a folder and, on a line below it, what is known of it and what has changed."""
    facts = [count(root.files, "picture")]
    if not root.whole:
        facts.append("named one by one")
    if root.skipped and root.changes is None:
        facts.append(f"{root.skipped:,} skipped")
    if not root.present:
        facts.append("not there now; what is known of it is kept")
    elif root.changes is not None:
        facts += list(_changes(root.changes)) or ["up to date"]
    return f"{escaped(root.location)}\n  {', '.join(facts)}"


def root_fields(root: RootStatus) -> tuple[str, ...]:
    """Return a folder as fields for programs: its place, pictures, files skipped, whether it is
    there now and, where somebody has looked, files that are new, changed, missing and broken."""
    fields = (escaped(root.location), f"{root.files}", f"{root.skipped}")
    there = "yes" if root.present else "no (its images are kept)"
    if root.changes is None:
        return (*fields, there)
    changes = root.changes
    numbers = (changes.new, changes.changed, changes.missing, len(changes.broken))
    return (*fields, there, *map(str, numbers))


def broken_lines(status: LibraryStatus) -> list[str]:
    """Return a line for each file that cannot be used, and each place that cannot be looked at."""
    return [
        f"{place_text(item.path, item.fragment)}: {printable(item.reason)}"
        for root in status.roots
        if root.changes is not None
        for item in (*root.changes.broken, *root.changes.unreachable)
    ]


def next_step(status: LibraryStatus, options: str = "") -> str:
    """Return the command that brings the library up to date, with `options` in it, "" where there
    is nothing to do."""
    stale = [
        _quoted(root.location)
        for root in status.roots
        if root.whole and root.changes is not None and not root.changes.is_up_to_date
    ]
    return f"To bring it up to date: visionquery index{options} {' '.join(stale)}" if stale else ""


def _changes(changes: Changes) -> Iterator[str]:
    numbers = (
        (changes.new, "new"),
        (changes.changed, "changed"),
        (changes.missing, "missing"),
        (len(changes.broken), "broken"),
        (len(changes.unreachable), "out of reach"),
    )
    yield from (f"{number:,} {word}" for number, word in numbers if number)


def _quoted(location: str) -> str:
    """A place as a shell takes it, from the home folder where that needs no quotes."""
    path = Path(location)
    if path.is_relative_to(Path.home()) and shlex.quote(location) == location:
        return str(Path("~", path.relative_to(Path.home())))
    return shlex.quote(location)
