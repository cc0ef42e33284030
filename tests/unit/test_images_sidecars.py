import io
import struct
import time
from pathlib import Path, PurePosixPath

import pytest
from PIL import Image

from visionquery.images.captions import read_xmp
from visionquery.images.metadata import read_facts
from visionquery.images.sidecars import read_sidecar, sidecar_of, with_sidecar
from visionquery.images.text import Words
from visionquery.types import Facts

LIGHTROOM = """<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Adobe XMP Core 7.0">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"
    xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:lr="http://ns.adobe.com/lightroom/1.0/"
    xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/"
    tiff:Make="Canon" tiff:Model="Canon EOS R5" tiff:Orientation="8" xmp:Rating="4"
    exif:DateTimeOriginal="2022-07-08T09:10:11.55" exif:GPSLatitude="45,26.5N"
    exif:GPSLongitude="12,20,15W" crs:Temperature="5600">
   <dc:description><rdf:Alt><rdf:li xml:lang="x-default">Boats</rdf:li></rdf:Alt></dc:description>
   <dc:subject><rdf:Bag><rdf:li>Rome</rdf:li><rdf:li>boat</rdf:li></rdf:Bag></dc:subject>
   <lr:hierarchicalSubject><rdf:Bag>
    <rdf:li>Places|Italy|Rome</rdf:li><rdf:li>boat</rdf:li></rdf:Bag></lr:hierarchicalSubject>
  </rdf:Description></rdf:RDF></x:xmpmeta>"""

DARKTABLE = """<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:lr="http://ns.adobe.com/lightroom/1.0/" xmlns:darktable="http://darktable.sf.net/"
 xmlns:exif="http://ns.adobe.com/exif/1.0/" exif:DateTimeOriginal="2020:01:02 03:04:05.000"
 xmp:Rating="1" darktable:xmp_version="5">
 <dc:title><rdf:Alt><rdf:li xml:lang="x-default">A title</rdf:li></rdf:Alt></dc:title>
 <lr:hierarchicalSubject><rdf:Seq><rdf:li>darktable|format|nef</rdf:li>
 <rdf:li>animals|owl</rdf:li></rdf:Seq></lr:hierarchicalSubject>
 </rdf:Description></rdf:RDF></x:xmpmeta>"""

DIGIKAM = """<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:digiKam="http://www.digikam.org/ns/1.0/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"
 xmlns:MicrosoftPhoto="http://ns.microsoft.com/photo/1.0/" tiff:Model="X100">
 <digiKam:TagsList><rdf:Seq><rdf:li>People/Anna</rdf:li></rdf:Seq></digiKam:TagsList>
 <MicrosoftPhoto:LastKeywordXMP><rdf:Bag><rdf:li>People/Anna</rdf:li></rdf:Bag>
 </MicrosoftPhoto:LastKeywordXMP>
 <tiff:ImageDescription><rdf:Alt><rdf:li xml:lang="x-default">Anna laughs</rdf:li></rdf:Alt>
 </tiff:ImageDescription>
 </rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""

OWN = Facts(
    8, 6, "JPEG", 99, "Sony A7", "2020-01-01T00:00:00", 1.0, 2.0, "A file", ("file", "Boat")
)


@pytest.mark.parametrize(
    ("name", "names", "expected"),
    [
        ("a.cr2", {"a.cr2", "a.xmp"}, "a.xmp"),
        ("a.cr2", {"a.cr2", "a.xmp", "a.cr2.xmp"}, "a.cr2.xmp"),
        ("a.jpg", {"a.cr2", "a.jpg", "a.cr2.xmp"}, None),
        ("A.JPG", {"A.JPG", "A.JPG.XMP"}, "A.JPG.XMP"),
        ("A.JPG", {"A.JPG", "A.Xmp"}, "A.Xmp"),
        ("a.b.jpg", {"a.xmp", "a.b.xmp"}, "a.b.xmp"),
        ("a.jpg", set(), None),
    ],
)
def test_the_sidecar_with_the_longer_name_goes_first(
    name: str, names: set[str], expected: str | None
) -> None:
    assert sidecar_of(PurePosixPath("/photos") / name, names) == expected


def test_what_lightroom_writes(tmp_path: Path) -> None:
    (tmp_path / "a.xmp").write_text(LIGHTROOM)
    facts = with_sidecar(Facts(8, 6, "CR2", 99), read_sidecar(tmp_path / "a.xmp"))
    assert (facts.caption, facts.camera) == ("Boats", "Canon EOS R5")
    assert facts.keywords == ("Rome", "boat", "Places", "Italy")
    assert facts.taken_at == "2022-07-08T09:10:11"
    assert (facts.latitude, facts.longitude) == pytest.approx((45.4416667, -12.3375))
    assert (facts.width, facts.height, facts.format, facts.size_bytes) == (8, 6, "CR2", 99)


def test_what_darktable_writes_without_its_own_notes() -> None:
    words = read_xmp(DARKTABLE.encode())
    facts = with_sidecar(Facts(8, 6, "NEF", 99), words)
    assert (facts.caption, facts.keywords) == ("A title", ("animals", "owl"))
    assert facts.taken_at == "2020-01-02T03:04:05"


def test_what_digikam_writes() -> None:
    facts = with_sidecar(Facts(8, 6, "RAF", 99), read_xmp(DIGIKAM.encode()))
    assert (facts.caption, facts.camera) == ("Anna laughs", "X100")
    assert facts.keywords == ("People", "Anna")


def test_a_sidecar_goes_before_the_file_and_keywords_are_united() -> None:
    facts = with_sidecar(OWN, read_xmp(LIGHTROOM.encode()))
    assert (facts.caption, facts.taken_at) == ("Boats", "2022-07-08T09:10:11")
    assert facts.keywords == ("Rome", "boat", "Places", "Italy", "file")
    assert facts.latitude == pytest.approx(45.4416667)
    assert facts.camera == "Sony A7"


def test_what_a_sidecar_does_not_say_stays() -> None:
    assert with_sidecar(OWN, Words()) == OWN
    noise = Words(captions=("DSC_0042", " "), dates=("yesterday",), keywords=("", "file"))
    assert with_sidecar(OWN, noise) == OWN


def test_a_sidecar_that_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "broken.xmp").write_text(LIGHTROOM[:900])
    (tmp_path / "huge.xmp").write_text(LIGHTROOM + " " * (8 * 2**20))
    (tmp_path / "long.xmp").write_text(LIGHTROOM + " " * (7 * 2**20))
    for name in ("broken.xmp", "huge.xmp", "none.xmp", "a\0.xmp", "."):
        assert read_sidecar(tmp_path / name) == Words()
    assert read_sidecar(tmp_path / "long.xmp").captions == ("Boats",)


def test_properties_inside_one_another_cost_no_more_than_side_by_side() -> None:
    namespace = 'xmlns:dc="http://purl.org/dc/elements/1.1/"'
    deep = f"<x {namespace}>" + "<dc:title>" * 30_000 + "</dc:title>" * 30_000 + "</x>"
    start = time.perf_counter()
    assert read_xmp(deep.encode()) == Words()
    assert time.perf_counter() - start < 5.0  # 30,000² steps would be minutes


@pytest.mark.parametrize(
    ("latitude", "place"),
    [
        ("45,30N", (45.5, -12.3375)),
        ("45,30,36S", (-45.51, -12.3375)),
        ("95,30N", None),
        ("45.5", None),
        ("north", None),
        ("\u0664\u0665,30N", None),
    ],
)
def test_places_of_xmp(latitude: str, place: tuple[float, float] | None) -> None:
    found = read_xmp(LIGHTROOM.replace("45,26.5N", latitude).encode()).place
    assert found == (pytest.approx(place) if place else None)


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, kind) + content


def opened(data: bytes) -> Facts:
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        return read_facts(picture, width=8, height=6, size_bytes=len(data), data=data)


def saved(form: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48)).save(buffer, form)
    return buffer.getvalue()


def exif() -> bytes:
    found = Image.Exif()
    found[0x010F], found[0x0110] = "Sony", "ILCE-7"
    return found.tobytes()[len(b"Exif\0\0") :]


def test_jpeg_2000_keeps_blocks_in_boxes() -> None:
    xmp_uuid = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
    words = box(b"uuid", xmp_uuid + LIGHTROOM.encode())
    camera = box(b"uuid", b"JpgTiffExif->JP2" + exif())
    facts = opened(saved("JPEG2000") + words)
    assert (facts.caption, facts.camera) == ("Boats", "Canon EOS R5")
    facts = opened(saved("JPEG2000")[:32] + words + camera + saved("JPEG2000")[32:])
    assert (facts.caption, facts.camera) == ("Boats", "Sony ILCE-7")
    assert opened(saved("JPEG2000") + words[:-1]).caption is None


def test_gif_keeps_xmp_in_an_extension() -> None:
    plain = saved("GIF")
    way_out = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
    extension = b"\x21\xff\x0bXMP DataXMP" + LIGHTROOM.encode() + way_out
    assert opened(plain[:-1] + extension + plain[-1:]).caption == "Boats"
    assert opened(plain).caption is None


def test_photoshop_files_keep_resources() -> None:
    def resource(number: int, content: bytes) -> bytes:
        padded = content + b"\0" * (len(content) % 2)
        return b"8BIM" + struct.pack(">H2xI", number, len(content)) + padded

    def photoshop(*resources: bytes) -> bytes:
        kept = b"".join(resources)
        head = struct.pack(">4sH6xHIIHH", b"8BPS", 1, 3, 6, 8, 8, 3)
        return head + struct.pack(">II", 0, len(kept)) + kept + bytes(4 + 2 + 3 * 6 * 8)

    iptc = b"\x1c\x02\x19" + struct.pack(">H", 3) + b"sea"
    facts = opened(
        photoshop(resource(1060, LIGHTROOM.encode()), resource(1058, exif()), resource(1028, iptc))
    )
    assert (facts.caption, facts.camera) == ("Boats", "Sony ILCE-7")
    assert facts.keywords[-1] == "sea"
