"""What fuzzing starts from: inputs that are right, small, and of every kind."""

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from tests.fuzz.broken_library import example_damage

from visionquery import models
from visionquery.images.formats import FORMATS, openers
from visionquery.testing.tiny_model import make_tiny_model

__all__ = ["QUERIES", "SEEDS", "pictures"]

QUERIES = (
    "a dog on a beach",
    'dog -people "no parking" 2:"red car" .5:wet',
    "(cat OR dog) AND NOT sleeping without a leash",
    "image:photo.jpg like:00ff@10,20,30,40 -like:ab",
    "date:2024..2025-03 camera:sony path:holiday ext:heic,jpg width:>3000 height:..800",
    'text:"invoice 12" keyword:a,b orientation:landscape near:52.5,-13.4,5km',
    "no people but with a boat, (without (a OR b)) -(c d)",
    "NOT NOT -(NOT x) 3 dogs 12:30 t-shirt black - white “curled” note",
    "date:yesterday path:\udcff\udcfe собака é",
)
"""Queries with every mark and every field of the language."""

_XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
    b'syntax-ns#"><rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" '
    b'xmlns:exif="http://ns.adobe.com/exif/1.0/" exif:DateTimeOriginal="2021-03-04T05:06:07+02:00">'
    b"<dc:description><rdf:Alt><rdf:li>A cat</rdf:li></rdf:Alt></dc:description><dc:subject>"
    b"<rdf:Bag><rdf:li>cat</rdf:li></rdf:Bag></dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>"
)
_MODES = ("RGB", "RGBA", "L", "P", "1", "I;16", "CMYK", "F", "I", "LA")


def pictures() -> list[bytes]:
    """Return a small picture in every format and mode that can be written here."""
    made = {_written(name, mode): None for name in FORMATS for mode in _MODES}
    made.update(dict.fromkeys(_special()))
    return [data for data in made if data]


def _written(form: str, mode: str, **options: object) -> bytes:
    ramp = np.linspace(0, 255, 20 * 16 * 3).astype(np.uint8).reshape(16, 20, 3)
    picture = Image.fromarray(ramp)
    buffer = io.BytesIO()
    openers()
    try:
        picture = picture.convert("L").convert(mode) if mode in ("I;16", "F") else (
            picture.convert(mode)
        )
        picture.save(buffer, form, **options)
    except (OSError, ValueError, KeyError):  # a format that cannot hold the mode, or be written
        return b""
    return buffer.getvalue()


def _special() -> list[bytes]:
    """Return pictures in forms that are not written by default."""
    frames = [Image.new("P", (8, 8), colour) for colour in (1, 2)]
    exif = _exif()
    several = []
    for form in ("GIF", "PNG", "TIFF", "WEBP", "MPO"):
        buffer = io.BytesIO()
        frames[0].convert("RGB").save(
            buffer, form, save_all=True, append_images=[frames[1].convert("RGB")]
        )
        several.append(buffer.getvalue())
    return [
        *several,
        _written("JPEG", "RGB", progressive=True, exif=exif),
        _written("PNG", "RGB", exif=exif),
        _written("WEBP", "RGB", exif=exif, lossless=True),
        *(_written("TIFF", "RGB", compression=kind) for kind in ("tiff_lzw", "jpeg", "packbits")),
        *(_written("TGA", "RGB", compression=kind) for kind in (None, "tga_rle")),
        b"P3 2 2 255 " + b"9 8 7 " * 4,
        _psd(),
    ]


def _psd() -> bytes:
    header = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 4, 4, 8, 3)
    resource = b"8BIM" + struct.pack(">HHI", 0x0404, 0, 8) + b"\x1c\2\x78\0\3cat"
    return header + struct.pack(">II", 0, len(resource)) + resource + b"\0" * 6 + b"\x7f" * 48


def _exif() -> bytes:
    exif = Image.Exif()
    exif.update({0x0112: 6, 0x010F: "Sony", 0x0110: "A7", 0x010E: "A cat", 0x9C9E: b"a\0;\0b\0"})
    exif.get_ifd(0x8769).update({0x9003: "2021:03:04 05:06:07", 0x9011: "+02:00"})
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 30.0, 0.0), 3: "W", 4: (13.0, 24.0, 0.0)})
    return exif.tobytes()


def _blocks() -> list[bytes]:
    """Return blocks of metadata, each behind the byte that says how it is read."""
    iptc = b"\x1c\1\x5a\0\3\x1b%G\x1c\2\x78\0\5a cat\x1c\2\x19\0\3cat\x1c\2\x37\0\x0820240506"
    photoshop = b"Photoshop 3.0\0" + b"8BIM\4\4\0\0" + struct.pack(">I", len(iptc)) + iptc
    dates = ("2021:03:04 05:06:07.5+02:00", "2024-12-31", "0000:00:00 00:00:00")
    return [
        *(bytes([kind]) + block for kind in range(7) for block in (iptc, _XMP, _exif(), photoshop)),
        *(bytes([2]) + date.encode() for date in dates),
        b"\1" + _XMP.decode().encode("utf-16"),
    ]


def _queries() -> list[bytes]:
    return [query.encode("utf-8", "surrogateescape") for query in QUERIES]


def _models() -> list[bytes]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        tiny = (make_tiny_model(Path(folder) / "tiny") / "model.toml").read_bytes()
    here = Path(models.__file__).parent
    known = [path.read_bytes() for path in sorted((here / "catalog").glob("*.toml"))]
    return [tiny, (here / "pocket" / "model.toml").read_bytes(), *known]


SEEDS: dict[str, Callable[[], list[bytes]]] = {
    "picture": pictures,
    "metadata": _blocks,
    "query": _queries,
    "document": _queries,
    "model": _models,
    "library": example_damage,
    "library-answers": example_damage,
}
"""How to make the seeds of each target."""
