"""Heatmaps as answers: colours to be laid over an image, and in headers what they say."""

from typing import Any, Final

from starlette.responses import Response

from visionquery.images.overlay import layer
from visionquery.seeing import Heatmap
from visionquery.server.schemas import content

__all__ = ["HEATMAP", "heatmap_response"]

HEATMAP: Final[dict[int | str, dict[str, Any]]] = content(
    "image/webp",
    "The colours, in the shape of the image, and a frame around where it is most. "
    "`Heatmap-Box` says where the frame is: left, top, width, height in percent, with commas. "
    "`Heatmap-Weak` is `true` where there is little evidence anywhere, otherwise `false`.",
)

_LONGEST_SIDE: Final = 960
_BRIEFLY: Final = "private, max-age=300"
"""What is usual for a query, which a heatmap is measured from, changes with the library."""


def heatmap_response(found: Heatmap, *, may_be_kept: bool) -> Response:
    """Return a heatmap as a WebP with its headers; `may_be_kept` lets a browser keep it briefly."""
    height, width = found.picture.shape[:2]
    scale = _LONGEST_SIDE / max(width, height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    box = found.box
    headers = {
        "Cache-Control": _BRIEFLY if may_be_kept else "no-store",
        "Heatmap-Box": ",".join(
            f"{side:.2f}" for side in (box.left, box.top, box.width, box.height)
        ),
        "Heatmap-Weak": "true" if found.is_weak else "false",
    }
    shown = None if found.is_weak else box
    return Response(layer(found.grid, size, shown), headers=headers, media_type="image/webp")
