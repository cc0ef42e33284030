"""Queries in words, by a picture that comes with them, and how a query is read."""

import time
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from visionquery.errors import InputError
from visionquery.query.editing import edited
from visionquery.server.context import Context, ContextOf
from visionquery.server.cursors import next_cursor, offset_of
from visionquery.server.documents import answer_document, reading_document, respond
from visionquery.server.queries import EVERYTHING, query_tree, readable_tree, uploaded
from visionquery.server.schemas import (
    MAX_QUERY,
    PICTURE_BODY,
    Answer,
    PageRequest,
    QueryReading,
    SearchRequest,
)
from visionquery.server.uploads import read_upload

__all__ = ["check_within", "page_offset", "routes"]

_Asked = Annotated[SearchRequest, Query()]


def routes() -> APIRouter:
    """Return the routes of this group."""
    router = APIRouter(tags=["search"])
    router.get("/search", response_model=Answer)(search)
    router.post("/search", response_model=Answer, openapi_extra=PICTURE_BODY)(search_by_picture)
    router.get("/query", response_model=QueryReading)(read_query)
    return router


async def search(request: Request, context: ContextOf, asked: _Asked) -> Response:
    """Find images by what they show, in words."""
    return await _answer(request, context, asked, None)


async def search_by_picture(request: Request, context: ContextOf, asked: _Asked) -> Response:
    """Find images by a picture, the body of the request, and words that go with it: in `q` it is
    called `image:upload`."""
    picture = await read_upload(request, context.settings)
    return await _answer(request, context, asked, picture)


async def read_query(
    request: Request,
    context: ContextOf,
    q: Annotated[str, Query(max_length=MAX_QUERY, description="Text of the query language.")] = "",
    add: Annotated[str, Query(max_length=MAX_QUERY, description="A part to add, ANDed.")] = "",
    drop: Annotated[
        list[str] | None,
        Query(max_length=20, description="Fields whose filters, at the top, are taken out first."),
    ] = None,
) -> Response:
    """Read a query, or edit one: what chips and menus of a page do to it."""

    def work() -> Response:
        text = edited(q, add=add, drop=drop or ())
        node = readable_tree(text) if text else None
        return respond(reading_document(text, node))

    return await context.searchers.run(request, work)


async def _answer(
    request: Request, context: Context, asked: SearchRequest, picture: bytes | None
) -> Response:
    model = context.settings.rerank
    if asked.rerank and model is None:
        raise InputError("This server looks once; start it with: visionquery serve --rerank MODEL")

    def work() -> Response:
        started = time.perf_counter()
        node = query_tree(asked.q, has_upload=picture is not None)
        looks = (asked.rerank, asked.candidates) if asked.rerank else ()
        same = (
            asked.q, asked.sort, asked.min_confidence, asked.exact, asked.within, asked.fold,
            asked.spread, *looks,
        )  # fmt: skip
        offset = page_offset(asked, *same)
        check_within(context, asked.within)
        response = context.library.search(
            node or EVERYTHING,
            text=asked.q,
            limit=asked.limit,
            offset=offset,
            within=asked.within,
            min_confidence=asked.min_confidence,
            sort=asked.sort,
            explain=asked.explain,
            exact=asked.exact,
            fold=asked.fold,
            spread=asked.spread,
            pictures=uploaded(picture),
            limits=context.upload_limits,
            rerank=model if asked.rerank else None,
            candidates=asked.candidates,
        )
        if not asked.rerank:
            context.metrics.searches.observe(time.perf_counter() - started)
        cursor = next_cursor(response, offset, *same)
        return respond(answer_document(response, node, cursor, has_second=model is not None))

    return await (context.lookers if asked.rerank else context.searchers).run(request, work)


def page_offset(asked: PageRequest, *same: object) -> int:
    """Return where a page begins; `same` is what all pages of an answer have in common.

    Raises InputError for a cursor of another request, or beside an offset.
    """
    if asked.cursor is None:
        return asked.offset
    if asked.offset:
        raise InputError("Send a cursor or an offset, not both.")
    return offset_of(asked.cursor, *same)


def check_within(context: Context, places: Sequence[str]) -> None:
    """Raise InputError for a place outside the indexed folders, be there something or not."""
    for place in places:
        if not context.library.covers(place):
            raise InputError(f"{place} is not in an indexed folder; /api/v1/facets lists them.")
