import io
import struct
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from visionquery.images.captions import read_iptc, read_xmp
from visionquery.images.decode import decode
from visionquery.images.exif import date_time, place
from visionquery.images.text import clean
from visionquery.types import Facts

XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
 <rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"
   xmlns:exif="http://ns.adobe.com/exif/1.0/" exif:DateTimeOriginal="2021-03-04T05:06:07.12+02:00">
  <dc:description><rdf:Alt><rdf:li xml:lang="de">Eine Katze</rdf:li>
   <rdf:li xml:lang="x-default">A cat on a wall</rdf:li></rdf:Alt></dc:description>
  <dc:subject><rdf:Bag><rdf:li>cat</rdf:li><rdf:li>Kraków</rdf:li></rdf:Bag></dc:subject>
 </rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""


def facts(form: str = "JPEG", **options: object) -> Facts:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 6)).save(buffer, form, **options)
    return decode(buffer.getvalue()).facts


def exif_facts(
    main: dict[int, Any],
    *,
    details: dict[int, Any] | None = None,
    gps: dict[int, Any] | None = None,
) -> Facts:
    exif = Image.Exif()
    exif.update(main)
    exif.get_ifd(0x8769).update(details or {})
    exif.get_ifd(0x8825).update(gps or {})
    return facts(exif=exif.tobytes())


def iptc(records: list[tuple[int, int, bytes]]) -> bytes:
    return b"".join(struct.pack(">BBBH", 0x1C, r, d, len(v)) + v for r, d, v in records)


def with_iptc(block: bytes) -> bytes:
    """Put an IPTC block into a JPEG the way Photoshop does, as a segment APP13."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 6)).save(buffer, "JPEG")
    body = b"Photoshop 3.0\x008BIM\x04\x04\x00\x00" + struct.pack(">I", len(block)) + block
    body += b"\x00" * (len(block) % 2)
    segment = b"\xff\xed" + struct.pack(">H", len(body) + 2) + body
    return buffer.getvalue()[:2] + segment + buffer.getvalue()[2:]


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_exif_is_found_in_every_container(form: str) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Sony", "ILCE-7"
    exif[0x0132] = "2020:01:02 03:04:05"
    found = facts(form, exif=exif.tobytes() if form != "TIFF" else exif)
    assert (found.camera, found.taken_at) == ("Sony ILCE-7", "2020-01-02T03:04:05")
    assert (found.width, found.height, found.format) == (8, 6, form)
    assert found.size_bytes > 0


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [
        ("Canon", "Canon EOS 5D", "Canon EOS 5D"),
        ("NIKON CORPORATION", "NIKON D90", "NIKON D90"),
        ("Apple\0", " iPhone 12 ", "Apple iPhone 12"),
        ("", "X100", "X100"),
        ("LEICA", "", "LEICA"),
    ],
)
def test_camera_does_not_repeat_its_make(make: str, model: str, camera: str) -> None:
    assert exif_facts({0x010F: make, 0x0110: model}).camera == camera


def test_the_time_it_was_taken_goes_before_the_time_it_was_changed() -> None:
    details = {0x9003: "2019:06:07 08:09:10", 0x9011: "-03:30", 0x9004: "2019:06:08 00:00:00"}
    found = exif_facts({0x0132: "2022:01:01 00:00:00"}, details=details)
    assert found.taken_at == "2019-06-07T08:09:10-03:30"
    unset = exif_facts({0x0132: "2022:01:01 01:00:00"}, details={0x9003: "0000:00:00 00:00:00"})
    assert unset.taken_at == "2022-01-01T01:00:00"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2020:02:29 23:59:59", "2020-02-29T23:59:59"),
        ("2020-02-29T23:59:59.5Z", "2020-02-29T23:59:59+00:00"),
        ("2020-02-29T23:59", "2020-02-29T23:59:00"),
        ("2020:02:29 10:00:00+0530", "2020-02-29T10:00:00+05:30"),
        ("2020:02:29 10:00:00+99:00", "2020-02-29T10:00:00"),
        ("2020-02-29", "2020-02-29"),
        ("2021:02:29 00:00:00", None),
        ("    :  :     :  :  ", None),
        ("1970:01:01 00:00:00", None),
        ("1700:01:01 00:00:00", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_dates(text: str, expected: str | None) -> None:
    assert date_time(text) == expected


def test_the_future_is_no_time_of_a_photograph() -> None:
    assert date_time((datetime.now(UTC) + timedelta(days=400)).strftime("%Y:%m:%d")) is None


def test_gps_becomes_signed_degrees() -> None:
    gps = {1: "S", 2: (33.0, 51.0, 31.2), 3: "W", 4: (70.0, 30.0, 0.0)}
    found = exif_facts({}, gps=gps)
    assert found.latitude == pytest.approx(-33.858667, abs=1e-6)
    assert found.longitude == pytest.approx(-70.5, abs=1e-6)


@pytest.mark.parametrize(
    "latitude",
    [(91.0, 0.0, 0.0), (-5.0, 0.0, 0.0), (IFDRational(0, 0),) * 3, (0.0, 0.0, 0.0), "north", ()],
)
def test_places_that_cannot_be_are_none(latitude: Any) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({1: "N", 2: latitude, 3: "E", 4: (0.0, 0.0, 0.0)})
    assert place(exif) is None
    exif.get_ifd(0x8825).update({2: (45.0, 30.0)})
    assert place(exif) == (45.5, 0.0)


def test_words_of_exif() -> None:
    exif = Image.Exif()
    exif[0x010E] = "Caf@@ at night"
    exif[0x9C9E] = "night;café; ;NIGHT\0".encode("utf-16-le")
    found = facts(exif=exif.tobytes().replace(b"@@", "é".encode()))
    assert found.caption == "Café at night"
    assert found.keywords == ("night", "café")


@pytest.mark.parametrize(
    "junk",
    ["OLYMPUS DIGITAL CAMERA         ", "SONY DSC", "Exif_JPEG_PICTURE", "DSC_0042", "dav", "   "],
)
def test_what_cameras_write_is_no_caption(junk: str) -> None:
    assert exif_facts({0x010E: junk}).caption is None
    assert exif_facts({0x010E: f"{junk}", 0x9C9B: "A real title".encode("utf-16-le")}).caption == (
        "A real title"
    )


@pytest.mark.parametrize("text", ["A dog", "Sony camera on a table", "Kodak moment", "Berlin 1989"])
def test_what_people_write_is_a_caption(text: str) -> None:
    assert exif_facts({0x010E: text}).caption == text


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "AVIF", "PNG", "TIFF"])
def test_xmp_is_found_in_every_container(form: str) -> None:
    packet = XMP.encode()
    if form == "PNG":
        from PIL.PngImagePlugin import PngInfo

        info = PngInfo()
        info.add_itxt("XML:com.adobe.xmp", XMP)
        found = facts(form, pnginfo=info)
    elif form == "TIFF":
        found = facts(form, tiffinfo={700: packet})
    else:
        found = facts(form, xmp=packet)
    assert found.caption == "A cat on a wall"
    assert found.keywords == ("cat", "Kraków")
    assert found.taken_at == "2021-03-04T05:06:07+02:00"


def test_xmp_that_is_hostile_or_broken_says_nothing() -> None:
    declared = '<!DOCTYPE x [<!ENTITY a "boom">]>' + XMP
    for packet in (declared.encode(), declared.encode("utf-16"), b"<a", b"", b"\xff" * 99):
        assert read_xmp(packet) == read_xmp(b"")
    assert read_xmp(XMP.encode() + b" " * (1 << 20)).captions == ()
    assert read_xmp(XMP.encode("utf-16")).captions[0] == "A cat on a wall"


def test_iptc_words_and_date() -> None:
    block = iptc(
        [
            (1, 90, b"\x1b%G"),
            (2, 25, "Zürich".encode()),
            (2, 25, b"lake"),
            (2, 55, b"20180203"),
            (2, 60, b"040506+0100"),
            (2, 120, "See in Zürich".encode()),
        ]
    )
    found = decode(with_iptc(block)).facts
    assert found.caption == "See in Zürich"
    assert found.keywords == ("Zürich", "lake")
    assert found.taken_at == "2018-02-03T04:05:06+01:00"


def test_iptc_without_a_charset_is_latin_when_it_is_no_utf8() -> None:
    assert read_iptc(iptc([(2, 120, "Köln".encode("latin-1"))])).captions == ("Köln",)
    assert read_iptc(iptc([(2, 120, "Köln".encode())])).captions == ("Köln",)


def test_iptc_is_read_up_to_where_it_breaks() -> None:
    block = iptc([(2, 120, b"kept"), (2, 25, b"lost")])
    for cut in range(len(block)):
        assert read_iptc(block[:cut]).keywords == ()
    assert read_iptc(block[:-1]).captions == ("kept",)


def test_png_text() -> None:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Description", "A lighthouse")
    info.add_text("Creation Time", "Tue, 05 Mar 2019 10:11:12 +0100")
    found = facts("PNG", pnginfo=info)
    assert (found.caption, found.taken_at) == ("A lighthouse", "2019-03-05T10:11:12+01:00")


def test_broken_exif_costs_facts_not_the_picture() -> None:
    exif = Image.Exif()
    exif[0x010F] = "Canon"
    raw = exif.tobytes()
    for at in range(6, len(raw)):
        broken = raw[:at] + b"\xff" * (len(raw) - at)
        assert facts(exif=broken).width == 8


def test_text_is_made_fit_to_show() -> None:
    assert clean("a\x00b\x1b[31m\r\nc\u202e", max_chars=99) == "a b [31m c"
    assert clean("\ud800x", max_chars=99) == "x"
    assert clean("word " * 99, max_chars=10) == "word word"
    assert clean(" \n", max_chars=9) is None


def test_a_clock_that_was_never_set_takes_no_dates_away(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unset(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime(1970, 1, 1, 0, 0, 7, tzinfo=tz)

    monkeypatch.setattr("visionquery.images.exif.datetime", Unset)
    assert date_time("2021:03:04 05:06:07") == "2021-03-04T05:06:07"
    assert date_time("2199:03:04 05:06:07") is None
