"""Write the trained towers into a model folder: ONNX, tokenizer, hashes, figures, card."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from .card import write_card
from .checkpoint import load_checkpoint
from .data import load_pictures
from .exported import as_pixels, resized
from .measure import fit_logit_scale, measure
from .onnx_graph import image_graph, text_graph
from .onnx_weights import store_weights_as_int8
from .settings import EMBED_DIM, SIZE_LIMIT_BYTES, ImageRecipe, Places, TextRecipe
from .train_image import averaged_image_tower
from .train_text import averaged_text_tower

_CALIBRATION_PICTURES = 512
_EXACT_NODES = ["stem.out", "head.out"]
"""First and last layer stay in float32: cheap to keep, dear to round."""
_FILES = ("image.onnx", "text.onnx", "tokenizer.json")
_SPEC = """\
name = "pocket"
summary = "VisionQuery's own small image-text encoder, in the box: residual image tower at \
{side} px, English text tower, joint {dim}-d space."
embed_dim = {dim}
logit_scale = {logit_scale:.3f}
languages = ["en"]
license = "Apache-2.0; trained on pictures most of which are under research terms, see CARD.md"

[image]
file = "image.onnx"           # int8 weights and sums, static per-channel quantization
input = "pixel_values"        # float32 (batch, 3, {side}, {side})
output = "image_embeds"       # float32 (batch, {dim}), unit rows
normalized = true
sha256 = "{image}"

[text]
file = "text.onnx"            # int8 weights, float32 arithmetic
inputs = ["input_ids", "attention_mask"]   # int64 (batch, tokens)
output = "text_embeds"        # float32 (batch, {dim}), unit rows
normalized = true
sha256 = "{text}"

[preprocess]
size = {side}
resize = "squash"             # whole picture to a square, aspect not kept
interpolation = "bicubic"
mean = [0.5, 0.5, 0.5]
std = [0.5, 0.5, 0.5]

[tokenizer]
file = "tokenizer.json"       # WordPiece, lowercases, adds [CLS] and [SEP]
context_length = {context_length}
padding = "longest"
sha256 = "{tokenizer}"
"""


def export(places: Places, image: ImageRecipe, text: TextRecipe) -> None:
    """Export both towers, refuse them if the size or the fidelity gate fails, write the card."""
    places.output.mkdir(parents=True, exist_ok=True)
    side = image.sides[-1][1]
    _export_image(places, image, side)
    _export_text(places, text)
    shutil.copy(places.work / "tokenizer.json", places.output / "tokenizer.json")
    _write_spec(places.output, side, text, logit_scale=1.0)
    _write_spec(places.output, side, text, logit_scale=fit_logit_scale(places))
    size = sum((places.output / name).stat().st_size for name in _FILES)
    if size > SIZE_LIMIT_BYTES:
        raise ValueError(f"{places.output} weighs {size} bytes, over {SIZE_LIMIT_BYTES}")
    write_card(places, measure(places))


def _export_image(places: Places, recipe: ImageRecipe, side: int) -> None:
    state = load_checkpoint(places.work / "image.pt", torch.device("cpu"))
    if state is None:
        raise FileNotFoundError(f"no image tower in {places.work}: train it first")
    exact = places.work / "image-fp32.onnx"
    onnx.save(image_graph(averaged_image_tower(recipe, state["average"]), side), exact)
    quantize_static(
        exact,
        places.output / "image.onnx",
        _Calibration(places, side),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        reduce_range=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=_EXACT_NODES,
    )


def _export_text(places: Places, recipe: TextRecipe) -> None:
    state = load_checkpoint(places.work / "text.pt", torch.device("cpu"))
    if state is None:
        raise FileNotFoundError(f"no text tower in {places.work}: train it first")
    model = text_graph(averaged_text_tower(recipe, state["average"]))
    onnx.save(model, places.work / "text-fp32.onnx")
    store_weights_as_int8(model)
    onnx.save(model, places.output / "text.onnx")


class _Calibration(CalibrationDataReader):  # type: ignore[misc]
    """Training pictures, from which the ranges of the sums are read."""

    def __init__(self, places: Places, side: int) -> None:
        pixels = load_pictures(places).pixels
        step = len(pixels) // _CALIBRATION_PICTURES
        chosen = [resized(picture.numpy(), side) for picture in pixels[::step]]
        self._batches: Iterator[npt.NDArray[np.float32]] = iter(
            as_pixels(chosen[start : start + 32]) for start in range(0, len(chosen), 32)
        )

    def get_next(self) -> dict[str, npt.NDArray[np.float32]] | None:
        """Return the next batch, or None after the last."""
        batch = next(self._batches, None)
        return None if batch is None else {"pixel_values": batch}


def _write_spec(folder: Path, side: int, text: TextRecipe, *, logit_scale: float) -> None:
    hashes = {
        Path(name).stem: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in _FILES
    }
    spec = _SPEC.format(
        side=side,
        dim=EMBED_DIM,
        logit_scale=logit_scale,
        context_length=text.context_length,
        **hashes,
    )
    (folder / "model.toml").write_text(spec)
