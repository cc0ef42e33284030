"""The page, its files, and what watches a server."""

from pathlib import Path

from fastapi import APIRouter
from starlette.responses import FileResponse, Response

from visionquery.server.context import ContextOf
from visionquery.server.metrics import CONTENT_TYPE
from visionquery.server.schemas import Health, content

__all__ = ["FOLDER", "routes"]

FOLDER = Path(__file__).parents[1] / "page"
"""The files of the page, which hold nothing of a library."""


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
    return FileResponse(FOLDER / "index.html", headers={"Cache-Control": "no-cache"})


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
