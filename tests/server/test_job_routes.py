"""Indexing over HTTP: jobs that start, tell how far they are, end, fail and are cancelled."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from visionquery.errors import LibraryBusyError
from visionquery.indexing.report import Progress
from visionquery.server.jobs import Jobs
from visionquery.server.problems import RefusedError

JOBS = "/api/v1/jobs"


def events(api: TestClient, job_id: str) -> list[dict]:
    """The jobs in the stream of events, to its end."""
    text = api.get(f"{JOBS}/{job_id}/events").text
    lines = [line for line in text.splitlines() if line.startswith("data: ")]
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def test_a_folder_is_indexed_and_found(api: TestClient, tmp_path: Path) -> None:
    folder = tmp_path / "more"
    folder.mkdir()
    Image.new("RGB", (64, 48), (190, 20, 40)).save(folder / "crimson.png")
    started = api.post(JOBS, json={"paths": [str(folder)]})
    assert started.status_code == 202
    seen = events(api, started.json()["job_id"])
    assert seen[-1]["state"] == "done"
    assert seen[-1]["report"]["added"] == 1
    assert api.get(f"{JOBS}/{seen[-1]['job_id']}").json() == seen[-1]
    assert api.get(JOBS).json()["jobs"][0] == seen[-1]
    assert api.get("/api/v1/search", params={"q": "path:crimson"}).json()["total"] == 1


def test_no_path_stands_for_all_folders(api: TestClient, pictures: Path) -> None:
    Image.new("RGB", (64, 48), (20, 20, 190)).save(pictures / "late.png")
    job = api.post(JOBS, json={}).json()
    assert job["paths"] == [str(pictures)]
    assert events(api, job["job_id"])[-1]["report"]["added"] == 1


def test_a_path_that_cannot_be_indexed_is_told_at_once(api: TestClient, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    for path in (tmp_path / "nowhere", tmp_path / "notes.txt", "pictures"):
        answer = api.post(JOBS, json={"paths": [str(path)]})
        assert (answer.status_code, api.get(JOBS).json()) == (422, {"jobs": []})
    assert api.get(f"{JOBS}/nope").status_code == 404
    assert api.get(f"{JOBS}/nope/events").status_code == 404


@pytest.fixture
def steps() -> tuple[Jobs, Callable[[], None]]:
    """Jobs whose run goes on by a step at a time, and what lets them go on for good."""
    go_on = threading.Event()

    def index(paths, on_progress):
        for done in range(1000):
            on_progress(Progress(done, 1000, done, 0.1))
            if not go_on.is_set():
                time.sleep(0.01)
        raise LibraryBusyError("Another process is writing.")

    jobs = Jobs(index)
    yield jobs, go_on.set
    go_on.set()
    jobs.close()


def wait_for(jobs: Jobs, job_id: str, *states: str) -> str:
    deadline = time.monotonic() + 10
    while jobs.get(job_id).state not in states:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return jobs.get(job_id).state


def test_a_job_is_cancelled_while_it_runs_and_while_it_waits(steps) -> None:
    jobs, _ = steps
    first, second = jobs.start([Path("/a")]), jobs.start([Path("/b")])
    wait_for(jobs, first.job_id, "running")
    assert jobs.cancel(second.job_id).state == "cancelled"
    jobs.cancel(first.job_id)
    assert wait_for(jobs, first.job_id, "cancelled", "done") == "cancelled"
    third = jobs.start([Path("/c")])
    assert wait_for(jobs, third.job_id, "running") == "running", "the next one has its turn"


def test_a_job_that_fails_says_why_and_the_next_one_runs(steps) -> None:
    jobs, go_on = steps
    go_on()
    failed, following = jobs.start([Path("/a")]), jobs.start([Path("/b")])
    assert wait_for(jobs, failed.job_id, "failed", "done") == "failed"
    assert jobs.get(failed.job_id).problem["type"] == "urn:visionquery:LibraryBusyError"
    assert jobs.get(failed.job_id).problem["status"] == 409
    wait_for(jobs, following.job_id, "failed")


def test_forgotten_jobs_do_not_end_the_queue(steps) -> None:
    jobs, go_on = steps
    running = jobs.start([Path("/a")])
    wait_for(jobs, running.job_id, "running")
    for number in range(60):
        jobs.cancel(jobs.start([Path(f"/{number}")]).job_id)
    last = jobs.start([Path("/last")])
    go_on()
    wait_for(jobs, last.job_id, "failed")
    assert len(jobs.all()) <= 51


def test_closing_ends_what_runs(steps) -> None:
    jobs, _ = steps
    job = jobs.start([Path("/a")])
    wait_for(jobs, job.job_id, "running")
    started = time.monotonic()
    jobs.close()
    assert time.monotonic() - started < 5
    assert jobs.get(job.job_id).state == "cancelled"


def test_not_too_many_wait(steps) -> None:
    jobs, _ = steps
    started = [jobs.start([Path(f"/{number}")]) for number in range(16)]
    wait_for(jobs, started[0].job_id, "running")
    jobs.start([Path("/last")])
    with pytest.raises(RefusedError, match="Too many index jobs"):
        jobs.start([Path("/one too many")])
