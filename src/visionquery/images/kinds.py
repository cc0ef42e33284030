"""What a file is, by its content: one picture, a drawing, or something that holds several.

The name decides only what a scan looks at, and what content cannot tell: which of the many zip
files are albums, and which of the many TIFF files are a camera's raw data.
"""

from functools import cache
from importlib.util import find_spec
from typing import Final, Literal

from visionquery.images.formats import FORMATS

__all__ = [
    "ARCHIVES",
    "HEAD_BYTES",
    "LEFT_OUT",
    "Kind",
    "begins_like_picture",
    "extra_missing",
    "is_candidate",
    "is_picture_name",
    "kind_of",
    "may_be_candidate",
    "readers",
]

Kind = Literal["picture", "tiff", "raw", "svg", "pdf", "video", "archive"]

HEAD_BYTES = 4096
"""What of a file tells its kind: an SVG may begin with a long comment."""

ARCHIVES: Final = (".zip", ".cbz")
_VIDEOS = (
    *(".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".mkv", ".webm", ".avi", ".mpg", ".mpeg"),
    *(".mpe", ".vob", ".mts", ".m2ts", ".wmv", ".asf", ".flv", ".ogv"),  # .ts is also TypeScript
)
_RAWS = (
    *(".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".raf", ".orf"),
    *(".rw2", ".rwl", ".pef", ".srw", ".x3f", ".3fr", ".fff", ".iiq", ".mos", ".mrw", ".erf"),
    *(".dcr", ".kdc"),
)
_DRAWINGS = (".svg", ".svgz")
_DOCUMENTS = (".pdf",)

_EXTRAS: Final = (
    ("video", "av", _VIDEOS),
    ("raw", "rawpy", _RAWS),
    ("documents", "pypdfium2", _DOCUMENTS),
    ("documents", "resvg_py", _DRAWINGS),
)
"""Extras of the package, modules that they bring, and the extensions that ask for these."""

LEFT_OUT: Final = {
    "video": ("video", "videos"),
    "raw": ("raw file of a camera", "raw files of cameras"),
    "documents": ("PDF or SVG file", "PDF and SVG files"),
}
"""What a file that takes an extra is called, and what several are."""

_PICTURES = frozenset(ext for group in FORMATS.values() for ext in group)
_CANDIDATES = frozenset({*_PICTURES, *ARCHIVES, *(e for *_, exts in _EXTRAS for e in exts)})

_MARKS = (
    *(b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"8BPS\0\x01", b"qoif", b"DDS "),
    *(b"\0\0\0\x0cjP  \r\n", b"\xff\x4f\xff\x51", b"%PDF-1."),
)
"""Of formats whose marks are long enough to be no accident."""

_FTYP_PICTURES = (
    *(b"avif", b"avis", b"mif1", b"msf1", b"miaf", b"1pic"),
    *(b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"),
)
_TIFFS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_RAW_HEADS = (b"FUJIFILMCCD-RAW", b"FOVb", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"\0MRM")
_VIDEO_HEADS = (b"\x1aE\xdf\xa3", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", b"FLV\x01", b"\0\0\x01\xba")


def is_candidate(name: str) -> bool:
    """Return whether a file of this name is worth opening."""
    return _extension(name) in _CANDIDATES


def may_be_candidate(name: str) -> bool:
    """Return whether a name says nothing, so that only the content can tell: it has no dot, as
    what was rescued from a broken disk is called."""
    return "." not in name


def begins_like_picture(head: bytes) -> bool:
    """Return whether a file that begins with `head` is worth opening whatever its name says."""
    if head[4:8] == b"ftyp" or head[:4] == b"RIFF":
        return head[8:12] in (b"WEBP", b"AVI ") or head[4:8] == b"ftyp"
    return head.startswith((*_MARKS, *_TIFFS, *_RAW_HEADS, *_VIDEO_HEADS))


def is_picture_name(name: str) -> bool:
    """Return whether this is the name of a single picture, as an archive holds them."""
    extension = _extension(name)
    return extension in _PICTURES or extension in _RAWS


def extra_missing(name: str) -> str | None:
    """Return the extra that a file of this name takes and that is not installed, None for none."""
    extension = _extension(name)
    if extension in _PICTURES:
        return None
    asked = (
        extra for extra, module, exts in _EXTRAS if extension in exts and not _is_here(module)
    )
    return next(asked, None)


def readers() -> str:
    """Return which of the modules that extras bring are installed."""
    return " ".join(module for _, module, _ in _EXTRAS if _is_here(module))


@cache
def _is_here(module: str) -> bool:
    return find_spec(module) is not None


def kind_of(head: bytes, name: str) -> Kind:
    """Return what a file is that begins with `head`, `HEAD_BYTES` of it or all, and has a name."""
    extension = _extension(name)
    if head.startswith(b"PK\x03\x04") or head.startswith(b"PK\x05\x06"):
        return "archive" if extension in ARCHIVES else "picture"
    if head.startswith(_RAW_HEADS):
        return "raw"
    if head.startswith(_TIFFS):
        return "raw" if extension in _RAWS else "tiff"
    if head[4:8] == b"ftyp":
        return _of_brand(head[8:12])
    if _is_video(head, extension):
        return "video"
    if head.startswith(b"%PDF-") or (extension in _DOCUMENTS and b"%PDF-" in head[:1024]):
        return "pdf"
    return "svg" if _is_svg(head, extension) else "picture"


def _of_brand(brand: bytes) -> Kind:
    """Source: ISO/IEC 14496-12, FileTypeBox; "crx " is Canon's CR3."""
    if brand == b"crx ":
        return "raw"
    return "picture" if brand in _FTYP_PICTURES else "video"


def _is_video(head: bytes, extension: str) -> bool:
    if head.startswith(_VIDEO_HEADS) or (head[:4] == b"RIFF" and head[8:11] == b"AVI"):
        return True
    # What begins any way, or like something else, is believed to be what its name says.
    return extension in _VIDEOS and not head.startswith((b"\xff\xd8", b"\x89PNG", b"GIF8"))


def _is_svg(head: bytes, extension: str) -> bool:
    if head.startswith(b"\x1f\x8b"):
        return extension == ".svgz"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    return text.startswith(b"<svg") or (text.startswith((b"<?xml", b"<!")) and b"<svg" in head)


def _extension(name: str) -> str:
    stem, dot, extension = name.rpartition(".")
    return dot + extension.lower() if stem else ""
