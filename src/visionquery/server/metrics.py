"""Counters and times in the form that Prometheus reads, of one server and nothing else."""

import time

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["CONTENT_TYPE", "Metered", "Metrics"]

CONTENT_TYPE = CONTENT_TYPE_LATEST

_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Metrics:
    """What is measured, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self.requests = Counter(
            "visionquery_http_requests", "Requests that were answered.",
            ("method", "route", "status"), registry=self._registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "visionquery_http_request_seconds", "Seconds from request to the end of its answer.",
            ("route",), registry=self._registry, buckets=_BUCKETS,
        )  # fmt: skip
        self.searches = Histogram(
            "visionquery_search_seconds", "Seconds of a search, without HTTP.",
            registry=self._registry, buckets=_BUCKETS,
        )  # fmt: skip
        self.thumbnails = Counter(
            "visionquery_thumbnails_made", "Thumbnails made, not found in the cache.",
            registry=self._registry,
        )  # fmt: skip
        self.images = Gauge(
            "visionquery_images", "Images in the library.", registry=self._registry
        )
        self.jobs = Gauge(
            "visionquery_jobs_open", "Index jobs that wait or run.", registry=self._registry
        )

    def text(self) -> bytes:
        """Return all figures in Prometheus' text form."""
        return generate_latest(self._registry)


class Metered:
    """An ASGI application around another one, whose requests it counts by route."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = "none"

        async def send_counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        started = time.perf_counter()
        try:
            await self._app(scope, receive, send_counted)
        finally:
            route = _route(scope)
            method = scope["method"] if route != "other" else "other"
            self._metrics.requests.labels(method, route, status).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - started)


def _route(scope: Scope) -> str:
    """Return the path with names for what is variable in it, "other" for one that leads nowhere:
    an address that anyone makes up is no new series."""
    if "route" not in scope:
        return "other"
    names = {str(value): f"{{{name}}}" for name, value in scope["path_params"].items()}
    return "/".join(names.get(part, part) for part in scope["path"].split("/"))
