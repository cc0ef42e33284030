"""Weights: found in the hub's cache, fetched from a server that answers as the hub does."""

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from visionquery.errors import ChecksumMismatchError, VisionQueryError, WeightsMissingError
from visionquery.models.catalog import resolve
from visionquery.models.description import read_spec
from visionquery.models.encoder import load_encoder
from visionquery.models.weights import (
    available,
    download_bytes,
    hub_cache,
    missing,
    pull,
    require,
    verify,
)
from visionquery.testing.tiny_model import make_tiny_model

REVISION = "1234567890" * 4
SOURCE = Path(__file__).parents[2] / "src"

PULL = """
import json, sys
from pathlib import Path
from visionquery.errors import VisionQueryError
from visionquery.models.description import read_spec
from visionquery.models.weights import available, pull, verify
spec = read_spec(Path(sys.argv[1]), source="hubbed")
seen = []
try:
    pull(spec, progress=lambda file, done, total: seen.append([file, done, total]))
    error = None
except VisionQueryError as caught:
    error = [type(caught).__name__, str(caught)]
print(json.dumps({
    "error": error, "available": available(spec), "seen": seen,
    "checks": [[check.ok, check.expected, check.actual] for check in verify(spec)],
}))
"""


class Hub(ThreadingHTTPServer):
    """A hub of one repository. `cut` breaks the first answer off after so many bytes."""

    daemon_threads = True

    def __init__(self, files):
        super().__init__(("127.0.0.1", 0), Answer)
        self.files = files
        self.etags = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        self.cut = None
        self.requests = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.reply(body=False)

    def do_GET(self):
        self.reply(body=True)

    def reply(self, *, body):
        hub = self.server
        headers = {name.lower(): value for name, value in self.headers.items()}
        hub.requests.append((self.command, self.path, headers))
        found = re.fullmatch(rf"/me/tiny/resolve/{REVISION}/(.+)", self.path)
        content = hub.files.get(found[1]) if found else None
        if content is None:
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(wanted[1]) if wanted else 0
        self.send_response(206 if wanted else 200)
        self.send_header("ETag", f'"{hub.etags[found[1]]}"')
        self.send_header("X-Repo-Commit", REVISION)
        self.send_header("Content-Length", str(len(content) - start))
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        if not body:
            return
        if hub.cut is not None:
            content, hub.cut = content[: hub.cut], None
            self.close_connection = True
        self.wfile.write(content[start:])

    def log_message(self, *_arguments):
        return


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def hub(model):
    files = {f"onnx/{file.name}": file.read_bytes() for file in model.iterdir()}
    server = Hub(files)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def description(tmp_path, model):
    """The tiny model as a catalog entry: every file in the repository."""
    lines = []
    for line in (model / "model.toml").read_text().splitlines():
        lines.append(line)
        if file := re.fullmatch(r'file = "(.+)"', line):
            size = (model / file[1]).stat().st_size
            lines += [
                'repo = "me/tiny"', f'revision = "{REVISION}"', f'path = "onnx/{file[1]}"',
                f"size_bytes = {size}",
            ]
    place = tmp_path / "hubbed.toml"
    place.write_text("\n".join(lines))
    return place


def start(description, tmp_path, endpoint, **variables):
    environment = {
        "PYTHONPATH": str(SOURCE), "PATH": os.environ["PATH"], "HF_HOME": str(tmp_path / "hf"),
        "HF_ENDPOINT": endpoint, "HF_HUB_DISABLE_TELEMETRY": "1", **variables,
    }
    done = subprocess.run(
        [sys.executable, "-c", PULL, str(description)], env=environment, capture_output=True,
        text=True, check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def here(hub, description, tmp_path, monkeypatch):
    """Return a function that pulls from `hub` in this process and gives the error, if any."""
    from huggingface_hub import constants

    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(
        constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        hub.url + "/{repo_id}/resolve/{revision}/{filename}",
    )
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)

    def pull_here():
        spec = read_spec(description, source="hubbed")
        try:
            pull(spec)
        except VisionQueryError as error:
            return error, spec
        return None, spec

    return pull_here


def cached(tmp_path, name):
    (place,) = (tmp_path / "hf").rglob(f"snapshots/*/onnx/{name}")
    return place.resolve()


def test_a_download_is_told_checked_and_found(hub, description, tmp_path, model, monkeypatch):
    result = start(description, tmp_path, hub.url, HF_TOKEN="hf_secret")
    assert result["error"] is None
    assert result["available"]
    assert all(ok for ok, _, _ in result["checks"])
    size = (model / "image.onnx").stat().st_size
    assert ["image.onnx", size, size] in result["seen"]
    assert {headers.get("authorization") for _, _, headers in hub.requests} <= {
        None, "Bearer hf_secret",
    }
    assert any("authorization" in headers for _, _, headers in hub.requests)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    spec = read_spec(description, source="hubbed")
    assert missing(spec) == []
    assert load_encoder(spec).encode_texts(["red"]).shape == (1, 24)
    hub.requests.clear()
    assert start(description, tmp_path, hub.url)["error"] is None
    assert hub.requests == []


def test_a_broken_connection_is_taken_up_where_it_broke(hub, here, monkeypatch):
    from huggingface_hub import constants

    # The client goes on from the last whole chunk, of ten megabytes in real life.
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1000)
    hub.cut = 2000
    error, spec = here()
    assert error is None
    assert all(check.ok for check in verify(spec))
    assert "bytes=2000-" in [headers.get("range") for _, _, headers in hub.requests]


def test_another_file_than_the_spec_names_is_refused_and_removed(hub, here):
    good = hub.files["onnx/image.onnx"]
    bad = hub.files["onnx/image.onnx"] = bytes(reversed(good))
    error, spec = here()
    assert isinstance(error, ChecksumMismatchError)
    assert error.expected == hashlib.sha256(good).hexdigest()
    assert error.actual == hashlib.sha256(bad).hexdigest()
    assert error.expected in str(error)
    assert error.actual in str(error)
    assert spec.image.artifact in missing(spec)
    hub.files["onnx/image.onnx"] = good
    assert here()[0] is None
    assert available(spec)


def test_a_file_that_went_bad_is_fetched_again(here, tmp_path):
    here()
    cached(tmp_path, "text.onnx").write_bytes(b"rot")
    error, spec = here()
    assert error is None
    assert all(check.ok for check in verify(spec))


@pytest.mark.parametrize("kind", ["sha256", "git"])
def test_without_a_hash_the_hub_s_own_name_is_checked_and_kept(
    hub, here, description, tmp_path, kind
):
    description.write_text(re.sub(r'sha256 = "\w+"\n', "", description.read_text()))
    content = hub.files["onnx/image.onnx"]
    if kind == "git":
        blob = b"blob %d\0" % len(content) + content
        hub.etags["onnx/image.onnx"] = hashlib.sha1(blob).hexdigest()
    error, spec = here()
    assert error is None
    assert all(check.ok and check.expected == check.actual for check in verify(spec))
    cached(tmp_path, "image.onnx").write_bytes(b"rot")
    assert [check.ok for check in verify(spec)] == [False, True, True]
    hub.files["onnx/image.onnx"] = b"other" + content
    assert isinstance(here()[0], ChecksumMismatchError)


def test_a_file_that_the_hub_does_not_have_is_told(hub, here):
    del hub.files["onnx/text.onnx"]
    error, _ = here()
    assert isinstance(error, WeightsMissingError)
    assert "it answered 404" in str(error)


@pytest.mark.parametrize(
    ("endpoint", "variables", "words"),
    [
        ("http://127.0.0.1:9", {}, "cannot be had from http://127.0.0.1:9"),
        ("http://127.0.0.1:9", {"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE is set"),
    ],
)
def test_no_network_is_told_soon_and_with_what_to_do(
    description, tmp_path, endpoint, variables, words
):
    begun = time.monotonic()
    name, sentence = start(description, tmp_path, endpoint, **variables)["error"]
    assert time.monotonic() - begun < 10
    assert name == "WeightsMissingError"
    assert words in sentence
    assert "visionquery models pull tiny" in sentence
    assert "--model" in sentence


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "{home}/.cache/huggingface/hub"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/huggingface/hub"),
        ({"XDG_CACHE_HOME": "/x", "HF_HOME": "/h"}, "/h/hub"),
        ({"HF_HOME": "/h", "HUGGINGFACE_HUB_CACHE": "/old"}, "/old"),
        ({"HF_HOME": "/h", "HF_HUB_CACHE": "/c"}, "/c"),
        ({"HF_HUB_CACHE": "~/c"}, "{home}/c"),
        ({"HF_HUB_CACHE": "$SOMEWHERE/c", "SOMEWHERE": "/s"}, "/s/c"),
    ],
)
def test_the_cache_is_where_the_hub_s_client_has_it(monkeypatch, variables, expected):
    for name in ("XDG_CACHE_HOME", "HF_HOME", "HUGGINGFACE_HUB_CACHE", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert hub_cache() == Path(expected.format(home=Path.home()))


def test_an_absent_hub_model_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    spec = resolve("clip")
    assert not available(spec)
    assert len(missing(spec)) == 3
    assert download_bytes(spec) == 351685709 + 254058553 + 2224119
    assert [check.ok for check in verify(spec)] == [False] * 3
    with pytest.raises(WeightsMissingError, match="models pull clip-vit-base-patch32"):
        load_encoder(spec)


def test_a_folder_needs_no_download(model):
    spec = resolve(str(model))
    pull(spec)
    assert available(spec)
    assert download_bytes(spec) == 0
    assert all(check.ok for check in verify(spec))
    (place,) = require(spec, spec.image.artifact, verify=True)
    assert place == model.resolve() / "image.onnx"
