"""The client gives what the library beside it gives, over a real socket."""

import dataclasses
import threading
from contextlib import closing
from pathlib import Path

import httpx2
import pytest
from PIL import Image

from visionquery import Library
from visionquery.client import Client
from visionquery.errors import (
    EngineError,
    ImageNotFoundError,
    InputError,
    LibraryBusyError,
    ModelError,
)
from visionquery.images.overlay import layer
from visionquery.search.result import Response
from visionquery.server import ServerSettings
from visionquery.store.base import FileRecord, Fragment
from visionquery.store.local import open_local

QUERIES = [
    "red", "red -blue", "red OR green", "ext:jpg", "red path:two", "2:red AND white", "zebra",
]  # fmt: skip


@pytest.fixture
def client(address: str):
    with Client(address) as opened:
        yield opened


def timeless(response: Response) -> Response:
    return dataclasses.replace(response, seconds=0)


def library_heatmap(library: Library, image_id: str, query: str) -> bytes:
    found = library.heatmap(image_id, query)
    return layer(found.grid, (960, 720), None if found.is_weak else found.box)


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize(
    "asked",
    [{}, {"limit": 3, "offset": 2}, {"min_confidence": 0.0}, {"sort": "path"}, {"explain": True},
     {"min_confidence": 0.0, "fold": True, "limit": 4, "offset": 1}, {"spread": True}],
    ids=str,
)
def test_answers_are_those_of_the_library(
    client: Client, library: Library, query: str, asked: dict
) -> None:
    assert timeless(client.search(query, **asked)) == timeless(library.search(query, **asked))


def test_all_else_is_that_of_the_library(
    client: Client, library: Library, pictures: Path, red_id: str
) -> None:
    assert timeless(client.similar(red_id)) == timeless(library.similar(red_id))
    folded = library.similar(red_id, fold=True)
    assert timeless(client.similar(red_id, fold=True)) == timeless(folded)
    assert any(hit.folded for hit in folded)
    assert client.explain(red_id, "red -blue") == library.explain(red_id, "red -blue")
    assert client.explain(red_id, "ext:jpg") == library.explain(red_id, "ext:jpg")
    assert client.image(red_id) == library.image(red_id)
    assert client.facets() == library.facets()
    assert client.status() == library.status()
    assert client.original(red_id) == (pictures / "one" / "red.png").read_bytes()
    assert client.thumbnail(red_id, size=640)[:4] == b"RIFF"
    assert client.heatmap(red_id, "red -blue") == library_heatmap(library, red_id, "red -blue")
    within = (pictures / "one", str(pictures / "two"))
    assert timeless(client.search("red", within=within)) == timeless(
        library.search("red", within=within)
    )


def test_a_name_that_is_no_utf8_comes_whole(client: Client, library: Library, tmp_path: Path):
    odd = tmp_path / "odd" / "caf\udce9.png"
    odd.parent.mkdir()
    Image.new("RGB", (64, 48), (190, 20, 40)).save(odd)
    library.add(odd)
    (hit,) = client.search("path:odd")
    assert hit.path == str(odd)


def test_an_image_of_several_in_a_file_comes_whole(
    client: Client, library: Library, tmp_path: Path, red_id: str
) -> None:
    with closing(open_local(Path(library.status().location))) as store, store.writing():
        root = store.add_root(str(tmp_path / "films"))
        frames = (Fragment("member=\udce9.png", red_id), Fragment("t=2", None, "it is cut off"))
        store.write([], [FileRecord(root.root_id, "a.zip", 1, 1, None, None, frames)])
    (hit,) = client.search("path:a.zip", within=[tmp_path / "films"])
    assert (hit.path, hit.fragment) == (str(tmp_path / "films" / "a.zip"), "member=\udce9.png")
    assert hit == library.search("path:a.zip", within=[tmp_path / "films"]).hits[0]
    assert client.image(red_id) == library.image(red_id)
    assert client.image(red_id).fragments == {hit.path: hit.fragment}


def test_a_picture_is_a_query(client: Client, library: Library, pictures: Path) -> None:
    green = pictures / "one" / "green.png"
    by_client = client.search("", picture=green.read_bytes())
    by_library = library.search(f"image:{green}")
    assert by_client.hits == by_library.hits
    (hit,) = client.search("", picture=green.read_bytes(), limit=1)
    why = client.explain(hit.image_id, "image:upload -red", picture=green.read_bytes())
    assert why.hit.parts[0].text == "image:upload"
    assert why.rank == library.explain(hit.image_id, f"image:{green} -red").rank
    mixed = client.search("image:upload -green", picture=green.read_bytes(), min_confidence=0)
    assert mixed.hits == library.search(f"image:{green} -green", min_confidence=0).hits


def test_all_hits_come_page_after_page(client: Client, library: Library, monkeypatch) -> None:
    from visionquery.client import client as module

    monkeypatch.setattr(module, "_PAGE", 5)
    hits = list(client.all_hits("red", min_confidence=0))
    assert hits == list(library.search("red", limit=100, min_confidence=0).hits)
    assert len(hits) == 12
    folded = list(client.all_hits("red", min_confidence=0, fold=True))
    assert folded == list(library.search("red", limit=100, min_confidence=0, fold=True).hits)
    assert sum(1 + len(hit.folded) for hit in folded) == 12


def test_errors_are_those_of_the_library(client: Client, library: Library, tmp_path: Path) -> None:
    for query in ('red "blue', "date:tomorrow", "like:zzz"):
        with pytest.raises(InputError) as remote:
            client.search(query)
        with pytest.raises(InputError) as local:
            library.search(query)
        assert (type(remote.value), str(remote.value)) == (type(local.value), str(local.value))
        assert vars(remote.value) == vars(local.value)
    with pytest.raises(ImageNotFoundError):
        client.image("0" * 32)
    with pytest.raises(InputError):
        client.add(tmp_path / "nowhere")


def test_a_folder_is_indexed(client: Client, library: Library, tmp_path: Path) -> None:
    folder = tmp_path / "more"
    folder.mkdir()
    Image.new("RGB", (64, 48), (190, 20, 40)).save(folder / "crimson.png")
    (folder / "broken.png").write_bytes(b"not a picture")
    seen = []
    report = client.add(folder, on_progress=seen.append)
    assert (report.added, report.images, library.image_count) == (1, 13, 13)
    assert [Path(skipped.path).name for skipped in report.skipped] == ["broken.png"]
    assert seen[-1].done == seen[-1].total == 2
    assert client.add().unchanged == 13


def test_a_job_that_fails_raises_its_error(
    client: Client, library: Library, pictures: Path, monkeypatch
) -> None:
    def busy(*_: object, **__: object) -> None:
        raise LibraryBusyError("Another process is writing.")

    monkeypatch.setattr(Library, "add", busy)
    with pytest.raises(LibraryBusyError, match="Another process"):
        client.add(pictures)


def test_an_exception_of_the_caller_cancels(
    client: Client, library: Library, pictures: Path, monkeypatch
) -> None:
    ended = threading.Event()
    add = Library.add

    def slowly(self: Library, *paths: Path, on_progress) -> object:
        try:
            while True:
                add(self, *paths, on_progress=on_progress)
        finally:
            ended.set()

    def stop(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Library, "add", slowly)
    with pytest.raises(KeyboardInterrupt):
        client.add(pictures, on_progress=stop)
    assert ended.wait(10)


def test_the_token_is_sent(running, library: Library, tmp_path: Path) -> None:
    token = "a-token-that-nobody-guesses"
    settings = ServerSettings(port=0, token=token, thumbnails=tmp_path)
    with running(library, settings) as address:
        with Client(address, token=token) as client:
            assert client.search("red").total == library.search("red").total
        with Client(address) as client, pytest.raises(EngineError, match="token"):
            client.search("red")


def test_a_server_that_is_not_there_is_an_engine_that_failed() -> None:
    with pytest.raises(InputError, match="http://"):
        Client("127.0.0.1:8765")
    with Client("http://127.0.0.1:1") as client, pytest.raises(EngineError, match="serve"):
        client.status()


def answering(*responses: httpx2.Response) -> Client:
    left = list(responses)
    return Client("http://x", transport=httpx2.MockTransport(lambda _: left.pop(0)))


def test_a_busy_server_is_asked_again(library: Library) -> None:
    busy = httpx2.Response(503, headers={"Retry-After": "0"}, json={"detail": "Busy."})
    good = httpx2.Response(200, json={"cameras": [], "types": [], "folders": [],
                                      "first_date": None, "last_date": None})  # fmt: skip
    assert answering(busy, busy, good).facets().cameras == ()
    with pytest.raises(EngineError, match=r"Busy\."):
        answering(*[busy] * 5).facets()
    broken = httpx2.Response(503, json={"type": "urn:visionquery:ModelError", "detail": "Broken."})
    with pytest.raises(ModelError, match=r"Broken\."):
        answering(broken).facets()


def test_another_kind_of_server_is_recognised() -> None:
    for strange in (httpx2.Response(200, text="<html>"), httpx2.Response(502, text="Bad")):
        with pytest.raises(EngineError, match="not a server of VisionQuery"):
            answering(strange).status()
    newer = httpx2.Response(418, json={"type": "urn:visionquery:NewError", "detail": "New."})
    with pytest.raises(EngineError, match=r"New\."):
        answering(newer).status()
    lacking = httpx2.Response(422, json={"type": "urn:visionquery:QueryError", "detail": "Odd."})
    with pytest.raises(EngineError, match=r"Odd\."):
        answering(lacking).status()
