"""The two ways in which the content of a model file is named."""

import hashlib
from pathlib import Path

__all__ = ["hash_like", "sha256_of"]

_GIT_DIGITS = 40


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file, 64 hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def hash_like(file: Path, expected: str) -> str:
    """Return the hash of a file of the kind that `expected` is: git's own hash of a blob where
    that has 40 digits, as the hub names small files by it, otherwise the SHA-256.

    Source: Git Internals - Git Objects (header "blob <size>\\0", SHA-1).
    """
    if len(expected) != _GIT_DIGITS:
        return sha256_of(file)
    header = b"blob %d\0" % file.stat().st_size
    with file.open("rb") as stream:
        return hashlib.file_digest(
            stream, lambda: hashlib.sha1(header, usedforsecurity=False)
        ).hexdigest()
