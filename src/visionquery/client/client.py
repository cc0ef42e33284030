"""What a `Library` answers, asked of a server: the same values to the last digit, the same errors.

Synchronous, like the library; a client may be used from several threads.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, cast

import httpx2

from visionquery.client.answers import (
    error_of,
    explanation_of,
    facets_of,
    image_of,
    progress_of,
    report_of,
    response_of,
    status_of,
)
from visionquery.errors import EngineError, InputError
from visionquery.indexing.report import IndexReport, Progress
from visionquery.indexing.status import LibraryStatus
from visionquery.search.result import Explanation, Hit, Response, Sort
from visionquery.store.base import Facets
from visionquery.types import KnownImage

__all__ = ["Client"]

_API = "/api/v1"
_TRIES = 5
_MAX_WAIT_SECONDS = 60.0
_PAGE = 200


def _ignore(*_: object) -> None:
    """Stand in for a callback nobody gave."""


class Client:
    """A library that another process serves. Best used as a context manager."""

    def __init__(
        self,
        address: str,
        *,
        token: str | None = None,
        seconds: float = 30.0,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        """Ask the server at an address, like "http://127.0.0.1:8765", with its token if it has
        one; no answer may take longer than `seconds`. Raises InputError for what is no address."""
        if not address.startswith(("http://", "https://")):
            raise InputError(f"{address} is no address of a server; it begins with http://")
        self._address = address.rstrip("/")
        self._http = httpx2.Client(
            base_url=self._address + _API,
            headers={} if token is None else {"Authorization": f"Bearer {token}"},
            timeout=seconds,
            transport=transport,
            trust_env=False,  # a proxy is no place for the pictures of a library
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # -- asking ----------------------------------------------------------------------------
    def search(
        self,
        query: str,
        *,
        picture: bytes | None = None,
        limit: int = 20,
        offset: int = 0,
        within: str | Path | tuple[str | Path, ...] = (),
        min_confidence: float | None = None,
        sort: Sort | None = None,
        explain: bool = False,
        exact: bool | None = None,
        fold: bool = False,
        spread: bool = False,
        rerank: bool = False,
        candidates: int = 100,
    ) -> Response:
        """Find images by what they show; as `Library.search`, but for `picture`: the content of a
        picture file that the query calls `image:upload`, or that is all of a blank query; and
        `rerank`: whether the server's second model looks once more, which may take its time.

        Raises the errors of `Library.search`, and EngineError where the server does not answer.
        """
        asked = _asked(limit, offset, within, min_confidence)
        asked |= {"q": query, "sort": sort, "explain": explain, "exact": exact}
        asked |= {"fold": fold, "spread": spread}
        asked |= {"rerank": rerank, "candidates": candidates}
        return response_of(self._answer("/search", asked, picture))

    def all_hits(
        self,
        query: str,
        *,
        within: str | Path | tuple[str | Path, ...] = (),
        min_confidence: float | None = None,
        sort: Sort | None = None,
        fold: bool = False,
    ) -> Iterator[Hit]:
        """Yield every relevant image, page after page; of alike ones, one where they `fold`."""
        asked = _asked(_PAGE, 0, within, min_confidence)
        asked |= {"q": query, "sort": sort, "fold": fold}
        while True:
            document = self._answer("/search", asked, None)
            yield from response_of(document).hits
            if document["next_cursor"] is None:
                return
            asked |= {"offset": 0, "cursor": document["next_cursor"]}

    def similar(
        self,
        image_id: str,
        *,
        limit: int = 20,
        offset: int = 0,
        within: str | Path | tuple[str | Path, ...] = (),
        min_confidence: float = 0.0,
        exact: bool | None = None,
        fold: bool = False,
    ) -> Response:
        """Find images that look like the one with an id, which is left out; as `Library.similar`.

        Raises ImageNotFoundError where there is none.
        """
        asked = _asked(limit, offset, within, min_confidence) | {"exact": exact, "fold": fold}
        return response_of(self._get(f"/images/{image_id}/similar", asked))

    def explain(
        self, image_id: str, query: str, *, picture: bytes | None = None
    ) -> Explanation:
        """Explain why an image is, or is not, in the answer to a query; as `Library.explain`, but
        for `picture`, which is that of `search`."""
        path = f"/images/{image_id}/explanation"
        return explanation_of(self._answer(path, {"q": query}, picture))

    def heatmap(self, image_id: str, query: str, *, picture: bytes | None = None) -> bytes:
        """Return colours that show where in an image a query is seen, as a WebP to be laid over it;
        `picture` is that of `search`."""
        path = f"/images/{image_id}/heatmap"
        return self._replied(path, {"q": query}, picture).content

    def image(self, image_id: str) -> KnownImage:
        """Return what is known of the image with an id; as `Library.image`."""
        return image_of(self._get(f"/images/{image_id}", {}))

    def original(self, image_id: str) -> bytes:
        """Return the content of an image's file, as it was indexed."""
        return self._asked("GET", f"/images/{image_id}/original").content

    def thumbnail(self, image_id: str, *, size: int = 320) -> bytes:
        """Return a WebP of an image that fits into a square of 320, 640, 1280 or 2560 pixels."""
        path = f"/images/{image_id}/thumbnail"
        return self._asked("GET", path, params={"size": size}).content

    def facets(self) -> Facets:
        """Return what filters can choose from; as `Library.facets`."""
        return facets_of(self._get("/facets", {}))

    def status(self) -> LibraryStatus:
        """Return what the library holds; as `Library.status`."""
        return status_of(self._get("/status", {}))

    # -- filling ---------------------------------------------------------------------------
    def add(
        self, *paths: str | Path, on_progress: Callable[[Progress], None] = _ignore
    ) -> IndexReport:
        """Bring the library up to date with folders of the server's machine, all of its own where
        none is named, and wait for it; as `Library.add`.

        An exception that `on_progress` raises, and Ctrl-C, cancel the job; what it has finished
        is kept. Raises EngineError where the job is cancelled elsewhere.
        """
        wanted = {"paths": [str(path) for path in paths]}
        job = self._asked("POST", "/jobs", json=wanted).json()
        try:
            for seen in self._followed(job["job_id"]):
                job = seen
                on_progress(progress_of(job))
        except BaseException:
            self._asked("DELETE", f"/jobs/{job['job_id']}")
            raise
        if job["state"] == "done":
            return report_of(job)
        if job["state"] == "failed":
            raise error_of(job["problem"])
        raise EngineError("The index job was cancelled; what it has finished is kept.")

    def _followed(self, job_id: str) -> Iterator[Mapping[str, Any]]:
        with self._translated(), self._http.stream(
            "GET", f"/jobs/{job_id}/events", timeout=None
        ) as stream:
            for event in httpx2.EventSource(stream):
                if event.event == "progress":
                    yield cast(Mapping[str, Any], event.json())

    # -- asking the server -----------------------------------------------------------------
    def _answer(
        self, path: str, asked: Mapping[str, object], picture: bytes | None
    ) -> Mapping[str, Any]:
        return _document(self._replied(path, asked, picture))

    def _replied(
        self, path: str, asked: Mapping[str, object], picture: bytes | None
    ) -> httpx2.Response:
        if picture is None:
            return self._asked("GET", path, params=_given(asked))
        headers = {"Content-Type": "application/octet-stream"}
        return self._asked("POST", path, params=_given(asked), content=picture, headers=headers)

    def _get(self, path: str, asked: Mapping[str, object]) -> Mapping[str, Any]:
        return _document(self._asked("GET", path, params=_given(asked)))

    def _asked(self, method: str, path: str, **wanted: Any) -> httpx2.Response:
        """Return an answer. Raises the error that the server tells, EngineError where it tells
        none; one that is busy is asked again when it says."""
        for tried in range(1, _TRIES + 1):
            with self._translated():
                response = self._http.request(method, path, **wanted)
            wait = response.headers.get("retry-after", "")
            if response.is_success or not wait.isdecimal() or tried == _TRIES:
                break
            time.sleep(min(float(wait), _MAX_WAIT_SECONDS))
        if response.is_success:
            return response
        raise error_of(_document(response))

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except httpx2.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise EngineError(
                f"The server at {self._address} does not answer ({reason}). "
                "Is it running, and is the address right? Start it with: visionquery serve"
            ) from error


def _asked(
    limit: int,
    offset: int,
    within: str | Path | tuple[str | Path, ...],
    min_confidence: float | None,
) -> dict[str, object]:
    places = (within,) if isinstance(within, str | Path) else within
    return {
        "limit": limit,
        "offset": offset,
        "within": [str(place) for place in places],
        "min_confidence": min_confidence,
    }


def _given(asked: Mapping[str, object]) -> dict[str, Any]:
    return {name: value for name, value in asked.items() if value is not None}


def _document(response: httpx2.Response) -> Mapping[str, Any]:
    try:
        document = response.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise EngineError(
            f"{response.url} answers with status {response.status_code} and no document: it is "
            "not a server of VisionQuery, or something stands between."
        )
    return document
