"""What does a thumbnail of 12 megapixels cost, and what does it lose?

    python benchmarks/thumbnails.py

Beside decoding every pixel and shrinking that: medians of interleaved runs, and how like the two
are (PSNR). Then the efforts of WebP. The picture is a photograph of scikit-image, enlarged.
"""

import io
import statistics
import time
from collections.abc import Callable

import numpy as np
from PIL import Image

from visionquery.cli.demo import photographs_folder
from visionquery.images.content import of_bytes
from visionquery.images.decode import decode
from visionquery.images.thumbnails import encoded_thumbnail

_SIZE = (4000, 3000)
_RUNS = 9


def main() -> None:
    """Measure and print."""
    with Image.open(photographs_folder() / "astronaut.png") as picture:
        large = picture.convert("RGB").resize(_SIZE, Image.Resampling.LANCZOS)
    data = _saved(large, "JPEG", quality=90)
    print(f"{_SIZE[0]} × {_SIZE[1]} JPEG, {len(data) / 2**20:.1f} MiB, medians of {_RUNS}")
    for side in (320, 640, 1280, 2560):
        ours, plain = _medians(
            lambda side=side: encoded_thumbnail(of_bytes(data), side=side),
            lambda side=side: _plain(data, side),
        )
        made = encoded_thumbnail(of_bytes(data), side=side)
        like = _psnr(_pixels(made), _pixels(_plain(data, side)))
        print(f"  side {side:4}: {ours:4.0f} ms, of every pixel {plain:4.0f} ms, {like} alike")
    small = large.resize((640, 480))
    for method in (0, 2, 3, 4):
        (took,) = _medians(lambda method=method: _saved(small, "WEBP", quality=80, method=method))
        size = len(_saved(small, "WEBP", quality=80, method=method))
        print(f"  WebP method {method}: {took:5.1f} ms, {size / 1000:.1f} kB")


def _plain(data: bytes, side: int) -> bytes:
    picture = Image.fromarray(decode(data).pixels)
    scale = side / max(picture.size)
    target = (round(picture.width * scale), round(picture.height * scale))
    return _saved(picture.resize(target, Image.Resampling.LANCZOS), "WEBP", quality=80, method=2)


def _saved(picture: Image.Image, kind: str, **options: int) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def _pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB"), dtype=np.float64)


def _psnr(ours: np.ndarray, plain: np.ndarray) -> str:
    error = float(np.mean((ours - plain) ** 2))
    return f"{10 * np.log10(255**2 / error):.0f} dB" if error else "wholly"


def _medians(*works: Callable[[], object]) -> list[float]:
    times: list[list[float]] = [[] for _ in works]
    for _ in range(_RUNS):
        for work, taken in zip(works, times, strict=True):
            started = time.perf_counter()
            work()
            taken.append(1000 * (time.perf_counter() - started))
    return [statistics.median(taken) for taken in times]


if __name__ == "__main__":
    main()
