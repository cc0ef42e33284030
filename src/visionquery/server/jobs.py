"""Indexing while people search: jobs that run one after another on a thread of their own."""

import asyncio
import queue
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from visionquery.errors import VisionQueryError
from visionquery.indexing.report import IndexReport, Progress
from visionquery.server.problems import RefusedError, problem

__all__ = ["Job", "Jobs"]

State = Literal["waiting", "running", "done", "failed", "cancelled"]

_MAX_WAITING = 16
_MAX_REMEMBERED = 50
_SECONDS_BETWEEN_LOOKS = 0.2
_SECONDS_TO_END = 10.0

Index = Callable[[Sequence[str], Callable[[Progress], None]], IndexReport]
"""What brings a library up to date with folders, telling how far it is."""


@dataclass(frozen=True, slots=True)
class Job:
    """An index job as it stands: `done` of `total` files, of which `encoded` went through the
    encoder, after `seconds`. `report` is there once it is done, `problem` once it failed."""

    job_id: str
    paths: tuple[str, ...]
    state: State = "waiting"
    done: int = 0
    total: int = 0
    encoded: int = 0
    seconds: float = 0.0
    report: IndexReport | None = None
    problem: dict[str, object] | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ("done", "failed", "cancelled")


class _CancelledError(Exception):
    """Ends a run from within: what it has finished is kept."""


class Jobs:
    """The index jobs of a server, newest last."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._jobs: dict[str, Job] = {}
        self._cancelled: set[str] = set()
        self._changing = threading.Lock()
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def start(self, paths: Sequence[str]) -> Job:
        """Put a job at the end of the queue. Raises RefusedError when too many wait."""
        with self._changing:
            if sum(job.state == "waiting" for job in self._jobs.values()) >= _MAX_WAITING:
                raise RefusedError(
                    429, "TooMany", "Too many index jobs wait; let some of them end.",
                    retry_after=10,
                )  # fmt: skip
            job = Job(secrets.token_hex(8), tuple(paths))
            self._jobs[job.job_id] = job
            over = [each for each, known in self._jobs.items() if known.is_over]
            for old in over[: max(0, len(self._jobs) - _MAX_REMEMBERED)]:
                del self._jobs[old]
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="visionquery-index")
                self._thread.daemon = True
                self._thread.start()
        self._queue.put(job.job_id)
        return job

    def get(self, job_id: str) -> Job:
        """Return a job as it stands. Raises RefusedError where there is none of this id."""
        job = self._jobs.get(job_id)
        if job is None:
            raise RefusedError(404, "JobNotFound", f"There is no job {job_id}; see GET jobs.")
        return job

    def all(self) -> list[Job]:
        """Return all jobs that are remembered, newest first."""
        with self._changing:
            return list(self._jobs.values())[::-1]

    def cancel(self, job_id: str) -> Job:
        """Stop a job, at once while it waits, after the batch in hand while it runs."""
        job = self.get(job_id)
        self._cancelled.add(job_id)
        if job.state == "waiting":
            return self._change(job_id, state="cancelled")
        return job

    async def follow(self, job_id: str) -> AsyncIterator[Job]:
        """Yield a job whenever it has changed, until it is over or the server stops."""
        shown = None
        while shown is None or not shown.is_over:
            job = self.get(job_id)
            if job is not shown:
                shown = job
                yield job
            elif self._is_closed:
                return
            else:
                await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)

    def stop(self) -> None:
        """Stop what runs after the batch in hand, and let those who follow it go."""
        self._is_closed = True
        with self._changing:
            self._cancelled.update(self._jobs)

    def close(self) -> None:
        """Stop, and wait for the batch in hand."""
        self.stop()
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(_SECONDS_TO_END)

    def _work(self) -> None:
        while (job_id := self._queue.get()) is not None:
            job = self._jobs.get(job_id)  # One that was cancelled may be forgotten by now.
            if job is not None and job.state == "waiting" and not self._is_closed:
                self._run(job)

    def _run(self, job: Job) -> None:
        job_id = job.job_id

        def on_progress(progress: Progress) -> None:
            self._change(
                job_id, done=progress.done, total=progress.total, encoded=progress.encoded,
                seconds=progress.seconds,
            )  # fmt: skip
            if job_id in self._cancelled:
                raise _CancelledError

        self._change(job_id, state="running")
        try:
            report = self._index(job.paths, on_progress)
        except _CancelledError:
            self._change(job_id, state="cancelled")
        except VisionQueryError as error:
            self._change(job_id, state="failed", problem=problem(error))
        except Exception as error:  # a job must end, whatever happens, and the next one begin
            defect = VisionQueryError(f"This is a defect of VisionQuery: {error!r}.")
            self._change(job_id, state="failed", problem=problem(defect))
        else:
            self._change(job_id, state="done", seconds=report.seconds, report=report)

    def _change(self, job_id: str, **changes: object) -> Job:
        with self._changing:
            job = replace(self._jobs[job_id], **changes)  # type: ignore[arg-type]
            self._jobs[job_id] = job
            return job
