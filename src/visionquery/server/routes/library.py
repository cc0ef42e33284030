"""The library as a whole: what it holds and what filters can choose from."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from visionquery.server.context import ContextOf
from visionquery.server.documents import facets_document, respond, status_document
from visionquery.server.schemas import FacetsShape, LibraryFacts

__all__ = ["routes"]


def routes() -> APIRouter:
    """Return the routes of this group."""
    router = APIRouter(tags=["library"])
    router.get("/status", response_model=LibraryFacts)(status)
    router.get("/facets", response_model=FacetsShape)(facets)
    return router


async def status(request: Request, context: ContextOf) -> Response:
    """Tell what the library holds, by which model, and which folders are there now."""
    return await context.searchers.run(
        request, lambda: respond(status_document(context.library.status(), context.settings))
    )


async def facets(request: Request, context: ContextOf) -> Response:
    """List cameras, file types, folders and the span of dates, with counts."""
    return await context.searchers.run(
        request, lambda: respond(facets_document(context.library.facets()))
    )
