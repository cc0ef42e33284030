"""The two towers as ONNX graphs, node by node, their weights under the names of the modules."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from .image_tower import ConvNorm, ImageTower, ResidualBlock
from .settings import EMBED_DIM
from .text_tower import TextTower, TransformerLayer

_OPSET = 17
_IR_VERSION = 8


class Graph:
    """A graph being written down; values are known by name."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[TensorProto] = []

    def weight(self, name: str, values: torch.Tensor) -> str:
        """Store float32 values and return their name."""
        array = values.detach().to(torch.float32).cpu().numpy()
        self._weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def constant(self, name: str, values: npt.ArrayLike, kind: type = np.int64) -> str:
        """Store a constant and return its name."""
        self._weights.append(numpy_helper.from_array(np.asarray(values, kind), name))
        return name

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Add a node with one output and return the output's name."""
        self._nodes.append(helper.make_node(kind, inputs, [output], output, **attributes))
        return output

    def nodes(self, kind: str, inputs: list[str], outputs: list[str], **attributes: Any) -> None:
        """Add a node with several outputs."""
        self._nodes.append(helper.make_node(kind, inputs, outputs, outputs[0], **attributes))

    def linear(self, name: str, layer: nn.Linear, value: str) -> str:
        """Apply a linear layer to (rows, inputs)."""
        weight = self.weight(f"{name}.weight", layer.weight)
        bias = self.weight(f"{name}.bias", layer.bias)
        return self.node("Gemm", [value, weight, bias], f"{name}.out", transB=1)

    def model(
        self, inputs: list[onnx.ValueInfoProto], outputs: list[onnx.ValueInfoProto]
    ) -> onnx.ModelProto:
        """Return the checked model."""
        graph = helper.make_graph(self._nodes, "pocket", inputs, outputs, self._weights)
        opset = [helper.make_opsetid("", _OPSET)]
        model = helper.make_model(graph, opset_imports=opset, producer_name="visionquery")
        model.ir_version = _IR_VERSION
        onnx.checker.check_model(model, full_check=True)
        return model


def image_graph(tower: ImageTower, side: int) -> onnx.ModelProto:
    """Write down an image tower for inputs of `side` pixels, normalization layers folded in."""
    graph = Graph()
    value = _convolution(graph, "stem", tower.stem, "pixel_values")
    value = graph.node("Relu", [value], "stem.relu")
    for index, block in enumerate(tower.blocks):
        assert isinstance(block, ResidualBlock)
        value = _residual(graph, f"blocks.{index}", block, value)
    value = graph.node("GlobalAveragePool", [value], "pooled")
    value = graph.node("Flatten", [value], "pooled.flat")
    value = graph.linear("head", tower.head, value)
    graph.node("LpNormalization", [value], "image_embeds", axis=1, p=2)
    shape: list[str | int | None] = ["batch", 3, side, side]
    return graph.model(
        [helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("image_embeds", TensorProto.FLOAT, ["batch", EMBED_DIM])],
    )


def text_graph(tower: TextTower) -> onnx.ModelProto:
    """Write down a text tower; batch and number of tokens stay open."""
    graph = Graph()
    first = tower.layers[0]
    assert isinstance(first, TransformerLayer)
    width = tower.tokens.embedding_dim
    head = [3, first.heads, width // first.heads]
    shape = graph.node("Shape", ["input_ids"], "shape")
    for name, tail in (("shape.heads", head), ("shape.hidden", [width])):
        graph.node("Concat", [shape, graph.constant(f"{name}.tail", tail)], name, axis=0)
    graph.constant("shape.rows", [-1, width])
    mask = graph.node("Cast", ["attention_mask"], "mask", to=TensorProto.FLOAT)
    _attention_bias(graph, mask)
    value = _embedding(graph, tower, shape)
    for index, layer in enumerate(tower.layers):
        assert isinstance(layer, TransformerLayer)
        value = _layer(graph, f"layers.{index}", layer, value)
    value = _mean(graph, value, mask)
    value = graph.linear("head", tower.head, value)
    graph.node("LpNormalization", [value], "text_embeds", axis=1, p=2)
    tokens = ["batch", "tokens"]
    return graph.model(
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, tokens)
            for name in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info("text_embeds", TensorProto.FLOAT, ["batch", EMBED_DIM])],
    )


def _convolution(graph: Graph, name: str, layer: ConvNorm, value: str) -> str:
    fused = nn.utils.fuse_conv_bn_eval(layer.convolution, layer.norm)
    assert fused.bias is not None
    weight = graph.weight(f"{name}.weight", fused.weight)
    bias = graph.weight(f"{name}.bias", fused.bias)
    side, step, edge = fused.kernel_size[0], fused.stride[0], int(fused.padding[0])
    return graph.node(
        "Conv",
        [value, weight, bias],
        f"{name}.out",
        kernel_shape=[side, side],
        strides=[step, step],
        pads=[edge] * 4,
    )


def _residual(graph: Graph, name: str, block: ResidualBlock, value: str) -> str:
    beside = value
    if block.shortcut is not None:
        if block.stride > 1:
            window = {"kernel_shape": [2, 2], "strides": [2, 2]}
            beside = graph.node("AveragePool", [beside], f"{name}.half", **window)
        beside = _convolution(graph, f"{name}.shortcut", block.shortcut, beside)
    value = _convolution(graph, f"{name}.first", block.first, value)
    value = graph.node("Relu", [value], f"{name}.relu")
    value = _convolution(graph, f"{name}.second", block.second, value)
    value = graph.node("Add", [value, beside], f"{name}.sum")
    return graph.node("Relu", [value], f"{name}.out")


def _attention_bias(graph: Graph, mask: str) -> None:
    """Write `bias` (batch, 1, 1, tokens): 0 where there is a token, -10,000 where there is none."""
    one = graph.constant("one", 1.0, np.float32)
    gap = graph.node("Sub", [mask, one], "gap")
    lifted = graph.node("Unsqueeze", [gap, graph.constant("axes.bias", [1, 2])], "gap.lifted")
    graph.node("Mul", [lifted, graph.constant("far", 1e4, np.float32)], "bias")


def _embedding(graph: Graph, tower: TextTower, shape: str) -> str:
    """Return token plus place vectors as (batch x tokens, width)."""
    table = graph.weight("tokens.weight", tower.tokens.weight)
    places = graph.weight("places.weight", tower.places.weight)
    zero, one, two = (graph.constant(f"int.{number}", [number]) for number in range(3))
    count = graph.node("Slice", [shape, one, two], "count")
    found = graph.node("Gather", [table, "input_ids"], "tokens.found")
    placed = graph.node("Slice", [places, zero, count], "places.found")
    value = graph.node("Add", [found, placed], "embedded")
    return graph.node("Reshape", [value, "shape.rows"], "embedded.rows")


def _layer(graph: Graph, name: str, layer: TransformerLayer, value: str) -> str:
    normed = _normalize(graph, f"{name}.norm_attention", layer.norm_attention, value)
    mixed = _attend(graph, name, layer, normed)
    value = graph.node("Add", [value, mixed], f"{name}.attended")
    normed = _normalize(graph, f"{name}.norm_feed", layer.norm_feed, value)
    inner = _gelu(graph, name, graph.linear(f"{name}.feed_in", layer.feed_in, normed))
    fed = graph.linear(f"{name}.feed_out", layer.feed_out, inner)
    return graph.node("Add", [value, fed], f"{name}.out")


def _attend(graph: Graph, name: str, layer: TransformerLayer, value: str) -> str:
    mixed = graph.linear(f"{name}.mix_in", layer.mix_in, value)
    mixed = graph.node("Reshape", [mixed, "shape.heads"], f"{name}.heads")
    mixed = graph.node("Transpose", [mixed], f"{name}.parts", perm=[2, 0, 3, 1, 4])
    parts = [f"{name}.{part}" for part in ("query", "key", "value")]
    graph.nodes("Split", [mixed], [f"{part}.one" for part in parts], axis=0)
    axis = graph.constant(f"{name}.axis", [0])
    query, key, held = (graph.node("Squeeze", [f"{p}.one", axis], p) for p in parts)
    turned = graph.node("Transpose", [key], f"{name}.key.turned", perm=[0, 1, 3, 2])
    scores = graph.node("MatMul", [query, turned], f"{name}.scores.raw")
    size = layer.mix_out.in_features // layer.heads
    factor = graph.constant(f"{name}.factor", size**-0.5, np.float32)
    scores = graph.node("Mul", [scores, factor], f"{name}.scores")
    scores = graph.node("Add", [scores, "bias"], f"{name}.scores.masked")
    shares = graph.node("Softmax", [scores], f"{name}.shares", axis=-1)
    mixed = graph.node("MatMul", [shares, held], f"{name}.mixed")
    mixed = graph.node("Transpose", [mixed], f"{name}.mixed.turned", perm=[0, 2, 1, 3])
    mixed = graph.node("Reshape", [mixed, "shape.rows"], f"{name}.mixed.rows")
    return graph.linear(f"{name}.mix_out", layer.mix_out, mixed)


def _normalize(graph: Graph, name: str, layer: nn.LayerNorm, value: str) -> str:
    weight = graph.weight(f"{name}.weight", layer.weight)
    bias = graph.weight(f"{name}.bias", layer.bias)
    inputs = [value, weight, bias]
    return graph.node("LayerNormalization", inputs, f"{name}.out", axis=-1, epsilon=layer.eps)


def _gelu(graph: Graph, name: str, value: str) -> str:
    """Source: Hendrycks and Gimpel 2016, "Gaussian Error Linear Units" (exact form)."""
    root = graph.constant(f"{name}.root", 2**0.5, np.float32)
    half = graph.constant(f"{name}.half", 0.5, np.float32)
    whole = graph.constant(f"{name}.whole", 1.0, np.float32)
    part = graph.node("Div", [value, root], f"{name}.gelu.scaled")
    part = graph.node("Erf", [part], f"{name}.gelu.erf")
    part = graph.node("Add", [part, whole], f"{name}.gelu.shifted")
    part = graph.node("Mul", [value, part], f"{name}.gelu.double")
    return graph.node("Mul", [part, half], f"{name}.gelu")


def _mean(graph: Graph, value: str, mask: str) -> str:
    """Return the mean over the tokens that are there, (batch, width)."""
    axes = graph.constant("axes.mean", [1])
    hidden = graph.node("Reshape", [value, "shape.hidden"], "hidden")
    weights = graph.node("Unsqueeze", [mask, graph.constant("axes.last", [2])], "mask.lifted")
    kept = graph.node("Mul", [hidden, weights], "hidden.kept")
    total = graph.node("ReduceSum", [kept, axes], "hidden.total", keepdims=0)
    count = graph.node("ReduceSum", [mask, axes], "mask.count", keepdims=1)
    return graph.node("Div", [total, count], "pooled")
