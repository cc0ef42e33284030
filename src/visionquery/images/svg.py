"""Drawings in SVG as pictures (the extra `documents`): the one door to resvg.

A drawing is read here first and written anew, without what could lead out of it (links to files
and servers, declarations) and without what makes resvg, which draws by recursion, overrun its
stack. What stays is still drawn by foreign code that may take long: call it where it can be ended.
"""

import importlib.util
import io
import math
import re
import zlib
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from visionquery.errors import ImageTooLargeError, UnreadableImageError
from visionquery.images.limits import DEFAULT_LIMITS, Limits, check_bytes
from visionquery.images.metadata import facts_of
from visionquery.images.text import Words, clean
from visionquery.types import Decoded, Facts, Pixels

__all__ = ["decode_svg", "is_installed"]

_GZIP_MARK = b"\x1f\x8b"
_MAX_BYTES = 32 * 2**20
"""Of a drawing as text, inflated and with its entities put in."""

_MAX_DEPTH = 96
"""Of elements in one another, links followed: resvg takes 36 KiB of stack for each, of 8 MiB."""

_MAX_PIXELS, _MAX_SIDE = 40_000_000, 30_000
_USUAL_SIDE = 512
"""What the longer side of a drawing without a size has, in pixels."""

_UNITS = {"": 1.0, "px": 1.0, "pt": 4 / 3, "pc": 16.0, "mm": 96 / 25.4, "cm": 96 / 2.54, "in": 96.0}
"""CSS pixels. Source: CSS Values and Units 3, section 6.2."""

_LENGTH = re.compile(
    r"\s*(\d*\.?\d+(?:e[+-]?\d+)?)\s*(px|pt|pc|mm|cm|in)?\s*", re.IGNORECASE | re.ASCII
)
_PICTURE = re.compile(r"\s*data:image/(png|jpe?g|gif|webp)[;,]", re.IGNORECASE)
"""A drawing inside a drawing would not have been read here."""

_LINK = re.compile(r"url\(\s*[\"']?#([^\"')]+)")


_NUMBER = re.compile(r"[+-]?\d*\.?\d+(?:e[+-]?\d+)?", re.IGNORECASE | re.ASCII)
_ENDLESS = 1e9
_MAX_ASPECT = 1000
"""Of the longer side: of a drawing 20 million times as long as wide, resvg finds no end."""

_TOO_DEEP = "not an SVG that can be drawn: its parts lie too deep in one another"


@dataclass(frozen=True, slots=True)
class _Drawing:
    """A drawing written anew, the attributes of its outermost element, and what it tells."""

    text: str
    root: dict[str, str]
    captions: tuple[str, ...]
    has_text: bool


def is_installed() -> bool:
    """Return whether the library that draws SVG is installed."""
    return importlib.util.find_spec("resvg_py") is not None


def decode_svg(
    data: bytes, *, min_side: int | None = None, limits: Limits = DEFAULT_LIMITS
) -> Decoded:
    """Draw an SVG, perhaps compressed with gzip, on white, as it is before anything moves.

    Both sides of the result are >= `min_side` (pixels, >= 1), None draws its own size; it is
    smaller where that would be above `limits.max_pixels`, 40 million pixels, or 30,000 on a side.
    The facts tell its own size, a title and a description. Raises ImageTooLargeError above a limit
    on bytes and UnreadableImageError for all else that goes wrong.
    """
    check_bytes(len(data), limits)
    if not is_installed():
        raise UnreadableImageError(
            "reading it needs an extra: pip install 'visionquery[documents]'"
        )
    drawing = _read(_inflated(data))
    width, height = _size(drawing.root, limits) or _shape(drawing, limits)
    pixels = _drawn(drawing, _box(width, height, min_side, limits))
    bare = Facts(math.ceil(width), math.ceil(height), "SVG", len(data))
    return Decoded(pixels=pixels, facts=facts_of(bare, Words(captions=drawing.captions)))


def _inflated(data: bytes) -> bytes:
    if data.startswith(_GZIP_MARK):
        inflater = zlib.decompressobj(wbits=31)
        try:
            data = inflater.decompress(data, _MAX_BYTES + 1)
        except zlib.error as error:
            raise UnreadableImageError("not an SVG that can be read: it is damaged") from error
    if len(data) > _MAX_BYTES:
        raise ImageTooLargeError(f"the drawing is longer than {_MAX_BYTES / 2**20:.0f} MiB")
    return data


def _read(data: bytes) -> _Drawing:
    """Read a drawing and write it anew."""
    from xml.parsers import expat

    parser = expat.ParserCreate(namespace_separator=None)
    reader = _Reader()
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # one is of unknown encodings
        raise UnreadableImageError("not an SVG that can be read: it is damaged") from error
    if reader.root is None:
        raise UnreadableImageError("not an SVG that can be read: it is another kind of XML")
    reader.check_links()
    captions = tuple("".join(reader.told.get(name, ())) for name in ("title", "desc"))
    is_written = "text" in reader.names
    return _Drawing("".join(reader.written), reader.root, captions, is_written)


class _Reader:
    """Takes what a parser finds and writes what may stay."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.root: dict[str, str] | None = None
        self.names: set[str] = set()
        self.told: dict[str, list[str]] = {}
        self._size = 0
        self._path: list[str] = []
        self._around: list[str] = []
        self._links: dict[str, dict[str, int]] = {"": {}}

    def start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(":")[2]
        if self.root is None:
            if local != "svg":
                raise UnreadableImageError("not an SVG that can be read: it is another kind of XML")
            self.root = attributes
        self.names.add(local)
        self._path.append(local)
        if len(self._path) > _MAX_DEPTH:
            raise UnreadableImageError(_TOO_DEEP)
        kept = {key: value for key, value in attributes.items() if _may_stay(key, value)}
        self._around.append(kept.get("id") or (self._around[-1] if self._around else ""))
        for target in _targets(kept):
            self._note(target)
        said = "".join(f" {key}={quoteattr(value)}" for key, value in kept.items())
        self._write(f"<{name}{said}>")

    def end(self, name: str) -> None:
        self._path.pop()
        self._around.pop()
        self._write(f"</{name}>")

    def text(self, text: str) -> None:
        if len(self._path) == 2 and self._path[1] in ("title", "desc"):
            self.told.setdefault(self._path[1], []).append(text)
        if self._path[-1] == "style":
            for target in _LINK.findall(text):
                self._note(target)
        self._write(escape(text))

    def check_links(self) -> None:
        """Refuse links to parts with links, and so on, that are too deep to be followed."""
        depth = dict.fromkeys(self._links, 0)
        for _ in range(_MAX_DEPTH):
            is_settled = True
            for part, targets in self._links.items():
                found = max((own + depth.get(to, 0) for to, own in targets.items()), default=0)
                if found > depth[part]:
                    depth[part], is_settled = found, False
            if is_settled:
                return
            if max(depth.values()) > _MAX_DEPTH:
                break
        raise UnreadableImageError(_TOO_DEEP)

    def _note(self, target: str) -> None:
        links = self._links.setdefault(self._around[-1], {})
        links[target] = max(links.get(target, 0), len(self._path))

    def _write(self, text: str) -> None:
        self._size += len(text)
        if self._size > _MAX_BYTES:
            raise ImageTooLargeError(f"the drawing is longer than {_MAX_BYTES / 2**20:.0f} MiB")
        self.written.append(text)


def _may_stay(key: str, value: str) -> bool:
    """A link may lead to a part of the drawing or hold a picture, nothing else."""
    if key.rpartition(":")[2].lower() not in ("href", "src", "base"):
        return True
    return value.lstrip().startswith("#") or _PICTURE.match(value) is not None


def _targets(attributes: dict[str, str]) -> list[str]:
    found = [link for value in attributes.values() for link in _LINK.findall(value)]
    links = (value.strip() for key, value in attributes.items() if key.endswith("href"))
    return found + [link[1:] for link in links if link.startswith("#")]


def _shape(drawing: _Drawing, limits: Limits) -> tuple[float, float]:
    """Return the size of a drawing without one: resvg knows the shape of what is drawn."""
    side = min(_USUAL_SIDE, math.isqrt(limits.max_pixels))
    height, width = _drawn(drawing, (side, side)).shape[:2]
    if width < height:  # half a pixel less than that: it was rounded, and must not come too small
        return width - 0.5, height
    return width, height - 0.5


def _size(root: dict[str, str], limits: Limits) -> tuple[float, float] | None:
    """Return the drawing's own size in CSS pixels, made small enough to be drawn; None for none."""
    seen = [float(part) for part in _NUMBER.findall(root.get("viewBox", ""))]
    across, down = seen[2:4] if len(seen) == 4 else (0.0, 0.0)
    width, height = _pixels(root.get("width", "")), _pixels(root.get("height", ""))
    if across > 0 and down > 0:
        width, height = width or (height or down) * across / down, height
        height = height or width * down / across
    if not all(0 < side < _ENDLESS for side in (width, height)):
        return None
    if max(width, height) > _MAX_ASPECT * min(width, height):
        raise UnreadableImageError("not an SVG that can be drawn: it is too long and thin")
    scale = min(1.0, _largest(width, height, limits))
    return max(1.0, width * scale), max(1.0, height * scale)


def _pixels(length: str) -> float:
    """Return a length in CSS pixels, 0 for one that only the page around it would tell."""
    match = _LENGTH.fullmatch(length)
    return float(match[1]) * _UNITS[(match[2] or "").lower()] if match else 0.0


def _largest(width: float, height: float, limits: Limits) -> float:
    """Return how often the larger drawing fits into the limits."""
    area = math.sqrt(min(limits.max_pixels, _MAX_PIXELS) / (width * height))
    return min(area, _MAX_SIDE / max(width, height))


def _box(width: float, height: float, min_side: int | None, limits: Limits) -> tuple[int, int]:
    """Return the pixels (width, height) into which a drawing of this size is fitted."""
    wanted = 1.0 if min_side is None else (min_side + 0.5) / min(width, height)
    scale = min(wanted, _largest(width, height, limits))
    return max(1, int(width * scale)), max(1, int(height * scale))


def _drawn(drawing: _Drawing, box: tuple[int, int]) -> Pixels:
    import resvg_py
    from PIL import Image

    try:
        encoded = resvg_py.svg_to_bytes(
            svg_string=drawing.text,
            width=box[0],
            height=box[1],
            background="#ffffff",
            dpi=96.0,
            skip_system_fonts=not drawing.has_text,  # looking for them takes a while
        )
    except BaseException as error:
        if not isinstance(error, ValueError) and type(error).__name__ != "PanicException":
            raise  # the other is what a defect of Rust code becomes, and no Exception
        raise UnreadableImageError(
            f"not an SVG that can be drawn: {clean(str(error), max_chars=200) or 'it is damaged'}"
        ) from error
    with Image.open(io.BytesIO(encoded), formats=("PNG",)) as picture:
        return np.array(picture.convert("RGB"))
