"""What the routes of one server work with."""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from visionquery.images.limits import Limits
from visionquery.library import Library
from visionquery.server.access import Access
from visionquery.server.jobs import Jobs
from visionquery.server.metrics import Metrics
from visionquery.server.rates import Rates
from visionquery.server.settings import ServerSettings
from visionquery.server.thumbnails import ThumbnailCache
from visionquery.server.work import Workers

__all__ = ["Context", "ContextOf"]


_UPLOAD_SECONDS = 10.0
"""Of decoding: the slowest picture that is let in takes 1.5 (`benchmarks/uploads.py`)."""


@dataclass(frozen=True, slots=True)
class Context:
    """A library and all that serves it. `searchers` answer queries, `painters` read picture files,
    so that a screen of thumbnails does not hold up a search, and `lookers` look again."""

    library: Library
    settings: ServerSettings
    access: Access
    rates: Rates
    searchers: Workers
    painters: Workers
    lookers: Workers
    thumbnails: ThumbnailCache
    jobs: Jobs
    metrics: Metrics

    @property
    def upload_limits(self) -> Limits:
        """What is decoded of a picture that comes as a query."""
        return Limits(
            max_pixels=self.settings.max_upload_pixels,
            max_bytes=self.settings.max_upload_bytes,
            seconds=_UPLOAD_SECONDS,
        )

    def close(self) -> None:
        """End jobs and threads; the library stays open."""
        self.jobs.close()
        self.searchers.close()
        self.painters.close()
        self.lookers.close()


async def _context(request: Request) -> Context:
    return cast(Context, request.app.state.context)


ContextOf = Annotated[Context, Depends(_context)]
"""The context, as a parameter of a route."""
