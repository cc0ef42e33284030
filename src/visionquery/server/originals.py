"""Files as they lie in their folders, sent so that a browser only ever shows them as pictures."""

from contextlib import ExitStack
from pathlib import PurePath
from urllib.parse import quote

from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response

from visionquery.images.content import Content, on_disk

__all__ = ["original_response"]

_PDF = "application/pdf"
_POLICY = "default-src 'none'; sandbox"
_PDF_POLICY = "default-src 'none'"
"""What browsers show PDF files with does not work in a sandbox; it has one of its own."""

_TYPES = {
    "AVIF": "image/avif",
    "BMP": "image/bmp",
    "GIF": "image/gif",
    "HEIF": "image/heif",
    "JPEG": "image/jpeg",
    "JPEG2000": "image/jp2",
    "AVI": "video/x-msvideo",
    "MKV": "video/x-matroska",
    "MOV": "video/quicktime",
    "MP4": "video/mp4",
    "PDF": _PDF,
    "WEBM": "video/webm",
    "PNG": "image/png",
    "TIFF": "image/tiff",
    "WEBP": "image/webp",
}
"""By format as it was decoded, never by a file's name. What is not here becomes a file to keep."""


def original_response(
    path: str, content: Content, format_name: str, *, download: bool
) -> Response:
    """Return a file's bytes, as a picture to look at or a file to keep under its own name; of a
    part of a larger file, such as a moment of a video, the file, any range of it."""
    kind = _TYPES.get(format_name.upper(), "application/octet-stream")
    way = "attachment" if download or kind == "application/octet-stream" else "inline"
    name = quote(PurePath(content.name or path).name.encode("utf-8", "replace"), safe="")
    headers = {
        "Content-Disposition": f"{way}; filename*=UTF-8''{name}",
        "Content-Security-Policy": _PDF_POLICY if kind == _PDF else _POLICY,
        "Cache-Control": "private, no-cache",
    }
    if content.path is not None:
        kept = ExitStack()  # A copy is kept until it is sent.
        path = kept.enter_context(on_disk(content.path))
        sent = BackgroundTask(kept.close)
        return FileResponse(path, headers=headers, media_type=kind, background=sent)
    return Response(content.data, headers=headers, media_type=kind)
