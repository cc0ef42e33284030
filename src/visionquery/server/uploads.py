"""Pictures that come with a request: taken in no faster, larger or slower than is allowed."""

import asyncio

from fastapi import Request
from starlette.requests import ClientDisconnect

from visionquery.server.problems import RefusedError
from visionquery.server.settings import ServerSettings

__all__ = ["read_upload"]


async def read_upload(request: Request, settings: ServerSettings) -> bytes:
    """Return the picture in a request's body.

    Raises RefusedError for a body that is no picture by its type, empty, too large or too slow.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not (kind.startswith("image/") or kind == "application/octet-stream"):
        raise RefusedError(
            415, "NotAPicture",
            "Send the picture's bytes as the body, with the Content-Type of a picture.",
        )  # fmt: skip
    if _stated_bytes(request) > settings.max_upload_bytes:
        raise _too_large(settings)
    data = bytearray()
    try:
        async with asyncio.timeout(settings.upload_seconds):
            async for chunk in request.stream():
                data += chunk
                if len(data) > settings.max_upload_bytes:
                    raise _too_large(settings)
    except TimeoutError as error:
        seconds = f"{settings.upload_seconds:g}"
        raise RefusedError(
            408, "TooSlow", f"The picture did not arrive within {seconds} seconds; send it again."
        ) from error
    except ClientDisconnect as error:
        raise RefusedError(499, "CallerGone", "The caller closed the connection.") from error
    if not data:
        raise RefusedError(422, "NotAPicture", "The body is empty: send the picture's bytes in it.")
    return bytes(data)


def _stated_bytes(request: Request) -> int:
    stated = request.headers.get("content-length", "")
    return int(stated) if stated.isascii() and stated.isdecimal() else 0


def _too_large(settings: ServerSettings) -> RefusedError:
    most = settings.max_upload_bytes / 2**20
    return RefusedError(
        413, "TooLarge", f"The picture has more than {most:g} MiB; make it smaller first."
    )
