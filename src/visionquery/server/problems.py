"""Errors as problem documents (RFC 9457): one shape, whatever went wrong, and one table behind.

`type` is `urn:visionquery:` and the error's name; a query's error keeps its position.
"""

import json
import logging
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from visionquery.errors import VisionQueryError, outcome_of

__all__ = [
    "MEDIA_TYPE",
    "RefusedError",
    "add_problem_handlers",
    "defect_of",
    "problem",
    "problem_of",
]

MEDIA_TYPE = "application/problem+json"

_log = logging.getLogger("visionquery.server")


class RefusedError(VisionQueryError):
    """A request that the server does not take, whatever the library would say to it."""

    def __init__(
        self, status: int, kind: str, detail: str, *, retry_after: int | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.retry_after = retry_after


def problem(error: VisionQueryError) -> dict[str, object]:
    """Return the problem document of an error, its facts included."""
    if isinstance(error, RefusedError):
        return _document(error.status, error.kind, str(error))
    outcome = outcome_of(error)
    status = outcome.http_status if outcome else 500
    facts = {name: fact for name, fact in vars(error).items() if isinstance(fact, int | str)}
    return _document(status, type(error).__name__, str(error)) | facts


def problem_of(error: VisionQueryError) -> Response:
    """Return the response that an error is."""
    document = problem(error)
    headers = {}
    if isinstance(error, RefusedError) and error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if document["status"] == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return _response(document, headers)


def add_problem_handlers(app: FastAPI) -> None:
    """Let an app answer every error but a defect with a problem document; that is the guard's."""
    app.add_exception_handler(VisionQueryError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)


async def _on_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, VisionQueryError)
    return problem_of(error)


async def _on_invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [f"{'.'.join(map(str, each['loc'][1:]))}: {each['msg']}" for each in error.errors()]
    detail = f"The request is not as the API takes it: {'; '.join(faults)}."
    return _response(_document(422, "InputError", detail))


async def _on_http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.NOT_FOUND:
        detail = "There is nothing at this address; /api/v1/openapi.json lists what there is."
        return _response(_document(404, "AddressNotFound", detail))
    document = _document(error.status_code, "HttpError", f"{error.detail}.")
    return _response(document, dict(error.headers or {}))


def defect_of(scope: Scope, error: Exception) -> Response:
    """Return the response that a defect is, and say on stderr where it is."""
    _log.error("%s %s failed", scope["method"], scope["path"], exc_info=error)
    detail = "This is a defect of VisionQuery, please report it; the server's output says where."
    return _response(_document(500, "Defect", detail))


def _document(status: int, kind: str, detail: str) -> dict[str, object]:
    return {
        "type": f"urn:visionquery:{kind}",
        "title": _title(status),
        "status": status,
        "detail": detail,
    }


def _title(status: int) -> str:
    known = {each.value: each.phrase for each in HTTPStatus}
    return known.get(status, "Client Closed Request")


def _response(document: dict[str, object], headers: dict[str, str] | None = None) -> Response:
    status = document["status"]
    assert isinstance(status, int)
    return Response(json.dumps(document), status, headers, MEDIA_TYPE)
