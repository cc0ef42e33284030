"""The command line, Python and JSON give one answer; filters see what cameras and people wrote."""

import shlex
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from visionquery import Library
from visionquery.query.ast import Box
from visionquery.search.result import Hit, Part, Response
from visionquery.store.local import open_local

COLOURS = {
    "red": (200, 30, 30), "green": (30, 160, 40), "blue": (30, 50, 200), "yellow": (230, 210, 40),
}
BERLIN, SYDNEY = (52.52, 13.405), (-33.8568, 151.2153)
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
    'syntax-ns#"><rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">'
    "<dc:subject><rdf:Bag>{}</rdf:Bag></dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>"
)


@dataclass(frozen=True)
class Shot:
    """A picture as a camera and its owner leave it."""

    colour: str
    size: tuple[int, int] = (64, 48)
    taken: str | None = None
    camera: tuple[str, str] | None = None
    place: tuple[float, float] | None = None
    windows_keywords: str | None = None
    xmp_keywords: tuple[str, ...] = ()

    def exif(self) -> Image.Exif:
        exif = Image.Exif()
        exif[0x0131] = "Hand 1.0"  # a directory of nothing but others is not written into a PNG
        if self.camera:
            exif[0x010F], exif[0x0110] = self.camera
        if self.windows_keywords:
            exif[0x9C9E] = f"{self.windows_keywords}\0".encode("utf-16-le")
        if self.taken:
            exif.get_ifd(0x8769)[0x9003] = self.taken
        if self.place:
            latitude, longitude = self.place
            exif.get_ifd(0x8825).update({
                1: "N" if latitude >= 0 else "S", 2: degrees(latitude),
                3: "E" if longitude >= 0 else "W", 4: degrees(longitude),
            })  # fmt: skip
        return exif

    def save(self, path: Path, seed: int) -> None:
        width, height = self.size
        noise = np.random.default_rng(seed).integers(-12, 13, (height, width, 3))
        pixels = np.clip(np.array(COLOURS[self.colour]) + noise, 0, 255).astype(np.uint8)
        path.parent.mkdir(parents=True, exist_ok=True)
        items = "".join(f"<rdf:li>{word}</rdf:li>" for word in self.xmp_keywords)
        words = {"xmp": XMP.format(items).encode()} if items else {}
        Image.fromarray(pixels).save(path, exif=self.exif(), **words)


def degrees(value: float) -> tuple[float, float, float]:
    minutes, seconds = divmod(abs(value) * 3600, 60)
    return (minutes // 60, minutes % 60, round(seconds, 3))


SHOTS = {
    "trip/red.jpg": Shot(
        "red", taken="2023:07:14 18:22:05", camera=("SONY", "ILCE-7M4"), place=BERLIN,
        windows_keywords="sunset;wedding",
    ),
    "trip/green.jpg": Shot(
        "green", (48, 64), "2024:05:01 09:00:00", ("Canon", "Canon EOS R5"), SYDNEY,
        xmp_keywords=("beach", "new york"),
    ),
    "home/blue.png": Shot("blue", (64, 64), "2024:12:31 23:59:59"),
    "home/yellow.webp": Shot("yellow", (200, 80), camera=("Apple", "iPhone 15")),
    "home/red again.png": Shot("red", (90, 60)),
}  # fmt: skip
TEXTS = {"home/blue.png": "Invoice no. 7, total due 12.50", "trip/red.jpg": ""}


@pytest.fixture
def shots(vq, tmp_path: Path, own_settings: Path) -> Path:
    """An indexed folder of shots; the text of two was read."""
    folder = tmp_path / "shots"
    for seed, (name, shot) in enumerate(SHOTS.items()):
        shot.save(folder / name, seed)
    assert vq("index", folder, "-q").code == 0
    store = open_local(own_settings)
    with store.writing():
        rows = {
            Path(record.paths[0]).relative_to(folder).as_posix(): record.row
            for record in store.records(np.flatnonzero(store.alive()).tolist())
        }
        store.write_texts({rows[name]: text for name, text in TEXTS.items()})
    store.close()
    return folder


RED, GREEN, BLUE, YELLOW, AGAIN = SHOTS


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("date:2024", {GREEN, BLUE}),
        ("date:2023-07..2024-05", {RED, GREEN}),
        ("date:>2024-05-01", {BLUE}),
        ("-date:2000..", {YELLOW, AGAIN}),
        ("camera:sony", {RED}),
        ('camera:"EOS R?"', set()),
        ('camera:"canon eos r?"', {GREEN}),
        ("camera:*", {RED, GREEN, YELLOW}),
        ("near:52.5,13.4,5km", {RED}),
        ("near:-33.9,151.2,20km", {GREEN}),
        ("near:0,0,20038km", {RED, GREEN}),
        ("keyword:sunset", {RED}),
        ('keyword:"NEW YORK,sunset"', {RED, GREEN}),
        ("keyword:bea*", {GREEN}),
        ("orientation:portrait", {GREEN}),
        ("orientation:square,portrait", {GREEN, BLUE}),
        ("width:>=90", {YELLOW, AGAIN}),
        ("height:..60", {RED, AGAIN}),
        ("ext:png,webp", {BLUE, YELLOW, AGAIN}),
        ('path:"red again"', {AGAIN}),
        ("path:*/trip/*", {RED, GREEN}),
        ('text:"TOTAL due"', {BLUE}),
        ("-text:invoice path:trip", {RED, GREEN}),
        ("(camera:sony OR keyword:beach) -date:2024", {RED}),
    ],
)
def test_filters_read_what_the_files_say(vq, shots, query, expected):
    results = vq("search", "--json", "--", query).document["results"]
    found = {Path(hit["path"]).relative_to(shots).as_posix() for hit in results}
    assert found == expected


QUERIES = (
    "red",
    "a red picture",
    '"red picture"',
    'a "red" picture',
    "a picture without red",
    "a red picture but no blue, no green",
    "red AND blue",
    "red OR yellow",
    "NOT red",
    "(red OR green) -blue",
    "2:red 1:blue",
    "image:'{shots}/trip/red.jpg'",
    "-image:'{shots}/trip/red.jpg' green",
    "image:'{shots}/home/blue.png' 0.5:yellow",
    "like:{id}",
    "sunset",
    "new york",
    "red date:2023..2024",
    "camera:sony OR keyword:beach",
    "red near:52.5,13.4,5km",
    "blue text:invoice",
    "-orientation:landscape",
    "a picture width:>60 height:<100 ext:jpg,png,webp path:home",
)
OPTIONS = (
    "", "--all", "--sort date", "--sort path --all", "-n 2 --offset 1", "--min-confidence 0.9",
)  # fmt: skip


def python_answer(library: Library, query: str, options: str) -> Response:
    named = {"--sort": "sort", "-n": "limit", "--offset": "offset"}
    words = shlex.split(options)
    chosen: dict = {}
    while words:
        option = words.pop(0)
        if option == "--all":
            chosen["min_confidence"] = 0
        elif option == "--min-confidence":
            chosen["min_confidence"] = float(words.pop(0))
        else:
            value = words.pop(0)
            chosen[named[option]] = int(value) if value.isdigit() else value
    return library.search(query, explain=True, **chosen)


def as_json(hit: Hit) -> dict:
    def rounded(score: float | None) -> float | None:
        return None if score is None else round(score, 5)

    def sides(box: Box | None) -> list[float] | None:
        return None if box is None else [round(side, 2) for side in astuple(box)]

    def part_as_json(part: Part) -> dict:
        return {
            "text": part.text, "kind": part.kind, "excluded": part.excluded,
            "confidence": round(part.confidence, 4), "score": rounded(part.score),
            "words": list(part.words), "box": sides(part.box),
        }  # fmt: skip

    return {
        "rank": hit.rank, "score": rounded(hit.score), "confidence": round(hit.confidence, 4),
        "image_id": hit.image_id, "path": hit.path, "paths": list(hit.paths),
        "fragment": hit.fragment or None, "width": hit.width,
        "height": hit.height, "taken_at": hit.taken_at, "folded": list(hit.folded),
        "box": sides(hit.box), "placed": hit.placed,
        "parts": list(map(part_as_json, hit.parts)),
    }  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS)
def test_the_command_line_answers_as_python_does(vq, shots, own_settings, options):
    with Library.open(own_settings) as library:
        image_id = library.search("keyword:beach").hits[0].image_id
        for pattern in QUERIES:
            query = pattern.format(shots=shots, id=image_id[:12]).replace("'", '"')
            response = python_answer(library, query, options)
            ran = vq("search", *options.split(), "--explain", "--json", "--", query)
            document = ran.document
            assert document["results"] == list(map(as_json, response.hits)), query
            assert document["closest"] == list(map(as_json, response.closest)), query
            assert (document["query"], document["total"]) == (query, response.total)
            assert ran.code == (0 if response else 1)


def test_plain_paths_are_those_of_the_document(vq, shots):
    for query in ("red", "a picture without red", "camera:sony OR keyword:beach", "green -blue"):
        hits = vq("search", query, "--json").document["results"]
        assert vq("search", query).out.splitlines() == [hit["path"] for hit in hits]


def test_the_command_explains_as_python_does(vq, shots, own_settings):
    with Library.open(own_settings) as library:
        for name in SHOTS:
            for query in ("red -blue", "sunset camera:sony", "blue OR text:invoice"):
                found = library.explain(shots / name, query)
                ran = vq("explain", shots / name, query, "--json")
                assert ran.code == (0 if found.is_relevant else 1)
                document = ran.document
                assert (document["relevant"], document["rank"], document["images"]) == (
                    found.is_relevant, found.rank, found.images,
                )  # fmt: skip
                of_an_answer = {"rank": found.hit.rank, "folded": []}
                assert document["image"] | of_an_answer == as_json(found.hit)
