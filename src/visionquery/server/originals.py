"""Files as they lie in their folders, sent so that a browser only ever shows them as pictures."""

from pathlib import PurePath
from urllib.parse import quote

from starlette.responses import Response

__all__ = ["original_response"]

_TYPES = {
    "AVIF": "image/avif",
    "BMP": "image/bmp",
    "GIF": "image/gif",
    "HEIF": "image/heif",
    "JPEG": "image/jpeg",
    "JPEG2000": "image/jp2",
    "PNG": "image/png",
    "TIFF": "image/tiff",
    "WEBP": "image/webp",
}
"""By format as it was decoded, never by a file's name. What is not here becomes a file to keep."""


def original_response(path: str, data: bytes, format_name: str, *, download: bool) -> Response:
    """Return a file's bytes, as a picture to look at or a file to keep under its own name."""
    kind = _TYPES.get(format_name.upper(), "application/octet-stream")
    way = "attachment" if download or kind == "application/octet-stream" else "inline"
    name = quote(PurePath(path).name.encode("utf-8", "replace"), safe="")
    headers = {
        "Content-Disposition": f"{way}; filename*=UTF-8''{name}",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "private, no-cache",
    }
    return Response(data, headers=headers, media_type=kind)
