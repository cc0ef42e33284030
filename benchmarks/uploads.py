"""How long can the largest picture that a server takes as a query hold a thread?

    python benchmarks/uploads.py

Every format at 49.9 of the 50 million pixels and below 20 MiB, decoded as a query is. What a format
cannot hold within the bytes when it is rich in detail is one colour. Target: 5 s.
"""

import io
import sys
import time

import numpy as np
import pillow_heif
from PIL import Image

from visionquery.images.decode import decode
from visionquery.images.limits import Limits
from visionquery.server.settings import ServerSettings

_SIZE = (8600, 5800)
_ENCODERS_SIDE = 448
_FORMATS = {
    "JPEG": {"quality": 60},
    "JPEG, progressive": {"quality": 60, "progressive": True},
    "PNG": {"compress_level": 1},
    "WEBP": {"quality": 50, "method": 0},
    "GIF": {},
    "TIFF": {"compression": "tiff_lzw"},
    "JPEG2000": {"quality_mode": "rates", "quality_layers": [60]},
    "AVIF": {"quality": 30, "speed": 10},
    "HEIF": {"quality": 30},
}


def main() -> int:
    """Measure and print; return 1 when the target is missed."""
    pillow_heif.register_heif_opener()
    settings = ServerSettings()
    limits = Limits(max_pixels=settings.max_upload_pixels, max_bytes=settings.max_upload_bytes)
    noise = np.random.default_rng(0).integers(0, 255, (700, 1000, 3)).astype(np.uint8)
    rich, flat = Image.fromarray(noise).resize(_SIZE), Image.new("RGB", _SIZE, (10, 20, 30))
    worst = 0.0
    for name, options in _FORMATS.items():
        kind = name.partition(",")[0]
        data, content = _saved(rich, kind, options), "rich"
        if len(data) > limits.max_bytes:
            data, content = _saved(flat, kind, options), "one colour"
        started = time.perf_counter()
        decode(data, min_side=_ENCODERS_SIDE, limits=limits)
        seconds = time.perf_counter() - started
        worst = max(worst, seconds)
        print(f"{name:18} {content:10} {len(data) / 2**20:5.1f} MiB  {seconds:5.2f} s")
    print(f"worst {worst:.2f} s (target 5)")
    return int(worst > 5)


def _saved(picture: Image.Image, kind: str, options: dict) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


if __name__ == "__main__":
    sys.exit(main())
