"""A real, tiny dual encoder of colours, for tests: "red" finds red pictures.

The image tower assigns every pixel softly to named colours and averages, whole and by quarter of
the picture; the text tower adds up what its words mean. Words that are no colours mean nothing.
"""

import hashlib
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

__all__ = ["COLOURS", "make_tiny_model"]

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (205, 30, 35),
    "orange": (240, 135, 30),
    "yellow": (235, 215, 45),
    "green": (35, 150, 50),
    "blue": (30, 60, 200),
    "purple": (130, 50, 160),
    "pink": (245, 150, 190),
    "white": (245, 245, 245),
    "grey": (128, 128, 128),
    "black": (15, 15, 15),
}
"""The colours that the model knows, as 8-bit red, green, blue."""

_OTHER_NAMES = {"scarlet": "red", "violet": "purple", "gray": "grey", "dark": "black"}
_PLAIN_WORDS = ("a", "an", "the", "of", "picture", "photo", "in", "and", "with", "colour")
_SIDE = 32
_EMBED_DIM = 24
_SHARPNESS = 12.0
_LAYOUT_WEIGHT = 0.05
_NEUTRAL = 0.1

_DESCRIPTION = """\
name = "{name}"
summary = "A generated model of colours, for tests."
embed_dim = {embed_dim}
logit_scale = 20.0
languages = ["en"]
license = "Apache-2.0"

[image]
file = "image.onnx"
input = "pixel_values"
output = "image_embeds"
normalized = true
sha256 = "{image}"

[text]
file = "text.onnx"
inputs = ["input_ids", "attention_mask"]
output = "text_embeds"
normalized = true
sha256 = "{text}"

[preprocess]
size = {side}
resize = "squash"
interpolation = "bicubic"
mean = [0.5, 0.5, 0.5]
std = [0.5, 0.5, 0.5]

[tokenizer]
file = "tokenizer.json"
context_length = 32
padding = "longest"
sha256 = "{tokenizer}"
"""


def make_tiny_model(folder: Path, *, seed: int = 0) -> Path:
    """Write a model folder of about 20 kB and return it; the same bytes for the same `seed`.

    Another `seed` gives a model with another fingerprint whose vectors do not compare.
    Raises ImportError where the package onnx is not installed (extra `testing`).
    """
    folder.mkdir(parents=True, exist_ok=True)
    space = _space(seed)
    words = _words()
    contents = {
        "image": _image_tower(space),
        "text": _text_tower(space, words),
        "tokenizer": _tokenizer(words),
    }
    for (name, content), end in zip(contents.items(), ("onnx", "onnx", "json"), strict=True):
        (folder / f"{name}.{end}").write_bytes(content)
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    description = _DESCRIPTION.format(
        name=f"tiny-{seed}" if seed else "tiny", embed_dim=_EMBED_DIM, side=_SIDE, **hashes
    )
    (folder / "model.toml").write_text(description, encoding="utf-8")
    return folder


def _words() -> list[str]:
    return ["[PAD]", "[UNK]", *COLOURS, *_OTHER_NAMES, *_PLAIN_WORDS]


def _space(seed: int) -> NDArray[np.float32]:
    """Return (features, embed_dim): colour shares, the constant, then shares by quarter."""
    random = np.random.default_rng(seed)
    colours = len(COLOURS)
    space = np.zeros((colours + 1 + 4 * colours, _EMBED_DIM), np.float32)
    space[: colours + 1, : colours + 1] = np.eye(colours + 1)
    signs = random.choice([-1, 1], (4 * colours, _EMBED_DIM - colours - 1))
    space[colours + 1 :, colours + 1 :] = _LAYOUT_WEIGHT * signs
    # Signed and shuffled axes keep all angles and need no arithmetic that differs by machine.
    shuffled = space[:, random.permutation(_EMBED_DIM)]
    return np.asarray(shuffled * random.choice([-1, 1], _EMBED_DIM), np.float32)


def _text_tower(space: NDArray[np.float32], words: list[str]) -> bytes:
    table = np.zeros((len(words), _EMBED_DIM), np.float32)
    names = list(COLOURS)
    for index, word in enumerate(words):
        colour = _OTHER_NAMES.get(word, word)
        if colour in COLOURS:
            table[index] = space[names.index(colour)]
    neutral = _NEUTRAL * space[len(COLOURS)]
    return _graph(
        nodes=[
            ("Gather", ["table", "input_ids"], "meanings", {"axis": 0}),
            ("Cast", ["attention_mask"], "counts", {"to": 1}),
            ("Unsqueeze", ["counts", "last"], "weights", {}),
            ("Mul", ["meanings", "weights"], "weighed", {}),
            ("ReduceSum", ["weighed", "tokens"], "sum", {"keepdims": 0}),
            ("Add", ["sum", "neutral"], "raw", {}),
            ("LpNormalization", ["raw"], "text_embeds", {"axis": 1, "p": 2}),
        ],
        constants={
            "table": table,
            "neutral": neutral,
            "last": np.array([2], np.int64),
            "tokens": np.array([1], np.int64),
        },
        inputs={name: (7, ["batch", "tokens"]) for name in ("input_ids", "attention_mask")},
        output="text_embeds",
    )


def _image_tower(space: NDArray[np.float32]) -> bytes:
    centres = np.array(list(COLOURS.values()), np.float32) / np.float32(127.5) - 1
    colours = len(centres)
    # Softmax of the negative squared distance; the pixel's own length is the same for all colours.
    nearness = 2 * _SHARPNESS * centres[:, :, None, None]
    half = [_SIDE // 2, _SIDE // 2]
    return _graph(
        nodes=[
            ("Conv", ["pixel_values", "nearness", "offset"], "scores", {}),
            ("Softmax", ["scores"], "assigned", {"axis": 1}),
            ("GlobalAveragePool", ["assigned"], "mean", {}),
            ("AveragePool", ["assigned"], "quarters", {"kernel_shape": half, "strides": half}),
            ("Sub", ["quarters", "mean"], "layout", {}),
            ("Flatten", ["mean"], "shares", {"axis": 1}),
            ("Flatten", ["layout"], "places", {"axis": 1}),
            ("MatMul", ["shares", "colour_axes"], "by_colour", {}),
            ("MatMul", ["places", "layout_axes"], "by_place", {}),
            ("Add", ["by_colour", "by_place"], "joined", {}),
            ("Add", ["joined", "neutral"], "raw", {}),
            ("LpNormalization", ["raw"], "image_embeds", {"axis": 1, "p": 2}),
        ],
        constants={
            "nearness": nearness.astype(np.float32),
            "offset": (-_SHARPNESS * (centres**2).sum(axis=1)).astype(np.float32),
            "colour_axes": space[:colours],
            "layout_axes": space[colours + 1 :],
            "neutral": _NEUTRAL * space[colours],
        },
        inputs={"pixel_values": (1, ["batch", 3, _SIDE, _SIDE])},
        output="image_embeds",
    )


def _graph(
    *,
    nodes: list[tuple[str, list[str], str, dict[str, object]]],
    constants: dict[str, NDArray[np.generic]],
    inputs: dict[str, tuple[int, list[str | int]]],
    output: str,
) -> bytes:
    onnx = _onnx()
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node(op, names, [result], **options)
         for op, names, result, options in nodes],
        "tower",
        [onnx.helper.make_tensor_value_info(name, kind, shape)
         for name, (kind, shape) in inputs.items()],
        [onnx.helper.make_tensor_value_info(output, 1, ["batch", _EMBED_DIM])],
        [onnx.numpy_helper.from_array(np.ascontiguousarray(value), name)
         for name, value in constants.items()],
    )
    # An old version of the format, so that every supported runtime reads it.
    model = onnx.helper.make_model(
        graph, ir_version=8, opset_imports=[onnx.helper.make_opsetid("", 17)]
    )
    return bytes(model.SerializeToString(deterministic=True))


def _onnx() -> ModuleType:
    try:
        import onnx
        import onnx.helper
        import onnx.numpy_helper
    except ImportError as error:
        raise ImportError(
            "A tiny model is made with the package onnx, which is not installed; "
            "run: pip install 'visionquery[testing]'"
        ) from error
    return onnx


def _tokenizer(words: list[str]) -> bytes:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return str(tokenizer.to_str(pretty=True)).encode()
