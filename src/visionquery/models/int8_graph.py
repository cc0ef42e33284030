"""From a float32 ONNX file to 8 bits: the one user of onnx and of the runtime's quantization.

Weights become int8 with a scale per channel; what goes into them is brought to 8 bits while the
model runs. Convolutions stay in float32. A looked-up table gets a scale per row.
"""

import importlib.util
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import InputError, ModelError
from visionquery.models.session import Session, open_session

__all__ = [
    "Graph",
    "Layer",
    "check_installed",
    "most_sensitive",
    "read_graph",
    "write_int8",
    "write_int8_weights",
]

_EIGHT_BIT_NODES = frozenset(
    {"DynamicQuantizeLinear", "MatMulInteger", "MatMulNBits", "QAttention", "QLinearConv"}
    | {"QLinearMatMul", "QuantizeLinear"}
)
_LEAST_ITEMS = 4096
"""Numbers of a table below which a byte for each saves nothing worth three more nodes."""

_STEPS = 64
"""Of weights, on each side of zero: 7 bits. Processors without VNNI add up pairs of products in
16 bits, which 8-bit weights overflow; with 7 every processor gives the same vectors. Source:
onnxruntime.quantization.quantize_dynamic, `reduce_range`. Of 8 bits lit-tiny gains nothing."""

_WEIGHT_STEPS = 127
"""The same where the arithmetic is float32: all 8 bits."""

_INPUT_STEPS = 255


@dataclass(frozen=True, slots=True)
class Layer:
    """A multiplication with a constant matrix: its node, what goes in, and the matrix, whose
    rows are the outputs where `transposed`."""

    node: str
    input: str
    weight: str
    transposed: bool


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """An ONNX model in memory, and the layers of it that can be brought to 8 bits: none where it
    is in 8 bits already."""

    model: Any
    layers: tuple[Layer, ...]


def check_installed() -> None:
    """Raise InputError when what edits ONNX files is not installed."""
    if importlib.util.find_spec("onnx") is None:
        raise InputError(
            "Making a model of 8 bits needs an extra that is not installed. Install it with: "
            "pip install 'visionquery[quantize]'"
        )


def read_graph(file: Path) -> Graph:
    """Read an ONNX file: float16 weights become float32, large looked-up tables int8.

    Raises ModelError for a file that cannot be read.
    """
    import onnx

    try:
        model = onnx.load(file)
    except Exception as error:  # the library raises nothing narrower
        raise ModelError(f"{file} cannot be read as an ONNX model: {error}.") from error
    if any(node.op_type in _EIGHT_BIT_NODES for node in model.graph.node):
        return Graph(model, ())
    for number, node in enumerate(model.graph.node):
        node.name = node.name or f"node_{number}"
    _widen_weights(model.graph)
    layers = _layers(model.graph)
    _shrink_tables(model.graph, {layer.weight for layer in layers})
    return Graph(model, layers)


def write_int8(graph: Graph, target: Path, *, keep: Collection[Layer], work: Path) -> None:
    """Write a graph with its layers in 8 bits, but for those to `keep`; `work` is a folder for
    what comes between. At least one layer must not be kept.

    Raises ModelError when the runtime's quantization cannot do it.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.quant_utils import add_pre_process_metadata

    add_pre_process_metadata(graph.model)  # Else it advises, on stderr, what was done here.
    plain = work / "plain.onnx"
    onnx.save(graph.model, plain)
    names = [layer.node for layer in graph.layers if layer not in keep]
    try:
        quantize_dynamic(
            plain,
            target,
            op_types_to_quantize=["MatMul", "Gemm"],
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
            # A Gemm is first made a MatMul of this name.
            nodes_to_quantize=[*names, *(f"{name}_MatMul" for name in names)],
        )
    except OSError:
        raise
    except Exception as error:  # it raises nothing narrower
        raise ModelError(f"the runtime cannot bring it to 8 bits: {error}") from error
    plain.unlink()


def write_int8_weights(graph: Graph, target: Path) -> None:
    """Write a graph with its weights at a byte each, and all its arithmetic in float32."""
    import onnx

    model = onnx.ModelProto()
    model.CopyFrom(graph.model)
    for layer in graph.layers:
        _scale_weight(model.graph, layer)
    onnx.save(model, target)


def most_sensitive(
    graph: Graph, feeds: Sequence[Mapping[str, NDArray[np.generic]]], *, work: Path
) -> list[Layer]:
    """Return the layers, those first whose output 8 bits change most, relative to its length, on
    average over the `feeds` of the model."""
    import onnx
    from onnx import numpy_helper

    probe = onnx.ModelProto()
    probe.CopyFrom(graph.model)
    known = {port.name for port in (*probe.graph.output, *probe.graph.input)}
    inputs = list(dict.fromkeys(layer.input for layer in graph.layers))
    probe.graph.output.extend(
        onnx.helper.make_empty_tensor_value_info(name) for name in inputs if name not in known
    )
    file = work / "probe.onnx"
    onnx.save(probe, file)
    weights = {tensor.name: tensor for tensor in graph.model.graph.initializer}
    session = open_session(file)
    damage = dict.fromkeys(graph.layers, 0.0)
    for feed in feeds:
        seen = _values(session, feed, inputs)
        for layer in graph.layers:
            weight = numpy_helper.to_array(weights[layer.weight])
            damage[layer] += _damage(
                np.asarray(seen[layer.input], np.float32), weight.T if layer.transposed else weight
            )
    file.unlink()
    return sorted(graph.layers, key=lambda layer: -damage[layer])


def _values(
    session: Session, feed: Mapping[str, NDArray[np.generic]], names: Sequence[str]
) -> dict[str, NDArray[np.generic]]:
    """Return what flows through a file under some names, all of one run."""
    typed = {name: value.astype(session.inputs[name].dtype) for name, value in feed.items()}
    inner = [name for name in names if name not in feed]
    try:
        found = session.engine.run(inner, typed)
    except Exception as error:  # the runtime raises nothing narrower
        raise ModelError(f"{session.file} failed to run with one row: {error}") from error
    return dict(feed) | dict(zip(inner, found, strict=True))


def _damage(values: NDArray[np.float32], weight: NDArray[np.float32]) -> float:
    """Return how far 8 bits move `values @ weight`, as a share of its length; weight (in, out)."""
    exact = values @ weight
    length = float(np.linalg.norm(exact))
    span = max(float(values.max()), 0.0) - min(float(values.min()), 0.0)
    if length == 0 or span == 0:
        return 0.0
    rounded = _rounded(values, np.float32(span / _INPUT_STEPS))
    coarse = _rounded(weight, _scales(weight, axis=0, steps=_STEPS))
    return float(np.linalg.norm(rounded @ coarse - exact)) / length


def _rounded(
    values: NDArray[np.float32], step: NDArray[np.float32] | np.float32
) -> NDArray[np.float32]:
    return np.asarray(np.round(values / step) * step, np.float32)


def _scales(weight: NDArray[np.float32], *, axis: int, steps: int) -> NDArray[np.float32]:
    largest = np.abs(weight).max(axis=axis, keepdims=True)
    return np.asarray(np.where(largest > 0, largest / steps, 1), np.float32)


def _widen_weights(graph: Any) -> None:
    """Turn constants that a node casts to float32 into float32 ones."""
    import onnx
    from onnx import numpy_helper

    halves = {t.name: t for t in graph.initializer if t.data_type == onnx.TensorProto.FLOAT16}
    for node in list(graph.node):
        if node.op_type == "Cast" and node.input[0] in halves:
            if node.attribute[0].i != onnx.TensorProto.FLOAT:
                continue
            wide = numpy_helper.to_array(halves[node.input[0]]).astype(np.float32)
            graph.initializer.append(numpy_helper.from_array(wide, node.output[0]))
            graph.node.remove(node)
    used = _uses(graph)
    for name, tensor in halves.items():
        if name not in used:
            graph.initializer.remove(tensor)


def _layers(graph: Any) -> tuple[Layer, ...]:
    import onnx

    matrices = {
        tensor.name
        for tensor in graph.initializer
        if len(tensor.dims) == 2 and tensor.data_type == onnx.TensorProto.FLOAT
    }
    return tuple(
        Layer(node.name, node.input[0], node.input[1], _flag(node, "transB"))
        for node in graph.node
        if node.input[1:2] and node.input[1] in matrices and _multiplies(node)
    )


def _multiplies(node: Any) -> bool:
    """Whether a node is a plain multiplication: the runtime makes no other Gemm 8 bits."""
    if node.op_type == "MatMul":
        return True
    plain = all(a.name not in ("alpha", "beta") or a.f == 1 for a in node.attribute)
    return bool(node.op_type == "Gemm" and plain and not _flag(node, "transA"))


def _flag(node: Any, name: str) -> bool:
    return any(attribute.name == name and attribute.i for attribute in node.attribute)


def _uses(graph: Any) -> dict[str, list[Any]]:
    """Return the nodes that take each value."""
    uses: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            uses.setdefault(name, []).append(node)
    return uses


def _shrink_tables(graph: Any, taken: Collection[str]) -> None:
    """Store tables from which rows are looked up at a byte a number, scaled after the look-up."""
    import onnx
    from onnx import numpy_helper

    uses = _uses(graph)
    for tensor in list(graph.initializer):
        users = uses.get(tensor.name, [])
        is_table = tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) == 2
        if not is_table or tensor.name in taken or int(np.prod(tensor.dims)) < _LEAST_ITEMS:
            continue
        if [user.op_type for user in users] == ["Gather"] and not _flag(users[0], "axis"):
            values = numpy_helper.to_array(tensor)
            _replace(graph, tensor, values, _scales(values, axis=1, steps=_WEIGHT_STEPS))
            _look_up(graph, users[0])


def _look_up(graph: Any, node: Any) -> None:
    """Replace the look-up in a table by those in its int8 rows and in their scales."""
    from onnx import TensorProto, helper

    table, indices = node.input
    place = list(graph.node).index(node)
    graph.node.remove(node)
    rows, floats, scales = (f"{table}_{end}" for end in ("rows", "floats", "row_scales"))
    new = [
        helper.make_node("Gather", [f"{table}_int8", indices], [rows], rows),
        helper.make_node("Gather", [f"{table}_scale", indices], [scales], scales),
        helper.make_node("Cast", [rows], [floats], floats, to=TensorProto.FLOAT),
        helper.make_node("Mul", [floats, scales], [node.output[0]], node.name),
    ]
    for offset, node in enumerate(new):
        graph.node.insert(place + offset, node)


def _scale_weight(graph: Any, layer: Layer) -> None:
    """Store a layer's weight at a byte a number. The runtime makes it float32 when it loads the
    file, as it does with all that depends on constants alone."""
    from onnx import TensorProto, helper, numpy_helper

    tensor = next((t for t in graph.initializer if t.name == layer.weight), None)
    if tensor is None:  # Another layer shares it.
        return
    values = numpy_helper.to_array(tensor)
    scales = _scales(values, axis=1 if layer.transposed else 0, steps=_WEIGHT_STEPS)
    _replace(graph, tensor, values, scales)
    floats = f"{layer.weight}_floats"
    cast = helper.make_node("Cast", [f"{layer.weight}_int8"], [floats], to=TensorProto.FLOAT)
    scaled = helper.make_node("Mul", [floats, f"{layer.weight}_scale"], [layer.weight])
    graph.node.insert(0, scaled)
    graph.node.insert(0, cast)


def _replace(
    graph: Any, tensor: Any, values: NDArray[np.float32], scales: NDArray[np.float32]
) -> None:
    from onnx import numpy_helper

    bytes_ = np.round(values / scales).astype(np.int8)
    graph.initializer.remove(tensor)
    for port in [port for port in graph.input if port.name == tensor.name]:
        graph.input.remove(port)  # Old files name their constants as inputs with a default.
    graph.initializer.append(numpy_helper.from_array(bytes_, f"{tensor.name}_int8"))
    graph.initializer.append(numpy_helper.from_array(scales, f"{tensor.name}_scale"))
