"""Sessions: a browser cannot put a token into the address of a picture, so it gets a cookie."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from visionquery.server.access import COOKIE, SESSION_SECONDS
from visionquery.server.context import ContextOf
from visionquery.server.problems import RefusedError
from visionquery.server.schemas import TokenRequest

__all__ = ["routes"]


def routes() -> APIRouter:
    """Return the routes of this group."""
    router = APIRouter(prefix="/session", tags=["session"])
    router.post("", status_code=204, response_class=Response)(enter)
    router.delete("", status_code=204, response_class=Response)(leave)
    return router


async def enter(request: Request, context: ContextOf, given: TokenRequest) -> Response:
    """Exchange the token for a session cookie of this browser."""
    if not context.access.knows(given.token):
        context.rates.count_wrong_token(request.client.host if request.client else "unknown")
        raise RefusedError(401, "WrongToken", "This is not the token of this server.")
    response = Response(status_code=204)
    response.set_cookie(
        COOKIE,
        context.access.session(),
        max_age=SESSION_SECONDS,
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return response


async def leave() -> Response:
    """End the session of this browser."""
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    return response
