"""The exported model folder, run the way the product runs it."""

import time
import tomllib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
from PIL import Image

from .tokenizer import load_tokenizer

Floats = npt.NDArray[np.float32]


class ExportedModel:
    """Both towers of a model folder under onnxruntime."""

    def __init__(self, folder: Path, *, threads: int = 2, image_file: str | None = None) -> None:
        spec = tomllib.loads((folder / "model.toml").read_text())
        self.side = int(spec["preprocess"]["size"])
        tokenizer = spec["tokenizer"]
        self._tokenizer = load_tokenizer(folder / tokenizer["file"], tokenizer["context_length"])
        self._tokenizer.enable_padding()
        self._image = _session(folder / (image_file or spec["image"]["file"]), threads)
        self._text = _session(folder / spec["text"]["file"], threads)

    def embed_images(self, pictures: Sequence[npt.NDArray[np.uint8]]) -> Floats:
        """Embed square uint8 (side, side, 3) pictures as (n, 256), unit rows."""
        parts = [
            self._image.run(None, {"pixel_values": as_pixels(pictures[start : start + 50])})[0]
            for start in range(0, len(pictures), 50)
        ]
        return np.concatenate(parts)

    def embed_texts(self, texts: Sequence[str]) -> Floats:
        """Embed texts as (n, 256), unit rows."""
        parts = [self._text.run(None, self._feeds(texts[i : i + 50])) for i in _starts(texts)]
        return np.concatenate([part[0] for part in parts])

    def image_milliseconds(self, *, repeats: int = 200) -> float:
        """Return the quickest of `repeats` runs of the image tower on one picture."""
        feeds = {"pixel_values": np.zeros((1, 3, self.side, self.side), np.float32)}
        return _quickest(self._image, feeds, repeats)

    def text_milliseconds(self, text: str, *, repeats: int = 200) -> float:
        """Return the quickest of `repeats` runs of the text tower on one text."""
        return _quickest(self._text, self._feeds([text]), repeats)

    def _feeds(self, texts: Sequence[str]) -> dict[str, npt.NDArray[np.int64]]:
        encodings = self._tokenizer.encode_batch(list(texts))
        return {
            "input_ids": np.array([e.ids for e in encodings], np.int64),
            "attention_mask": np.array([e.attention_mask for e in encodings], np.int64),
        }


def as_pixels(pictures: Sequence[npt.NDArray[np.uint8]]) -> Floats:
    """Turn uint8 pictures (side, side, 3) into float32 (n, 3, side, side) in -1..1."""
    stacked: Floats = np.stack(list(pictures)).transpose(0, 3, 1, 2).astype(np.float32)
    stacked /= 127.5
    stacked -= 1.0
    return np.ascontiguousarray(stacked)


def resized(pixels: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.uint8]:
    """Resize one uint8 (h, w, 3) picture to (side, side, 3), bicubic."""
    image = Image.fromarray(pixels)
    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC))


def _session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _starts(texts: Sequence[str]) -> range:
    return range(0, len(texts), 50)


def _quickest(
    session: onnxruntime.InferenceSession,
    feeds: dict[str, npt.NDArray[np.float32]] | dict[str, npt.NDArray[np.int64]],
    repeats: int,
) -> float:
    spans: list[float] = []
    for _ in range(repeats):
        began = time.perf_counter()
        session.run(None, feeds)
        spans.append(time.perf_counter() - began)
    return 1000 * min(spans)
