"""Make words found in files fit to be stored and shown."""

import unicodedata
from dataclasses import dataclass

__all__ = ["Words", "clean", "from_bytes"]

_REMOVED = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\ufffe")
"""Marks that turn the direction of what follows, and byte order marks."""


@dataclass(frozen=True, slots=True)
class Words:
    """What a block of metadata says, as written: captions and dates are best first. A place is
    (latitude, longitude) in degrees, WGS 84."""

    captions: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    camera: str | None = None
    place: tuple[float, float] | None = None


def clean(text: str, *, max_chars: int) -> str | None:
    """Return `text` on one line without control characters, cut at `max_chars`; None if empty."""
    kept = (
        " " if unicodedata.category(char) in ("Cc", "Zl", "Zp") else char
        for char in text[: 4 * max_chars]
        if char not in _REMOVED and unicodedata.category(char) not in ("Cs", "Cn")
    )
    line = " ".join(unicodedata.normalize("NFC", "".join(kept)).split())
    return line[:max_chars].rstrip() or None


def from_bytes(raw: bytes) -> str:
    """Decode text whose character set is not known: UTF-8 if it can be, else Windows Latin."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")
