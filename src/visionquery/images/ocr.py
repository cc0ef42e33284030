"""Text inside pictures, read on this machine: the one door to the library that reads it.

The library (the extra `ocr`) has its models in its package. They are named here one by one, so
that it never looks for others, which it would fetch from the network.
"""

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import InputError, ModelError, UnreadableImageError
from visionquery.images.text import clean
from visionquery.types import Pixels

__all__ = ["MIN_SIDE", "TextReader", "check_installed", "open_reader"]

MIN_SIDE = 1280
"""What a decoder is to keep of both sides, in pixels, for a reader to see all that it can use."""

_MAX_PIXELS = 1280 * 960
"""In proportion to which the time grows. 960 × 720 finds 1.3 words of 100 less, 1600 × 1200 0.7
more, nearly all of them in the smallest letters."""

_MAX_ENLARGEMENT = 2.0
"""How far a small picture is enlarged: the letters of thumbnails and icons are too small else."""

_LEAST_SIDE = 8
"""Pixels that a letter needs."""

_MIN_SCORE = 0.8
"""Confidence of a line, 0..1. Of 200 photographs 0.5 lets 33 lines through, 6 of them text; 0.8
lets 8, the same 6 among them, and loses no word of 136 drawn pictures."""

_MODELS = {
    "Det": "PP-OCRv6_det_small.onnx",
    "Cls": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
    "Rec": "PP-OCRv6_rec_small.onnx",
}


class TextReader(Protocol):
    """What reads the text in pictures. Safe in several threads."""

    def read(self, pixels: Pixels) -> str:
        """Return the lines of text in a picture, in reading order, joined by newlines; "" when
        there are none. Raises ImageError when this picture cannot be read."""


class _PackagedReader:
    """Reads with the models of the installed library."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def read(self, pixels: Pixels) -> str:
        fitted = _fitted(pixels)
        if min(fitted.shape[:2]) < _LEAST_SIDE:
            return ""
        try:
            found = self._engine(np.ascontiguousarray(fitted[:, :, ::-1]))  # it takes BGR
            boxes, lines = found.boxes, found.txts
        except Exception as error:  # whatever numbers and images its own libraries refuse
            why = clean(str(error), max_chars=100) or type(error).__name__
            raise UnreadableImageError(f"the text in it cannot be read: {why}") from error
        if boxes is None or lines is None:
            return ""
        ordered = (lines[index].strip() for index in _in_reading_order(np.asarray(boxes)))
        return "\n".join(line for line in ordered if line)


def check_installed() -> None:
    """Raise InputError when the library that reads text is not installed."""
    if importlib.util.find_spec("rapidocr") is None:
        raise InputError(
            "Reading the text in pictures needs an extra that is not installed. Install it with: "
            "pip install 'visionquery[ocr]'"
        )


def open_reader(*, threads: int = 0) -> TextReader:
    """Load the models and return a reader that uses `threads` for one picture, 0 for all cores.

    For many pictures, a reader of one thread that is called from several is faster. Raises
    InputError when the library is not installed, and ModelError when its models do not work.
    """
    check_installed()
    cores = os.cpu_count() or 1
    try:
        engine = _engine(threads=min(threads or cores, cores))
        engine(_sample())  # Models are loaded at first need: a broken one must not wait till then.
    except Exception as error:
        raise ModelError(
            f"The reader of text in pictures does not work: {clean(str(error), max_chars=300)}. "
            "Install it again: pip install --force-reinstall rapidocr"
        ) from error
    return _PackagedReader(engine)


def _engine(*, threads: int) -> Any:
    is_first = "cv2" not in sys.modules
    import rapidocr

    if is_first:  # Nobody else in this process resizes with it, and the threads are ours to count.
        import cv2

        cv2.setNumThreads(1)
    folder = Path(rapidocr.__file__).parent / "models"
    settings = {
        "Global.log_level": "critical",
        "Global.text_score": _MIN_SCORE,
        "Global.use_preprocess_img": False,
        "Global.use_vertical_padding": False,  # It makes millions of pixels of a long, flat one.
        "Det.limit_type": "max",
        "Det.limit_side_len": _MAX_PIXELS // _LEAST_SIDE,  # Pictures come in their right size.
        "EngineConfig.onnxruntime.intra_op_num_threads": threads,
        "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    }
    models = {f"{part}.model_path": str(folder / name) for part, name in _MODELS.items()}
    return rapidocr.RapidOCR(params=settings | models)


def _sample() -> NDArray[np.uint8]:
    """Draw a word, (height, width, 3), so that the reader has something to find."""
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", (56, 24), "white")
    ImageDraw.Draw(picture).text((8, 6), "sample", fill="black")
    return np.asarray(picture.resize((168, 72), Image.Resampling.BICUBIC))


def _fitted(pixels: Pixels) -> Pixels:
    """Resize a picture, (height, width, 3), to the number of pixels that the reader is best at."""
    from PIL import Image

    height, width = pixels.shape[:2]
    scale = min((_MAX_PIXELS / (width * height)) ** 0.5, _MAX_ENLARGEMENT)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if size == (width, height):
        return pixels
    picture = Image.fromarray(pixels)
    return np.asarray(picture.resize(size, Image.Resampling.BICUBIC))


def _in_reading_order(boxes: NDArray[Any]) -> list[int]:
    """Return the indices of lines row by row from above, each row from the left.

    `boxes` are their corners, (n, 4, 2), clockwise from the top left of the writing. Lines are in
    one row when their middles differ by less than half of the lower one's height.
    """
    heights = np.linalg.norm(boxes[:, 3] - boxes[:, 0], axis=1)
    middles = boxes[:, :, 1].mean(axis=1)
    lefts = boxes[:, :, 0].min(axis=1)
    rows: list[list[int]] = []
    for index in np.argsort(middles, kind="stable").tolist():
        above = rows[-1][0] if rows else None
        if above is not None and (
            middles[index] - middles[above] < min(heights[index], heights[above]) / 2
        ):
            rows[-1].append(index)
        else:
            rows.append([index])
    return [index for row in rows for index in sorted(row, key=lefts.__getitem__)]
