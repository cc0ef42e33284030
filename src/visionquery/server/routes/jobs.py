"""Indexing: jobs that are started, watched while they run, and cancelled."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi import Path as PathParameter
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.responses import Response

from visionquery.errors import InputError
from visionquery.indexing.places import check_places
from visionquery.server.context import Context, ContextOf
from visionquery.server.documents import job_document, rendered, respond
from visionquery.server.problems import RefusedError
from visionquery.server.schemas import IndexRequest, JobList, JobShape
from visionquery.store.places import spelled
from visionquery.types import is_address

__all__ = ["routes"]

_JobId = Annotated[
    str, PathParameter(description="The id of a job.", examples=["5f0c2d9be1a87746"])
]


def routes() -> APIRouter:
    """Return the routes of this group."""
    router = APIRouter(prefix="/jobs", tags=["jobs"])
    router.post("", status_code=202, response_model=JobShape)(start)
    router.get("", response_model=JobList)(jobs)
    router.get("/{job_id}", response_model=JobShape)(job)
    router.delete("/{job_id}", response_model=JobShape)(cancel)
    router.get("/{job_id}/events", response_class=EventSourceResponse)(events)
    return router


async def start(request: Request, context: ContextOf, wanted: IndexRequest) -> Response:
    """Bring the library up to date with folders, or with all of its own where none is named."""

    def work() -> Response:
        places = [spelled(path) for path in wanted.paths]
        _check(context, places)
        if not places:
            places = [root.location for root in context.library.status().roots]
        if not places:
            raise InputError("The library has no folders yet: name one to index.")
        return respond(job_document(context.jobs.start(places)), 202)

    return await context.searchers.run(request, work)


async def jobs(context: ContextOf) -> Response:
    """List the jobs of this server, newest first."""
    return respond({"jobs": [job_document(job) for job in context.jobs.all()]})


async def job(context: ContextOf, job_id: _JobId) -> Response:
    """Tell how far a job is."""
    return respond(job_document(context.jobs.get(job_id)))


async def cancel(context: ContextOf, job_id: _JobId) -> Response:
    """Stop a job; what it has finished is kept."""
    return respond(job_document(context.jobs.cancel(job_id)))


async def _known(context: ContextOf, job_id: _JobId) -> str:
    """Refuse a job that is not there before its stream begins, which can tell no error any more."""
    return context.jobs.get(job_id).job_id


async def events(
    context: ContextOf, job_id: Annotated[str, Depends(_known)]
) -> AsyncIterator[ServerSentEvent]:
    """Follow a job: an event `progress` with the job whenever it has changed, until it is over."""
    async for seen in context.jobs.follow(job_id):
        text = rendered(job_document(seen))
        yield ServerSentEvent(event="progress", raw_data=text)


def _check(context: Context, places: Sequence[str]) -> None:
    """Refuse places that may not be indexed, before anything is said of what lies there."""
    for place in places:
        if not (is_address(place) or Path(place).is_absolute()):
            raise InputError(f"{place} is not a whole path; begin it at the root of the disk.")
        if not (context.settings.may_index_new_folders or context.library.covers(place)):
            raise RefusedError(
                403,
                "NotPermitted",
                "This server only brings folders up to date that are in the library. Add others "
                "where it runs, with: visionquery index FOLDER",
            )
    check_places(places, is_known=context.library.covers)
