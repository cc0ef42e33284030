import base64
import gzip
import io
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from visionquery.errors import ImageTooLargeError, UnreadableImageError
from visionquery.images.limits import Limits
from visionquery.images.svg import decode_svg, is_installed
from visionquery.types import Decoded

RED, BLUE, WHITE = [255, 0, 0], [0, 0, 255], [255, 255, 255]
LEFT = '<rect width="50%" height="100%" fill="red"/>'


def drawing(inside: str = LEFT, outside: str = 'width="30" height="20"', before: str = "") -> bytes:
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f"{before}<svg {names} {outside}>{inside}</svg>".encode()


def size(decoded: Decoded) -> tuple[int, int]:
    return decoded.facts.width, decoded.facts.height


def test_it_is_installed_here() -> None:
    assert is_installed()


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_a_drawing_is_drawn_on_white_at_its_own_size(compress: type[bytes]) -> None:
    data = compress(drawing())
    decoded = decode_svg(data)
    assert decoded.pixels.shape == (20, 30, 3)
    assert decoded.pixels[10, 5].tolist() == RED
    assert decoded.pixels[10, 25].tolist() == WHITE
    assert (*size(decoded), decoded.facts.format) == (30, 20, "SVG")
    assert decoded.facts.size_bytes == len(data)


@pytest.mark.parametrize("min_side", [1, 7, 448, 1280])
@pytest.mark.parametrize("outside", ['width="30" height="20"', 'viewBox="0 0 3 7"', ""])
def test_both_sides_are_as_long_as_asked(min_side: int, outside: str) -> None:
    inside = '<rect width="3" height="2" fill="red"/>'
    decoded = decode_svg(drawing(inside, outside), min_side=min_side)
    assert min_side <= min(decoded.pixels.shape[:2]) <= min_side + 1
    across, down = size(decoded)
    height, width = decoded.pixels.shape[:2]
    assert width / height == pytest.approx(across / down, rel=0.02, abs=1 / min_side)


@pytest.mark.parametrize(
    ("outside", "expected"),
    [
        ('viewBox="0 0 40 20"', (40, 20)),
        ('viewBox="0,0,40,20" width="80"', (80, 40)),
        ('viewBox="0 0 40 20" height="10"', (20, 10)),
        ('viewBox="0 0 40 20" width="100%" height="100%"', (40, 20)),
        ('width="1in" height="25.4mm"', (96, 96)),
        ('width="30" height="20" viewBox="none of it"', (30, 20)),
        ("", (512, 256)),
        ('width="100%"', (512, 256)),
    ],
)
def test_sizes(outside: str, expected: tuple[int, int]) -> None:
    inside = '<rect width="400" height="200" fill="red"/>'
    assert size(decode_svg(drawing(inside, outside))) == expected


@pytest.mark.parametrize("outside", ['width="1e8" height="1e8"', 'width="5" height="5000"'])
@pytest.mark.parametrize("min_side", [None, 448])
def test_absurd_sizes_are_drawn_within_limits(outside: str, min_side: int | None) -> None:
    limits = Limits(max_pixels=100_000)
    pixels = decode_svg(drawing(outside=outside), min_side=min_side, limits=limits).pixels
    assert pixels.shape[0] * pixels.shape[1] <= 100_000


def test_what_is_too_long_and_thin_is_refused() -> None:
    with pytest.raises(UnreadableImageError, match="too long and thin"):
        decode_svg(drawing(outside='width="5" height="99999999"'))


@pytest.mark.parametrize("outside", ['width="0" height="9"', 'width="-3" height="9"'])
def test_sizes_of_nothing_are_refused(outside: str) -> None:
    with pytest.raises(UnreadableImageError, match="invalid size"):
        decode_svg(drawing(outside=outside))


def test_its_title_and_description_are_its_caption() -> None:
    told = "<title> A &lt;boat&gt; </title><g><title>part</title></g><desc>More</desc>"
    assert decode_svg(drawing(told)).facts.caption == "A <boat>"
    assert decode_svg(drawing("<title>untitled</title><desc>More</desc>")).facts.caption == "More"


class Counting(BaseHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(404)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        return


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    Counting.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Counting) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def blue() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (30, 20), "blue").save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "inside",
    [
        '<image href="{}" width="30" height="20"/>',
        '<image xlink:href=" {}" width="30" height="20"/>',
        '<image xmlns:x="http://www.w3.org/1999/xlink" x:href="{}" width="30" height="20"/>',
        '<filter id="f"><feImage href="{}"/></filter><rect filter="url(#f)" width="9" height="9"/>',
        '<style>@import url("{0}"); @font-face {{ font-family: f; src: url("{0}") }}'
        '</style><text font-family="f">a</text>',
        '<use href="{}#a"/>',
        '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{}"/>',
        '<g xml:base="{}"><image href="a.png" width="30" height="20"/></g>',
        '<script href="{}"/><foreignObject><img src="{}"/></foreignObject>',
    ],
)
def test_nothing_outside_is_read(
    inside: str, tmp_path: Path, server: ThreadingHTTPServer
) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(blue())
    address = f"http://127.0.0.1:{server.server_port}/a.png"
    for link in (str(file), file.as_uri(), address):
        decoded = decode_svg(drawing(inside.format(link, link)))
        assert BLUE not in decoded.pixels.reshape(-1, 3).tolist()
    entity = f'<!DOCTYPE svg [<!ENTITY e SYSTEM "{file.as_uri()}">]>'
    assert decode_svg(drawing("<desc>&e;</desc>", before=entity)).facts.caption is None
    assert Counting.asked == []


def test_a_picture_in_the_drawing_is_drawn_and_a_drawing_in_it_is_not() -> None:
    def shown(kind: str, content: bytes) -> list[int]:
        link = f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
        image = f'<image href="{link}" width="30" height="20"/>'
        found: list[int] = decode_svg(drawing(image)).pixels[10, 10].tolist()
        return found

    assert shown("png", blue()) == BLUE
    assert shown("svg+xml", drawing()) == WHITE
    assert shown("png", drawing()) == WHITE


def test_entities_of_drawing_programs_are_put_in_and_bombs_are_not() -> None:
    colour = '<!DOCTYPE svg [<!ENTITY colour "red">]>'
    filled = '<rect width="30" height="20" fill="&colour;"/>'
    assert decode_svg(drawing(filled, before=colour)).pixels[5, 5].tolist() == RED
    levels = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(9))
    laughs = f'<!DOCTYPE svg [<!ENTITY l0 "ha">{levels}]>'
    start = time.perf_counter()
    with pytest.raises((UnreadableImageError, ImageTooLargeError)):
        decode_svg(drawing("<text>&l9;</text>", before=laughs))
    assert time.perf_counter() - start < 10


def test_a_compressed_bomb_is_not_inflated() -> None:
    with pytest.raises(ImageTooLargeError, match="longer than 32 MiB"):
        decode_svg(gzip.compress(bytes(40 * 2**20)))


def nested(depth: int) -> str:
    return "<g>" * depth + LEFT + "</g>" * depth


def linked(length: int) -> str:
    links = (f'<g id="a{n}"><use href="#a{n + 1}"/></g>' for n in range(length))
    return "".join(links) + f'<g id="a{length}"/>'


def masked(length: int) -> str:
    masks = (f'<mask id="m{n}"><rect mask="url(#m{n + 1})"/></mask>' for n in range(length))
    return "".join(masks) + '<rect mask="url(#m0)" width="9" height="9"/>'


@pytest.mark.parametrize("inside", [nested(90), linked(20), masked(20)])
def test_what_lies_in_one_another_is_drawn(inside: str) -> None:
    assert decode_svg(drawing(inside)).pixels.shape == (20, 30, 3)


@pytest.mark.parametrize("inside", [nested(99), nested(99_999), linked(200), masked(200)])
def test_what_lies_too_deep_in_one_another_is_refused(inside: str) -> None:
    with pytest.raises(UnreadableImageError, match="too deep"):
        decode_svg(drawing(inside))


def test_a_drawing_that_contains_itself_is_refused() -> None:
    with pytest.raises(UnreadableImageError, match="too deep"):
        decode_svg(drawing('<g id="a"><use href="#b"/></g><g id="b"><use href="#a"/></g>'))


@pytest.mark.parametrize(
    "data", [b"", b"<html/>", b"<svg", b"\x1f\x8b\x08", b"<svg>&a;</svg>", b"\xff"]
)
def test_what_is_no_drawing_says_so(data: bytes) -> None:
    with pytest.raises(UnreadableImageError, match="not an SVG"):
        decode_svg(data)
