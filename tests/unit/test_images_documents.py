import io
import threading

import numpy as np
import pytest
from PIL import Image

from visionquery.errors import ImageTooLargeError, UnreadableImageError
from visionquery.images.limits import Limits
from visionquery.images.pdf import decode_page, is_installed, pages

CATALOG = b"<< /Type /Catalog /Pages 2 0 R >>"
RED_LEFT = b"1 0 0 rg 0 0 100 100 re f"


def document(*objects: bytes, trailer: bytes = b"") -> bytes:
    """A PDF of these objects, numbered from 1, the first of which is its catalog."""
    written, places = bytearray(b"%PDF-1.7\n"), []
    for number, content in enumerate(objects, 1):
        places.append(len(written))
        written += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = len(written)
    written += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    written += b"".join(b"%010d 00000 n \n" % place for place in places)
    written += b"trailer\n<< /Size %d /Root 1 0 R %s >>\n" % (len(objects) + 1, trailer)
    return bytes(written + b"startxref\n%d\n%%%%EOF\n" % table)


def page(
    box: str = "0 0 200 100", content: bytes = RED_LEFT, more: bytes = b"", info: bytes = b""
) -> bytes:
    """A PDF with one page, 200 × 100 points, whose left half is red."""
    return document(
        CATALOG,
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [%s] /Contents 4 0 R %s >>" % (box.encode(), more),
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< %s >>" % info,
        trailer=b"/Info 5 0 R",
    )


def of_pillow(*colours: str) -> bytes:
    buffer = io.BytesIO()
    first, *others = [Image.new("RGB", (300, 200), colour) for colour in colours]
    first.save(buffer, "PDF", save_all=True, append_images=others)
    return buffer.getvalue()


def test_it_is_installed_here() -> None:
    assert is_installed()


def test_each_page_is_a_fragment_and_a_picture() -> None:
    data = of_pillow("blue", "red", "green")
    assert pages(data) == ["page=1", "page=2", "page=3"]
    assert pages(page()) == ["page=1"]
    middle = decode_page(data, 2, min_side=50).pixels
    assert middle.dtype == np.uint8
    assert np.abs(middle[25, 25].astype(int) - (255, 0, 0)).max() < 8


def test_a_page_is_drawn_on_white_at_150_dots_per_inch() -> None:
    decoded = decode_page(page(), 1)
    assert decoded.pixels.shape == (209, 417, 3)
    assert decoded.pixels[100, 100].tolist() == [255, 0, 0]
    assert decoded.pixels[100, 300].tolist() == [255, 255, 255]
    facts = decoded.facts
    assert (facts.width, facts.height, facts.format) == (417, 209, "PDF")
    assert facts.size_bytes == len(page())


@pytest.mark.parametrize("min_side", [1, 37, 448, 1280])
def test_both_sides_are_as_long_as_asked_whatever_the_page(min_side: int) -> None:
    decoded = decode_page(page(), 1, min_side=min_side)
    height, width = decoded.pixels.shape[:2]
    assert min_side <= height <= min_side + 1
    assert 2 * min_side <= width <= 2 * min_side + 2
    assert (decoded.facts.width, decoded.facts.height) == (417, 209)


def test_a_turned_page_comes_upright() -> None:
    decoded = decode_page(page(more=b"/Rotate 90"), 1, min_side=100)
    assert decoded.pixels.shape[0] > decoded.pixels.shape[1]
    assert decoded.pixels[10, 50].tolist() == [255, 0, 0]
    assert (decoded.facts.width, decoded.facts.height) == (209, 417)


def test_what_a_document_says_of_itself() -> None:
    told = b"/Title (Boats) /Keywords (sea, ship; Sea) /CreationDate (D:20190102030405+01'00')"
    facts = decode_page(page(info=told), 1).facts
    assert (facts.caption, facts.keywords) == ("Boats", ("sea", "ship"))
    assert facts.taken_at == "2019-01-02T03:04:05+01:00"
    facts = decode_page(page(info=b"/Title (untitled) /Subject (A subject)"), 1).facts
    assert (facts.caption, facts.taken_at) == ("A subject", None)
    assert decode_page(page(info=b"/Title <FEFFD800>"), 1).facts.width == 417


@pytest.mark.parametrize(
    ("written", "date"),
    [
        ("D:20190102", "2019-01-02"),
        ("D:201901020304", "2019-01-02T03:04:00"),
        ("20190102030405Z00'00'", "2019-01-02T03:04:05+00:00"),
        ("D:20190102030405-08'00", "2019-01-02T03:04:05-08:00"),
        ("D:20191399", None),
        ("D:2019", None),
        ("Thu Jan 2 2019", None),
    ],
)
def test_dates_of_documents(written: str, date: str | None) -> None:
    told = b"/CreationDate (%s)" % written.encode()
    assert decode_page(page(info=told), 1).facts.taken_at == date


@pytest.mark.parametrize("side", [28_346_456, 14_400])  # ten kilometres, five metres
@pytest.mark.parametrize("min_side", [None, 64])
def test_a_huge_page_is_drawn_small(side: int, min_side: int | None) -> None:
    data = page(box=f"0 0 {side} {side}")
    limits = Limits(max_pixels=1_000_000)
    height, width = decode_page(data, 1, min_side=min_side, limits=limits).pixels.shape[:2]
    assert height * width <= 1_000_000
    assert min(height, width) >= (min_side or 900)


@pytest.mark.parametrize("box", ["0 0 28346456 1", "0 0 0.001 5000", "0 0 9 1e9", "0 0 1 72"])
@pytest.mark.parametrize("max_pixels", [4, 500, 100_000])
def test_no_shape_is_drawn_above_the_limit(box: str, max_pixels: int) -> None:
    limits = Limits(max_pixels=max_pixels)
    for min_side in (None, 448):
        shape = decode_page(page(box=box), 1, min_side=min_side, limits=limits).pixels.shape
        assert shape[0] * shape[1] <= max_pixels


@pytest.mark.parametrize("box", ["", "0 0 0 0", "7 7 7 7", "100 100 0 0", "a b c d", "0 0 nan inf"])
def test_a_page_without_a_proper_size_is_drawn_all_the_same(box: str) -> None:
    assert min(decode_page(page(box=box), 1, min_side=32).pixels.shape[:2]) >= 32


@pytest.mark.parametrize("number", [-1, 0, 2, 501])
def test_a_page_that_is_not_there(number: int) -> None:
    with pytest.raises(UnreadableImageError, match=f"no page {number}"):
        decode_page(page(), number)


def test_a_document_that_needs_a_password_says_so() -> None:
    locked = b"/Filter /Standard /V 1 /R 2 /P -4 /O <%s> /U <%s>" % (b"41" * 32, b"42" * 32)
    data = page().replace(b"/Info 5 0 R", b"/ID [<00> <00>] /Encrypt << %s >>" % locked)
    with pytest.raises(UnreadableImageError, match="password"):
        pages(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"%PDF-1.7\n",
        b"\x89PNG\r\n\x1a\n",
        document(CATALOG, b"<< /Type /Pages /Kids [] /Count 0 >>"),
        document(b"<< /Type /Catalog >>"),
    ],
)
def test_what_is_no_document_says_so(data: bytes) -> None:
    with pytest.raises(UnreadableImageError, match="not a PDF that can be read"):
        pages(data)


def test_a_tree_of_pages_that_leads_into_itself_ends() -> None:
    looped = document(CATALOG, b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 100000 >>")
    assert len(pages(looped)) == 500
    with pytest.raises(UnreadableImageError, match="page 3 of the PDF is damaged"):
        decode_page(looped, 3)


def test_a_drawing_that_contains_itself_ends() -> None:
    data = document(
        CATALOG,
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R"
        b" /Resources << /XObject << /X 4 0 R >> >> >>",
        b"<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Length 5"
        b" /Resources << /XObject << /X 4 0 R >> >> >>\nstream\n/X Do\nendstream",
    )
    assert decode_page(data, 1, min_side=9).pixels.shape == (9, 9, 3)


def test_limits_on_bytes_are_kept() -> None:
    with pytest.raises(ImageTooLargeError):
        pages(page(), Limits(max_bytes=100))
    with pytest.raises(ImageTooLargeError):
        decode_page(page(), 1, limits=Limits(max_bytes=100))


def test_no_change_of_a_byte_raises_anything_else() -> None:
    whole = page()
    for at in range(0, len(whole), 3):
        changed = whole[:at] + bytes([whole[at] ^ 0x1F]) + whole[at + 1 :]
        try:
            decode_page(changed, 1, min_side=8)
        except UnreadableImageError:
            continue


def test_threads_take_turns() -> None:
    data = of_pillow("blue", "red")
    alone = [decode_page(data, number, min_side=300).pixels for number in (1, 2)]
    wrong: list[int] = []

    def draw(number: int) -> None:
        for _ in range(5):
            pixels = decode_page(data, number, min_side=300).pixels
            if not np.array_equal(pixels, alone[number - 1]):
                wrong.append(number)

    threads = [threading.Thread(target=draw, args=(1 + at % 2,)) for at in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
