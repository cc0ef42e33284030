"""The application: routes over one library, behind the guard. Nothing is made at import."""

import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware

from visionquery import __version__
from visionquery.errors import LibraryReplacedError
from visionquery.indexing.report import IndexReport, Progress
from visionquery.library import Library
from visionquery.server import metrics as figures
from visionquery.server.access import Access
from visionquery.server.context import Context
from visionquery.server.guard import API, Guard
from visionquery.server.jobs import Jobs
from visionquery.server.problems import MEDIA_TYPE, add_problem_handlers
from visionquery.server.rates import Rates
from visionquery.server.routes import images, jobs, page, search, session
from visionquery.server.routes import library as library_routes
from visionquery.server.schemas import ProblemShape
from visionquery.server.settings import ServerSettings
from visionquery.server.thumbnails import ThumbnailCache
from visionquery.server.work import Workers
from visionquery.settings import thumbnail_folder

__all__ = ["create_app"]

_DESCRIPTION = (
    "Search a library of pictures by what they show. Every error is a problem document (RFC 9457)."
)
_LOOKS_AT_ONCE = 2
"""One for who is waiting, beside one that was begun for a query that nobody asks any more."""


def create_app(library: Library, settings: ServerSettings | None = None) -> FastAPI:
    """Return the ASGI application that serves a library; the caller opens and closes the library.

    While it runs, the model is loaded once and both of its towers stay warm. Raises SettingsError
    for settings that are unsafe.
    """
    context = _context(library, settings or ServerSettings())
    app = FastAPI(
        title="VisionQuery",
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        openapi_url=f"{API}/openapi.json",
        lifespan=_lifespan,
        middleware=[
            Middleware(figures.Metered, metrics=context.metrics),
            Middleware(
                Guard, settings=context.settings, access=context.access, rates=context.rates
            ),
        ],
    )
    app.state.context = context
    add_problem_handlers(app)
    app.include_router(_api())
    app.include_router(page.routes())
    app.mount("/static", GZipMiddleware(page.PageFiles(directory=page.FOLDER)))
    return app


def _api() -> APIRouter:
    problems = {"content": {MEDIA_TYPE: {}}, "model": ProblemShape, "description": "A problem."}
    api = APIRouter(prefix=API, responses={"4XX": problems, "5XX": problems})
    for group in (search, images, library_routes, jobs, session):
        api.include_router(group.routes())
    return api


def _context(library: Library, settings: ServerSettings) -> Context:
    cores = settings.threads or os.cpu_count() or 1
    most = settings.max_waiting
    measured = figures.Metrics()
    return Context(
        library=library,
        settings=settings,
        access=Access(settings.token),
        rates=Rates(settings.limit_per_minute),
        searchers=Workers("search", threads=cores, max_waiting=most, renew=library.renew),
        painters=Workers("paint", threads=cores, max_waiting=most, renew=library.renew),
        lookers=Workers("look", threads=_LOOKS_AT_ONCE, max_waiting=most, renew=library.renew),
        thumbnails=ThumbnailCache(
            settings.thumbnails or thumbnail_folder(), settings.thumbnails_max_bytes
        ),
        jobs=Jobs(partial(_bring_up_to_date, library)),
        metrics=measured,
    )


def _bring_up_to_date(
    library: Library, paths: Sequence[str], on_progress: Callable[[Progress], None]
) -> IndexReport:
    try:
        return library.add(*paths, on_progress=on_progress)
    except LibraryReplacedError:
        library.renew()
        return library.add(*paths, on_progress=on_progress)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    context: Context = app.state.context
    context.library.warm_up()
    context.metrics.images.set_function(lambda: context.library.image_count)
    try:
        yield
    finally:
        context.close()
