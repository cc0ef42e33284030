"""What is promised for any input: each target takes bytes and raises only when that is broken."""

import io
import json
import math
import struct
import tempfile
import unicodedata
import zlib
from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path

from PIL import Image
from tests.fuzz.broken_library import answers, change, damaged, true_answers

from visionquery.errors import ImageError, InputError, ModelError, QueryError
from visionquery.images.captions import read_iptc, read_xmp
from visionquery.images.decode import decode
from visionquery.images.exif import date_time
from visionquery.images.limits import Limits
from visionquery.images.text import clean
from visionquery.models.description import read_spec
from visionquery.models.model_toml import describe
from visionquery.models.spec import artifacts, fingerprint
from visionquery.query.ast import Node
from visionquery.query.document import as_document
from visionquery.query.editing import edited, parts
from visionquery.query.grammar import explain, parse, unparse
from visionquery.server.queries import query_tree
from visionquery.types import Facts

__all__ = ["PROMISED", "TARGETS"]

_LIMITS = Limits(max_pixels=1_000_000, max_bytes=1 << 20)
_MOST_CHARACTERS = 4_000
_MOST_TAKEN_APART = 600  # each part comes with the text of all others


def picture(data: bytes) -> None:
    """Any bytes are decoded, to pixels that fit their facts, or refused with an ImageError."""
    for min_side in (None, 8):
        try:
            decoded = decode(data, min_side=min_side, limits=_LIMITS)
        except ImageError as error:
            _check_refusal(error)
            continue
        height, width, channels = decoded.pixels.shape
        assert (decoded.pixels.dtype, channels) == ("uint8", 3)
        sides = (decoded.facts.width, decoded.facts.height)
        assert sides == (width, height) or min_side is not None, f"{sides} for {width} × {height}"
        assert width * height <= _LIMITS.max_pixels
        _check_facts(decoded.facts)


def metadata(data: bytes) -> None:
    """Broken metadata gives fewer facts, never an error: a good picture with any metadata is
    decoded. The first byte says where the others stand."""
    kind, block = (data[0] % 7, data[1:]) if data else (0, b"")
    match kind:
        case 0:
            read_iptc(block)
        case 1:
            read_xmp(block)
        case 2:
            text = block.decode("utf-8", "replace")
            date_time(text)
            assert all(unicodedata.category(c) != "Cc" for c in clean(text, max_chars=80) or "")
        case 6:
            _check_facts(decode(_with_chunk(b"eXIf", block)).facts)
            _check_facts(decode(_with_chunk(b"tEXt", b"Description\0" + block)).facts)
        case _:
            names = {3: (0xE1, b"Exif\0\0"), 4: (0xE1, b"http://ns.adobe.com/xap/1.0/\0")}
            marker, name = names.get(kind, (0xED, b""))
            _check_facts(decode(_with_segment(marker, (name + block)[:65_533])).facts)


def query(data: bytes) -> None:
    """Any text is a tree, whose own text is read as the same tree, or a QueryError with a position
    inside the text."""
    text, tree = _read_query(data)
    if tree is None:
        return
    assert parse(unparse(tree)) == tree
    assert all(line.isprintable() for line in explain(tree).split("\n"))
    for part in parts(tree) if len(text) <= _MOST_TAKEN_APART else ():
        parse(part.text)
        assert not part.without or parse(part.without)
    assert parse(edited(text)) == tree


def document(data: bytes) -> None:
    """A tree is JSON for other programs, and the query of a request is a tree or an InputError."""
    text, tree = _read_query(data)
    if tree is not None:
        made = as_document(tree)
        written = json.dumps(made, allow_nan=False)
        assert json.loads(written) == made
    for has_upload in (False, True):
        try:
            query_tree(text, has_upload=has_upload)
        except InputError as error:
            _check_refusal(error)


def model(data: bytes) -> None:
    """Any model.toml is a description, with a fingerprint, that can be written and read again, or
    a ModelError."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.toml"
        file.write_bytes(data)
        try:
            spec = read_spec(file, source="mine")
        except ModelError as error:
            _check_refusal(error)
            return
        assert artifacts(spec)
        if spec.folder is not None:
            file.write_text(describe(spec), encoding="utf-8")
            again = read_spec(file, source="mine")
            assert fingerprint(again) == fingerprint(spec)


def library(data: bytes) -> None:
    """A damaged library answers or refuses with a StoreError, read or written."""
    with damaged(data) as folder:
        answers(folder)
        change(folder)
        answers(folder)


def library_answers(data: bytes) -> None:
    """What a damaged library answers is right, where it does not refuse."""
    true = true_answers(coded=data[:1] == b"\1")
    with damaged(data) as folder:
        found = answers(folder)
    wrong = [n for n, (one, other) in enumerate(zip(found, true, strict=False))
             if one is not None and one != other]  # fmt: skip
    assert not wrong, f"wrong answers to questions {wrong}"


def _require(holds: bool, otherwise: str) -> None:
    assert holds, otherwise


def _check_refusal(error: Exception) -> None:
    assert str(error), "a refusal without words"


def _read_query(data: bytes) -> tuple[str, Node | None]:
    text = data.decode("utf-8", "surrogateescape")[:_MOST_CHARACTERS]
    try:
        return text, parse(text)
    except QueryError as error:
        _check_refusal(error)
        _require(0 <= error.position <= len(text), f"position {error.position} of {len(text)}")
        _require(bool(error.expected), "nothing was expected")
        return text, None


def _check_facts(facts: Facts) -> None:
    for words in (facts.camera, facts.caption, *facts.keywords):
        assert words is None or (words and words == clean(words, max_chars=len(words))), words
    if facts.latitude is not None and facts.longitude is not None:
        assert abs(facts.latitude) <= 90
        assert abs(facts.longitude) <= 180
        assert math.isfinite(facts.latitude + facts.longitude)
    if facts.taken_at is not None:
        datetime.fromisoformat(facts.taken_at)


@cache
def _plain(form: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 6), (200, 30, 30)).save(buffer, form)
    return buffer.getvalue()


def _with_segment(marker: int, block: bytes) -> bytes:
    """Return a JPEG with an application segment right after its start."""
    plain = _plain("JPEG")
    return plain[:2] + struct.pack(">BBH", 0xFF, marker, len(block) + 2) + block + plain[2:]


def _with_chunk(kind: bytes, block: bytes) -> bytes:
    """Return a PNG with a chunk behind its header."""
    plain = _plain("PNG")
    chunk = struct.pack(">I", len(block)) + kind + block
    return plain[:33] + chunk + struct.pack(">I", zlib.crc32(kind + block)) + plain[33:]


TARGETS: dict[str, Callable[[bytes], None]] = {
    "picture": picture,
    "metadata": metadata,
    "query": query,
    "document": document,
    "model": model,
    "library": library,
    "library-answers": library_answers,
}

PROMISED = tuple(name for name in TARGETS if name != "library-answers")
"""Targets that hold. The last does not yet: neither the catalog nor the vectors have check sums,
so that damage within a value passes."""
