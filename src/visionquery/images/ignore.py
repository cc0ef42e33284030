"""Read `.visionqueryignore` files, which follow the rules of gitignore.

Source of the rules: gitignore(5); a file applies to its folder and below, the deepest file that
says anything about a path decides, and nothing inside an ignored folder comes back.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

__all__ = ["IGNORE_FILE", "Rules", "is_ignored", "read_rules", "rules_of"]

IGNORE_FILE = ".visionqueryignore"


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one ignore file; `folder` is where it lies, relative to the root."""

    folder: str
    spec: "GitIgnoreSpec"


def read_rules(path: str, relative: str) -> Iterator[Rules]:
    """Yield the rules that lie in the folder at `path`; none when there is no readable file.

    Lines that gitignore gives no meaning are passed over, as git does.
    """
    try:
        text = Path(path, IGNORE_FILE).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return
    yield rules_of(text, relative)


def rules_of(text: str, folder: str) -> Rules:
    """Return the rules that the text of an ignore file in a folder gives."""
    from pathspec import GitIgnoreSpec

    lines = [line for line in text.removeprefix("\ufeff").splitlines() if _has_meaning(line)]
    return Rules(folder, GitIgnoreSpec.from_lines(lines))


def _has_meaning(line: str) -> bool:
    from pathspec import GitIgnoreSpec

    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True


def is_ignored(relative: str, rules: tuple[Rules, ...]) -> bool:
    """Return whether a path relative to the root, a folder's ending in "/", is ignored.

    `rules` come from the root down to the folder of the path.
    """
    for rule in reversed(rules):
        inner = relative[len(rule.folder) + 1 :] if rule.folder else relative
        verdict = rule.spec.check_file(inner).include
        if verdict is not None:
            return verdict
    return False
