"""Weights into ONNX files at one byte each, and back out of them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Floats = npt.NDArray[np.float32]

_LEAST_ITEMS = 4096


def store_weights_as_int8(model: onnx.ModelProto) -> None:
    """Replace every large matrix of `model` by int8 and one scale a column; sums stay float32.

    A looked-up table gets one scale a row and is scaled after the look-up.
    Source: Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference" (symmetric, per channel).
    """
    graph = model.graph
    for tensor in [t for t in graph.initializer if _is_matrix(t)]:
        user = next(node for node in graph.node if tensor.name in node.input)
        if user.op_type == "Gather":
            _scale_after_gather(graph, tensor, user)
        else:
            axis = 0 if user.op_type == "Gemm" and _transposed(user) else 1
            _scale_before(graph, tensor, user, axis)


def read_weights(path: Path) -> dict[str, Floats]:
    """Return the initializers of an exported file by their name in the module, as float32.

    Undoes both this module's int8 form and that of onnxruntime's static quantization.
    """
    stored = {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    return dict(_restored(stored))


def _restored(stored: dict[str, npt.NDArray[np.generic]]) -> Iterator[tuple[str, Floats]]:
    for name, array in stored.items():
        plain = name.removesuffix("_quantized")
        scale = stored.get(f"{plain}_quantized_scale", stored.get(f"{plain}_scale"))
        if array.dtype in (np.int8, np.int32) and name.endswith("_quantized") and scale is not None:
            yield plain, array.astype(np.float32) * _along_channels(scale, array)
        elif array.dtype in (np.float32, np.float16):
            yield name, array.astype(np.float32)


def _along_channels(scale: npt.NDArray[np.generic], array: npt.NDArray[np.generic]) -> Floats:
    """Shape `scale` so that it multiplies the axis of `array` that has its length."""
    values = scale.astype(np.float32).reshape(-1)
    if len(values) == 1 or array.ndim == 1:
        return values
    axis = next(axis for axis, size in enumerate(array.shape) if size == len(values))
    return values.reshape([-1 if place == axis else 1 for place in range(array.ndim)])


def _is_matrix(tensor: TensorProto) -> bool:
    return len(tensor.dims) == 2 and int(np.prod(tensor.dims)) >= _LEAST_ITEMS


def _transposed(node: onnx.NodeProto) -> bool:
    return any(a.name == "transB" and a.i == 1 for a in node.attribute)


def _quantized(tensor: TensorProto, axis: int) -> tuple[npt.NDArray[np.int8], Floats]:
    """Return int8 values and float32 scales that keep `axis` apart."""
    values = numpy_helper.to_array(tensor).astype(np.float32)
    scale = np.abs(values).max(axis=1 - axis, keepdims=True) / 127 + 1e-12
    return np.round(values / scale).astype(np.int8), scale.astype(np.float32)


def _swap(
    graph: onnx.GraphProto, tensor: TensorProto, *new: tuple[str, npt.NDArray[np.generic]]
) -> None:
    graph.initializer.remove(tensor)
    graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in new)


def _scale_before(
    graph: onnx.GraphProto, tensor: TensorProto, user: onnx.NodeProto, axis: int
) -> None:
    name = tensor.name
    values, scale = _quantized(tensor, axis)
    parts = [f"{name}_quantized", f"{name}_scale"]
    _swap(graph, tensor, (parts[0], values), (parts[1], scale.reshape(-1)))
    node = helper.make_node("DequantizeLinear", parts, [name], axis=axis)
    graph.node.insert(list(graph.node).index(user), node)


def _scale_after_gather(graph: onnx.GraphProto, tensor: TensorProto, user: onnx.NodeProto) -> None:
    name, indices, found = tensor.name, user.input[1], user.output[0]
    values, scale = _quantized(tensor, 0)
    _swap(graph, tensor, (f"{name}_quantized", values), (f"{name}_scale", scale))
    place = list(graph.node).index(user)
    graph.node.remove(user)
    nodes = [
        helper.make_node("Gather", [f"{name}_quantized", indices], [f"{name}_rows"]),
        helper.make_node("Gather", [f"{name}_scale", indices], [f"{name}_row_scales"]),
        helper.make_node("Cast", [f"{name}_rows"], [f"{name}_floats"], to=TensorProto.FLOAT),
        helper.make_node("Mul", [f"{name}_floats", f"{name}_row_scales"], [found]),
    ]
    for offset, node in enumerate(nodes):
        graph.node.insert(place + offset, node)
