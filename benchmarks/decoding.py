"""Compare decoding with `min_side` to decoding every pixel: time, and what the encoder sees.

Needs scikit-image for its sample photograph. Runs are interleaved, so that both sides meet the
same disturbances; the median of each is printed with the ratio.
"""

import io
import statistics
import time

import numpy as np
from PIL import Image
from skimage import data

from visionquery.images.decode import decode
from visionquery.types import Pixels

RUNS = 9
MIN_SIDE = 448
MODEL_SIDE = 224
SIZES = {"12 MP": (4000, 3000), "2 MP": (1600, 1200)}
FORMATS = ("JPEG", "PNG", "WEBP")


def sample(size: tuple[int, int], form: str) -> bytes:
    """Return a photograph enlarged to `size` (width, height), with noise as of a sensor."""
    enlarged = Image.fromarray(data.astronaut()).resize(size, Image.Resampling.BICUBIC)
    noise = np.random.default_rng(7).normal(0.0, 6.0, (size[1], size[0], 3))
    pixels = np.clip(np.asarray(enlarged) + noise, 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, quality=92)
    return buffer.getvalue()


def milliseconds(content: bytes, min_side: int | None) -> float:
    """Time one decode."""
    started = time.perf_counter()
    decode(content, min_side=min_side)
    return (time.perf_counter() - started) * 1e3


def as_model_sees(pixels: Pixels) -> np.ndarray:
    """Resize to what an encoder takes, (224, 224, 3)."""
    small = Image.fromarray(pixels).resize((MODEL_SIDE, MODEL_SIDE), Image.Resampling.BICUBIC)
    return np.asarray(small, dtype=np.float64)


def report(name: str, content: bytes) -> str:
    """Measure one picture both ways."""
    pairs = [(milliseconds(content, None), milliseconds(content, MIN_SIDE)) for _ in range(RUNS)]
    full, less = (statistics.median(times) for times in zip(*pairs, strict=True))
    seen = [as_model_sees(decode(content, min_side=side).pixels) for side in (None, MIN_SIDE)]
    difference = np.abs(seen[0] - seen[1]).mean()
    return (
        f"{name:12} every pixel {full:7.1f} ms   min_side={MIN_SIDE} {less:7.1f} ms   "
        f"{full / less:4.1f} x   mean difference {difference:.2f} of 255"
    )


def main() -> None:
    """Print one line per size and format."""
    for size_name, size in SIZES.items():
        for form in FORMATS:
            print(report(f"{size_name} {form}", sample(size, form)), flush=True)


if __name__ == "__main__":
    main()
