"""The image tower in the box beside one of the size of ViT-B/32 in int8, on the same machine.

    python benchmarks/image_tower.py

Weights of the large tower are not needed to time it: a graph of its shape (12 layers, width 768,
12 heads, 50 tokens of 224-pixel pictures) is made with random ones and quantized as published files
are (dynamic, per channel). Medians of interleaved runs, batches of 8. Floor: as fast; aim: 5 times.
"""

import logging
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import quantize_dynamic

from visionquery.models.catalog import resolve
from visionquery.models.encoder import load_encoder
from visionquery.models.session import open_session

WIDTH, HEADS, LAYERS, TOKENS, PATCH, SIDE = 768, 12, 12, 50, 32, 224
BATCH, RUNS = 8, 15


class Graph:
    """Nodes and random weights of a transformer, added one after another."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.rng = np.random.default_rng(0)

    def weight(self, *shape: int) -> str:
        name = f"w{len(self.weights)}"
        value = self.rng.normal(0, 0.02, shape).astype(np.float32)
        self.weights.append(numpy_helper.from_array(value, name))
        return name

    def shape(self, *values: int) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.array(values, np.int64), name))
        return name

    def add(self, kind: str, *inputs: str, **options: object) -> str:
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **options))
        return name

    def linear(self, x: str, wide: int, out: int) -> str:
        return self.add("Add", self.add("MatMul", x, self.weight(wide, out)), self.weight(out))

    def norm(self, x: str) -> str:
        return self.add("LayerNormalization", x, self.weight(WIDTH), self.weight(WIDTH))

    def heads(self, x: str, order: list[int]) -> str:
        split = self.add("Reshape", x, self.shape(0, 0, HEADS, WIDTH // HEADS))
        return self.add("Transpose", split, perm=order)

    def layer(self, x: str) -> str:
        y = self.norm(x)
        q = self.heads(self.linear(y, WIDTH, WIDTH), [0, 2, 1, 3])
        k = self.heads(self.linear(y, WIDTH, WIDTH), [0, 2, 3, 1])
        v = self.heads(self.linear(y, WIDTH, WIDTH), [0, 2, 1, 3])
        seen = self.add("MatMul", self.add("Softmax", self.add("MatMul", q, k), axis=-1), v)
        joined = self.add("Transpose", seen, perm=[0, 2, 1, 3])
        flat = self.add("Reshape", joined, self.shape(0, 0, WIDTH))
        x = self.add("Add", x, self.linear(flat, WIDTH, WIDTH))
        inner = self.linear(self.norm(x), WIDTH, 4 * WIDTH)
        gate = self.add("Mul", inner, self.add("Sigmoid", inner))
        return self.add("Add", x, self.linear(gate, 4 * WIDTH, WIDTH))


def large_tower(folder: Path) -> Path:
    """Write the tower and its int8 form; return the latter."""
    graph = Graph()
    kernel = graph.weight(WIDTH, 3, PATCH, PATCH)
    patches = graph.add("Conv", "pixel_values", kernel, strides=[PATCH, PATCH])
    flat = graph.add("Reshape", patches, graph.shape(0, WIDTH, TOKENS - 1))
    tokens = graph.add("Transpose", flat, perm=[0, 2, 1])
    x = graph.add("Pad", tokens, graph.shape(0, 1, 0, 0, 0, 0))  # the class token's place
    for _ in range(LAYERS):
        x = graph.layer(x)
    mean = graph.add("ReduceMean", graph.norm(x), graph.shape(1), keepdims=0)
    result = graph.add("MatMul", mean, graph.weight(WIDTH, 512))
    made = helper.make_graph(
        graph.nodes, "vit-b-32",
        [helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info(result, TensorProto.FLOAT, ["n", 512])], graph.weights,
    )
    opsets = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(made, ir_version=9, opset_imports=opsets), folder / "fp32.onnx")
    quantize_dynamic(folder / "fp32.onnx", folder / "int8.onnx", per_channel=True)
    return folder / "int8.onnx"


def main() -> None:
    """Measure both, taking turns, and print the ratio."""
    logging.disable(logging.WARNING)
    ours = load_encoder(resolve("pocket"))
    small = np.zeros((BATCH, 3, ours.image_side, ours.image_side), np.float32)
    big = np.zeros((BATCH, 3, SIDE, SIDE), np.float32)
    with tempfile.TemporaryDirectory() as folder:
        session = open_session(large_tower(Path(folder)), threads=0, tuned_for="batches")
        (output,) = session.outputs
        times: dict[str, list[float]] = {"ViT-B/32 int8": [], "pocket": []}
        for _ in range(RUNS + 1):
            for name, work in (
                ("ViT-B/32 int8", lambda: session.run({"pixel_values": big}, output)),
                ("pocket", lambda: ours.encode_images(small)),
            ):
                started = time.perf_counter()
                work()
                times[name].append((time.perf_counter() - started) / BATCH)
    medians = {name: statistics.median(runs[1:]) * 1000 for name, runs in times.items()}
    for name, median in medians.items():
        print(f"{name:14} {median:6.1f} ms a picture")
    print(f"pocket is {medians['ViT-B/32 int8'] / medians['pocket']:.1f} times as fast (aim: 5)")


if __name__ == "__main__":
    main()
