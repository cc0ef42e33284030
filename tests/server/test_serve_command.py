"""`visionquery serve` as a process: it starts, answers, refuses and stops in order."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from starlette.testclient import TestClient

from visionquery import Library, opening
from visionquery.client import Client
from visionquery.server import ServerSettings, create_app
from visionquery.server.running import listen


@pytest.fixture
def start(own_settings: Path, tiny_model: Path, tmp_path: Path) -> Iterator:
    """Start the command in a process of its own; return it and its address once it serves."""
    processes = []
    environment = os.environ | {
        "VISIONQUERY_MODEL": str(tiny_model), "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }  # fmt: skip

    def run(*arguments: str, **variables: str) -> tuple[subprocess.Popen, str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "visionquery", "serve", "--port", "0", *arguments],
            stderr=subprocess.PIPE, text=True, env=environment | variables,
        )  # fmt: skip
        processes.append(process)
        for line in process.stderr:
            if found := re.search(r"Serving .* at (http://\S+)/ \(Ctrl-C", line):
                return process, found.group(1)
        pytest.fail("it ended without serving")

    yield run
    for process in processes:
        process.kill()
        process.wait()
        process.stderr.close()


def ended(process: subprocess.Popen) -> tuple[int, str]:
    code = process.wait(20)
    return code, process.stderr.read()


def test_a_new_library_is_filled_over_http(start, pictures: Path) -> None:
    process, address = start()
    with Client(address) as client:
        assert client.status().images == 0
        assert client.add(pictures).added == 12
        assert client.search("red").hits[0].path.endswith(("red.png", "red.jpg"))
    process.send_signal(signal.SIGTERM)
    assert ended(process) == (0, "Stopped.\n")


def test_ctrl_c_ends_streams_and_jobs_and_loses_nothing(start, pictures: Path) -> None:
    process, address = start()
    job = httpx2.post(f"{address}/api/v1/jobs", json={"paths": [str(pictures)]}).json()
    stream = f"{address}/api/v1/jobs/{job['job_id']}/events"
    with httpx2.stream("GET", stream, timeout=20) as events:
        next(events.iter_lines())
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        assert ended(process)[0] == 0
        assert time.monotonic() - started < 10
    again, address = start()
    with Client(address) as client:
        client.add(pictures)
        assert client.status().images == 12
    again.send_signal(signal.SIGINT)
    assert ended(again)[0] == 0


def refused(own_settings: Path, *arguments: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "visionquery", "serve", *arguments],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "Traceback" not in ran.stderr
    return ran.stderr


def test_it_says_how_to_make_a_token(own_settings: Path) -> None:
    told = refused(own_settings, "--host", "0.0.0.0")
    line = told.splitlines()[-1].strip()
    made = subprocess.run(
        ["bash", "-c", f"{line}; echo $VISIONQUERY_TOKEN"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert len(made.stdout.strip()) >= 32
    assert "guessed" in refused(own_settings, "--token", "short")


def test_a_port_that_is_taken_is_told(start, own_settings: Path) -> None:
    _, address = start()
    assert "--port" in refused(own_settings, "--port", address.rsplit(":", 1)[1])
    assert "cannot listen" in refused(own_settings, "--host", "no.such.host", "--token", "x" * 20)


def test_the_token_comes_from_the_environment(start) -> None:
    _, address = start(VISIONQUERY_TOKEN="a-token-that-nobody-guesses")
    assert httpx2.get(f"{address}/api/v1/status").status_code == 401
    with Client(address, token="a-token-that-nobody-guesses") as client:
        assert client.status().images == 0


def test_without_its_packages_it_says_what_to_install(own_settings: Path) -> None:
    for module, extra in (("server", "server"), ("client", "client")):
        ran = subprocess.run(
            [sys.executable, "-c",
             "import sys; sys.modules.update(fastapi=None, httpx2=None)\n"
             f"import visionquery.{module}"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert f"pip install 'visionquery[{extra}]'" in ran.stderr


def test_an_answer_does_not_wait_for_the_receipt_of_its_head() -> None:
    with listen(ServerSettings(port=0)) as listening:
        assert listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_the_model_is_loaded_once(tmp_path: Path, tiny_model: Path, monkeypatch) -> None:
    loaded = []
    load = opening.load_encoder
    monkeypatch.setattr(
        opening, "load_encoder", lambda *given, **named: loaded.append(1) or load(*given, **named)
    )
    with Library.open(tmp_path / "library", model=tiny_model, create=True) as library:
        app = create_app(library, ServerSettings(thumbnails=tmp_path))
        assert loaded == [], "nothing is loaded before the server runs"
        with TestClient(app, base_url="http://localhost") as api:
            assert loaded == [1], "the first search does not wait for it"
            for query in ("red", "blue", "red -blue"):
                assert api.get("/api/v1/search", params={"q": query}).status_code == 200
    assert loaded == [1]


def test_the_pages_files_are_asked_for_again_and_come_packed(api: TestClient) -> None:
    first = api.get("/static/main.js", headers={"Accept-Encoding": "gzip"})
    assert (first.headers["cache-control"], first.headers["content-encoding"]) == (
        "no-cache", "gzip",
    )
    again = api.get("/static/main.js", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
