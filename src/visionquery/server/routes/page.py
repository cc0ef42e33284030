"""The page, its files, and what watches a server."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

from visionquery.server.context import ContextOf
from visionquery.server.metrics import CONTENT_TYPE
from visionquery.server.schemas import Health, content

__all__ = ["FOLDER", "PageFiles", "routes"]

FOLDER = Path(__file__).parents[1] / "page"
"""The files of the page, which hold nothing of a library."""


_ASK_AGAIN = "no-cache"
"""A browser keeps the page's files, and asks whether they are still the same: the files of two
versions must never meet."""


class PageFiles(StaticFiles):
    """The files of the page."""

    def file_response(self, *arguments: Any, **named: Any) -> Response:
        """Return a file, or that it is still the same."""
        response = super().file_response(*arguments, **named)
        response.headers["Cache-Control"] = _ASK_AGAIN
        return response


def routes() -> APIRouter:
    """Return the routes of this group."""
    router = APIRouter()
    router.get("/", include_in_schema=False)(page)
    router.get("/favicon.ico", include_in_schema=False)(icon)
    router.get("/health", response_model=Health, tags=["server"])(health)
    figures = content("text/plain", "Figures for Prometheus.")
    router.get("/metrics", response_class=Response, responses=figures, tags=["server"])(metrics)
    return router


async def page() -> Response:
    """Return the page."""
    return FileResponse(FOLDER / "index.html", headers={"Cache-Control": _ASK_AGAIN})


async def icon() -> Response:
    """Return the page's icon under the name that browsers try."""
    return FileResponse(FOLDER / "favicon.svg", media_type="image/svg+xml")


async def health() -> dict[str, str]:
    """Tell that the server answers."""
    return {"status": "ok"}


async def metrics(context: ContextOf) -> Response:
    """Return counters and times for Prometheus."""
    jobs = context.jobs.all()
    context.metrics.jobs.set(sum(not job.is_over for job in jobs))
    return Response(context.metrics.text(), media_type=CONTENT_TYPE)
