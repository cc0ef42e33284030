"""One image: its facts, why it is in an answer, what looks like it, and its pixels."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from visionquery.images.thumbnails import encoded_thumbnail
from visionquery.query.ast import Blend, Like
from visionquery.server.context import Context, ContextOf
from visionquery.server.cursors import next_cursor
from visionquery.server.documents import (
    answer_document,
    explained_document,
    image_document,
    respond,
)
from visionquery.server.heatmaps import HEATMAP, heatmap_response
from visionquery.server.originals import original_response
from visionquery.server.queries import EVERYTHING, query_tree, uploaded
from visionquery.server.routes.search import check_within, page_offset
from visionquery.server.schemas import (
    MAX_QUERY,
    PICTURE_BODY,
    Answer,
    Explained,
    ImageFacts,
    PageRequest,
    content,
)
from visionquery.server.uploads import read_upload

__all__ = ["routes"]

_ImageId = Annotated[
    str,
    Path(
        pattern="^[0-9a-f]{32}$",
        description="The id of an image: the hash of its content.",
        examples=["da975eab981b56d86de92a9039f10b2d"],
    ),
]
_Query = Annotated[
    str,
    Query(
        max_length=MAX_QUERY,
        description="Text of the query language. Blank: everything; with a picture, which it calls "
        "`image:upload`: that picture alone.",
    ),
]
_Size = Annotated[Literal["320", "640", "1280", "2560"], Query(description="Side in pixels.")]
_FOREVER = "private, max-age=31536000, immutable"


def routes() -> APIRouter:
    """Return the routes of this group."""
    router = APIRouter(prefix="/images/{image_id}", tags=["images"])
    picture = content("image/webp", "The thumbnail.")
    original = content("image/*", "The file, byte for byte.")
    router.get("", response_model=ImageFacts)(facts)
    router.get("/explanation", response_model=Explained)(explanation)
    router.post("/explanation", response_model=Explained, openapi_extra=PICTURE_BODY)(
        explanation_by_picture
    )
    router.get("/heatmap", response_class=Response, responses=HEATMAP)(heatmap)
    router.post("/heatmap", response_class=Response, responses=HEATMAP, openapi_extra=PICTURE_BODY)(
        heatmap_by_picture
    )
    router.get("/similar", response_model=Answer)(similar)
    router.get("/thumbnail", response_class=Response, responses=picture)(thumbnail)
    router.get("/original", response_class=Response, responses=original)(original_file)
    return router


async def facts(request: Request, context: ContextOf, image_id: _ImageId) -> Response:
    """Tell what is known of an image."""
    return await context.searchers.run(
        request, lambda: respond(image_document(context.library.image(image_id)))
    )


async def explanation(
    request: Request, context: ContextOf, image_id: _ImageId, q: _Query = ""
) -> Response:
    """Tell why an image is, or is not, in the answer to a query."""
    return await _explained(request, context, image_id, q, None)


async def explanation_by_picture(
    request: Request, context: ContextOf, image_id: _ImageId, q: _Query = ""
) -> Response:
    """Tell why an image is, or is not, in the answer to a query with a picture, the body of the
    request."""
    picture = await read_upload(request, context.settings)
    return await _explained(request, context, image_id, q, picture)


async def _explained(
    request: Request, context: Context, image_id: str, q: str, picture: bytes | None
) -> Response:
    def work() -> Response:
        node = query_tree(q, has_upload=picture is not None) or EVERYTHING
        found = context.library.explain(
            image_id, node, text=q, pictures=uploaded(picture), limits=context.upload_limits
        )
        return respond(explained_document(found, node))

    return await context.searchers.run(request, work)


async def heatmap(
    request: Request, context: ContextOf, image_id: _ImageId, q: _Query = ""
) -> Response:
    """Show where in an image a query is seen: colours to be laid over the image."""
    return await _mapped(request, context, image_id, q, None)


async def heatmap_by_picture(
    request: Request, context: ContextOf, image_id: _ImageId, q: _Query = ""
) -> Response:
    """Show where in an image a query with a picture, the body of the request, is seen: colours to
    be laid over the image."""
    picture = await read_upload(request, context.settings)
    return await _mapped(request, context, image_id, q, picture)


async def _mapped(
    request: Request, context: Context, image_id: str, q: str, picture: bytes | None
) -> Response:
    def work() -> Response:
        node = query_tree(q, has_upload=picture is not None) or EVERYTHING
        found = context.library.heatmap(
            image_id, node, pictures=uploaded(picture), limits=context.upload_limits
        )
        return heatmap_response(found, may_be_kept=picture is None)

    return await context.painters.run(request, work)


async def similar(
    request: Request,
    context: ContextOf,
    image_id: _ImageId,
    asked: Annotated[PageRequest, Query()],
) -> Response:
    """Find images that look like one, which is left out."""

    def work() -> Response:
        same = (image_id, asked.min_confidence, asked.exact, asked.within, asked.fold)
        offset = page_offset(asked, *same)
        check_within(context, asked.within)
        response = context.library.similar(
            image_id,
            limit=asked.limit,
            offset=offset,
            within=asked.within,
            min_confidence=asked.min_confidence or 0.0,
            exact=asked.exact,
            fold=asked.fold,
        )
        following = next_cursor(response, offset, *same)
        return respond(answer_document(response, Blend((Like(image_id),)), following))

    return await context.searchers.run(request, work)


async def thumbnail(
    request: Request, context: ContextOf, image_id: _ImageId, size: _Size = "320"
) -> Response:
    """Return a small copy of an image, upright, in WebP, without what the file says of itself."""
    tag = f'"{image_id}-{size}"'
    headers = {"ETag": tag, "Cache-Control": _FOREVER}

    def work() -> Response:
        context.library.image(image_id)  # One that has left the library is shown to nobody.
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        data = context.thumbnails.get(
            image_id, int(size), lambda: _painted(context, image_id, int(size))
        )
        return Response(data, headers=headers, media_type="image/webp")

    return await context.painters.run(request, work)


def _painted(context: Context, image_id: str, side: int) -> bytes:
    _, found = context.library.original(image_id)
    context.metrics.thumbnails.inc()
    return encoded_thumbnail(found, side=side)


async def original_file(
    request: Request,
    context: ContextOf,
    image_id: _ImageId,
    download: Annotated[bool, Query(description="As a file to keep, not to look at.")] = False,
) -> Response:
    """Return the file of an image as it lies in its folder, if it is still what was indexed."""

    def work() -> Response:
        path, found = context.library.original(image_id)
        kind = context.library.image(image_id).facts.format
        return original_response(path, found, kind, download=download)

    return await context.painters.run(request, work)
