"""Downloads from a server that answers as the hub does: broken, killed, resumed, checked."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from visionquery.errors import ChecksumMismatchError, DownloadBrokenError, WeightsMissingError
from visionquery.models import hub as hub_room
from visionquery.models.description import read_spec
from visionquery.models.hub import PARTIAL
from visionquery.models.weights import available, missing, pull, verify

SOURCE = Path(__file__).parents[2] / "src"
PULL = """
import json, sys
from pathlib import Path
from visionquery.errors import VisionQueryError
from visionquery.models.description import read_spec
from visionquery.models.weights import available, pull, verify
spec = read_spec(Path(sys.argv[1]), source="hubbed")
seen, announced = [], []
try:
    pull(
        spec, announce=announced.append,
        progress=lambda file, done, total: seen.append([file, done, total]),
    )
    error = None
except VisionQueryError as caught:
    error = [type(caught).__name__, str(caught)]
print(json.dumps({
    "error": error, "available": available(spec), "seen": seen, "announced": announced,
    "ok": [check.ok for check in verify(spec)],
}))
"""
KEPT = 1500
"""Bytes that came of a file before a download ended."""


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr(hub_room, "_SECONDS_BETWEEN_TRIES", 0.01)


@pytest.fixture
def process(description, tmp_path):
    """A function that starts a process that pulls the model from an address."""

    def start(address, **variables):
        environment = {
            "PYTHONPATH": str(SOURCE), "PATH": os.environ["PATH"], "HF_HOME": str(tmp_path / "hf"),
            "HF_ENDPOINT": address, "HF_HUB_DISABLE_TELEMETRY": "1", **variables,
        }
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", PULL, str(description)], env=environment,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
        )
        return started[-1]

    started = []
    yield start
    for one in started:
        one.kill()
        one.communicate()


def result(process):
    out, told = process.communicate(timeout=60)
    assert process.returncode == 0, told
    assert told == ""
    return json.loads(out)


def partials(tmp_path):
    return list((tmp_path / "hf").rglob(f"*{PARTIAL}"))


def size_of(hub, name):
    return len(hub.files[f"onnx/{name}"])


def wait_for(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


def test_a_download_is_told_and_checked_and_the_token_sent(hub, process):
    first = result(process(hub.url, HF_TOKEN="hf_secret"))
    assert first["error"] is None
    assert first["available"]
    assert first["ok"] == [True] * 3
    size = size_of(hub, "image.onnx")
    assert ["image.onnx", size, size] in first["seen"]
    files = {path.rpartition("/")[2] for _, path, _ in hub.requests}
    assert first["announced"] == [sum(size_of(hub, name) for name in files)]
    assert {headers.get("authorization") for _, _, headers in hub.requests} == {"Bearer hf_secret"}
    for name in files:
        assert hub.ranges(name) == [None], "a file was fetched twice"
    hub.requests.clear()
    second = result(process(hub.url))
    assert (second["error"], second["announced"], hub.requests) == (None, [], [])


def test_a_killed_download_goes_on_where_it_was(hub, process, tmp_path):
    hub.held.clear()
    hub.hold_after = KEPT
    killed = process(hub.url)
    wait_for(lambda: any(file.stat().st_size == KEPT for file in partials(tmp_path)))
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    hub.held.set()
    hub.requests.clear()
    again = result(process(hub.url))
    assert again["error"] is None
    assert again["ok"] == [True] * 3
    begun = again["seen"][0][0]
    assert hub.ranges(begun) == [f"bytes={KEPT}-"]
    assert again["announced"] == [
        sum(size_of(hub, name) for name in ("image.onnx", "text.onnx", "tokenizer.json")) - KEPT
    ]
    assert partials(tmp_path) == []


def test_a_connection_that_breaks_is_taken_up_at_once(hub, here, description, cached):
    hub.cuts = [KEPT, KEPT + 700]
    assert here() is None
    assert hub.ranges("image.onnx") == [None, f"bytes={KEPT}-", f"bytes={KEPT + 700}-"]
    assert cached("image.onnx").read_bytes() == hub.files["onnx/image.onnx"]
    assert all(check.ok for check in verify(read_spec(description, source="hubbed")))


def test_a_connection_that_stays_broken_keeps_what_came(hub, here, tmp_path, capfd):
    hub.cuts = [KEPT] * 10
    error = here()
    assert isinstance(error, DownloadBrokenError)
    assert "image.onnx" in str(error)
    assert "models pull" in str(error)
    assert [file.stat().st_size for file in partials(tmp_path)] == [KEPT]
    assert capfd.readouterr() == ("", "")
    hub.cuts.clear()
    hub.requests.clear()
    assert here() is None
    assert hub.ranges("image.onnx") == [f"bytes={KEPT}-"]


def test_a_bad_connection_may_break_often_while_something_comes(hub, here):
    hub.cuts = [KEPT + 50 * number for number in range(8)]
    assert here() is None
    assert len(hub.ranges("image.onnx")) == 9


@pytest.mark.parametrize("bad", [False, True])
def test_bytes_that_lost_their_name_are_used_when_they_are_right(hub, here, tmp_path, cached, bad):
    here()
    if bad:
        cached("image.onnx").write_bytes(b"rot")
    (name,) = (tmp_path / "hf").rglob("snapshots/*/onnx/image.onnx")
    name.unlink()
    hub.requests.clear()
    assert here() is None
    assert hub.ranges("image.onnx") == ([None] if bad else [])
    assert cached("image.onnx").read_bytes() == hub.files["onnx/image.onnx"]


def test_a_server_that_sends_no_parts_still_serves(hub, here, cached):
    hub.takes_ranges = False
    hub.cuts = [KEPT, KEPT + 700]
    assert here() is None
    assert cached("image.onnx").read_bytes() == hub.files["onnx/image.onnx"]


@pytest.mark.parametrize("length", ["short", "whole", "long"])
def test_what_was_kept_and_went_bad_is_refused_once(hub, here, tmp_path, length):
    good = hub.files["onnx/image.onnx"]
    hub.cuts = [KEPT] * 10
    here()
    (partial,) = partials(tmp_path)
    rot = {"short": 800, "whole": len(good), "long": len(good) + 1}[length]
    partial.write_bytes(b"\0" * rot)
    hub.cuts.clear()
    error = here()
    if length == "long":
        assert error is None
        return
    assert isinstance(error, ChecksumMismatchError)
    assert error.expected == hashlib.sha256(good).hexdigest()
    assert error.actual == hashlib.sha256(b"\0" * rot + good[rot:]).hexdigest()
    assert error.expected in str(error)
    assert error.actual in str(error)
    assert partials(tmp_path) == []
    assert here() is None


def test_a_whole_file_that_was_not_named_yet_is_not_fetched_again(hub, here, tmp_path):
    hub.cuts = [KEPT] * 10
    here()
    (partial,) = partials(tmp_path)
    partial.write_bytes(hub.files["onnx/image.onnx"])
    hub.cuts.clear()
    hub.requests.clear()
    assert here() is None
    assert hub.ranges("image.onnx") == []


def test_another_file_than_the_spec_names_is_refused_and_removed(hub, here, description):
    good = hub.files["onnx/image.onnx"]
    bad = hub.files["onnx/image.onnx"] = bytes(reversed(good))
    error = here()
    assert isinstance(error, ChecksumMismatchError)
    assert error.expected == hashlib.sha256(good).hexdigest()
    assert error.actual == hashlib.sha256(bad).hexdigest()
    spec = read_spec(description, source="hubbed")
    assert spec.image.artifact in missing(spec)
    hub.files["onnx/image.onnx"] = good
    assert here() is None
    assert available(spec)


def test_a_file_that_lies_elsewhere_is_fetched_there_without_the_token(
    hub, make_hub, here, cached, monkeypatch
):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    store = make_hub()
    hub.moved_to, hub.xet = store.url, True
    store.cuts = [KEPT]
    assert here() is None
    assert store.ranges("image.onnx") == [None, f"bytes={KEPT}-"]
    assert cached("image.onnx").read_bytes() == hub.files["onnx/image.onnx"]
    assert not any("authorization" in headers for _, _, headers in store.requests)
    assert all("authorization" in headers for _, _, headers in hub.requests)
    assert not any("xet" in path for _, path, _ in hub.requests)


def test_two_processes_fetch_a_file_once(hub, process):
    hub.held.clear()
    hub.hold_after = KEPT
    both = [process(hub.url), process(hub.url)]
    # Each asks for all three files before it fetches the first.
    wait_for(lambda: [command for command, _, _ in hub.requests].count("HEAD") >= 6)
    wait_for(lambda: any(command == "GET" for command, _, _ in hub.requests))
    hub.held.set()
    for one in both:
        assert result(one)["ok"] == [True] * 3
    assert [len(hub.ranges(name)) for name in ("image.onnx", "text.onnx", "tokenizer.json")] == [
        1, 1, 1,
    ]


def test_a_refusal_is_not_tried_again(hub, here):
    hub.refusal = 403
    error = here()
    assert isinstance(error, WeightsMissingError)
    assert "it answered 403" in str(error)
    assert [command for command, _, _ in hub.requests] == ["HEAD"] * 3


@pytest.mark.parametrize("what", ["name", "length"])
def test_an_answer_that_cannot_be_used_is_refused(hub, here, what):
    if what == "name":
        hub.etags["onnx/image.onnx"] = "../../../away"
    else:
        hub.tells_size = False
    error = here()
    assert isinstance(error, WeightsMissingError)
    assert "does not tell" in str(error)


def test_a_hub_that_never_answers_is_waited_for_once(here, to_hub, monkeypatch):
    monkeypatch.setattr(hub_room, "CONNECT_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        to_hub(f"http://127.0.0.1:{silent.getsockname()[1]}")
        begun = time.monotonic()
        error = here()
        assert time.monotonic() - begun < 1.2
    assert isinstance(error, WeightsMissingError)
    assert "cannot be had from" in str(error)


def test_a_name_server_that_never_answers_is_not_waited_for(here, monkeypatch):
    monkeypatch.setattr(hub_room, "CONNECT_SECONDS", 0.5)
    answer, look_up = threading.Event(), socket.getaddrinfo

    def wait_and_look_up(*arguments):
        answer.wait(5)
        return look_up(*arguments)

    monkeypatch.setattr(socket, "getaddrinfo", wait_and_look_up)
    begun = time.monotonic()
    error = here()
    answer.set()
    assert time.monotonic() - begun < 2
    assert "no answer within 0.5 seconds" in str(error)


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, "cannot be had from http://127.0.0.1:9"),
        ({"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE is set"),
    ],
)
def test_no_network_is_told_soon_and_with_what_to_do(process, variables, words):
    begun = time.monotonic()
    told = result(process("http://127.0.0.1:9", **variables))
    assert time.monotonic() - begun < 10
    name, sentence = told["error"]
    assert name == "WeightsMissingError"
    assert told["announced"] == []
    assert words in sentence
    assert "visionquery models pull tiny" in sentence
    assert "--model" in sentence


def test_nobody_is_asked_when_nothing_is_to_come(hub, here, description):
    assert here() is None
    hub.requests.clear()
    spec = read_spec(description, source="hubbed")
    told = []
    pull(spec, announce=told.append)
    assert (told, hub.requests) == ([], [])
