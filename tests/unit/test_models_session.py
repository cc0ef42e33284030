"""The runtime: ports read from the file, wrong files refused, providers dropped when they fail."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from visionquery.errors import ModelError
from visionquery.models.session import open_session

FLOAT, HALF, INT = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT64


def save(path, nodes, inputs, outputs):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in inputs],
        [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in outputs],
    )
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    onnx.save(model, path)
    return path


@pytest.fixture
def doubled(tmp_path):
    return save(
        tmp_path / "double.onnx",
        [helper.make_node("Add", ["x", "x"], ["y"])],
        [("x", HALF, ["n", 3])],
        [("y", HALF, ["n", 3])],
    )


def test_ports_are_read_and_types_cast(doubled):
    session = open_session(doubled, threads=1)
    assert session.inputs["x"].shape == ("n", 3)
    assert session.inputs["x"].dtype == np.float16
    found = session.run({"x": np.ones((2, 3), np.float32)}, "y")
    assert found.dtype == np.float32
    assert found.tolist() == [[2.0] * 3] * 2


def test_names_that_do_not_fit_tell_what_the_file_has(doubled):
    session = open_session(doubled)
    session.check(required="x", known=["x"], output="y")
    for wrong in (
        {"required": "z", "known": ["z"], "output": "y"},
        {"required": "x", "known": ["x"], "output": "z"},
    ):
        with pytest.raises(ModelError, match=r"inputs x and the outputs y.*z"):
            session.check(**wrong)


def test_an_input_that_the_description_does_not_name_is_refused(tmp_path):
    file = save(
        tmp_path / "two.onnx",
        [helper.make_node("Add", ["a", "b"], ["y"])],
        [("a", FLOAT, ["n"]), ("b", FLOAT, ["n"])],
        [("y", FLOAT, ["n"])],
    )
    with pytest.raises(ModelError, match="inputs a, b"):
        open_session(file).check(required="a", known=["a"], output="y")


@pytest.mark.parametrize("content", [b"", b"not a model", bytes(range(256)) * 40])
def test_a_broken_file_is_a_model_error(tmp_path, content):
    file = tmp_path / "broken.onnx"
    file.write_bytes(content)
    with pytest.raises(ModelError, match=r"broken\.onnx"):
        open_session(file)


def test_a_cut_file_is_a_model_error(doubled):
    doubled.write_bytes(doubled.read_bytes()[:-20])
    with pytest.raises(ModelError):
        open_session(doubled).run({"x": np.ones((1, 3))}, "y")


def test_a_shape_that_does_not_fit_is_a_model_error(doubled):
    with pytest.raises(ModelError, match="failed to run"):
        open_session(doubled).run({"x": np.ones((2, 5), np.float32)}, "y")


def test_a_provider_that_is_offered_but_fails_gives_way_to_the_cpu(doubled, monkeypatch, capfd):
    """The runtime says that it has CUDA, as its build for it does where there is no driver."""
    real = onnxruntime.get_available_providers()
    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", *real]
    )
    session = open_session(doubled)
    assert session.provider == "CPUExecutionProvider"
    assert session.run({"x": np.ones((1, 3), np.float32)}, "y").tolist() == [[2.0] * 3]
    assert capfd.readouterr() == ("", "")


def test_a_provider_that_is_not_offered_is_not_tried(doubled):
    assert open_session(doubled, providers=["Fancy"]).provider == "CPUExecutionProvider"


def test_only_the_way_to_the_asked_output_is_computed(tmp_path):
    """The other half would fail on the zeros that stand in for its input."""
    file = save(
        tmp_path / "both.onnx",
        [
            helper.make_node("Identity", ["a"], ["x"]),
            helper.make_node("Gather", ["b", "i"], ["y"]),
        ],
        [("a", FLOAT, ["n"]), ("b", FLOAT, ["m"]), ("i", INT, [1])],
        [("x", FLOAT, ["n"]), ("y", FLOAT, [1])],
    )
    session = open_session(file)
    assert session.run({"a": np.array([1.0, 2.0], np.float32)}, "x").tolist() == [1.0, 2.0]
    with pytest.raises(ModelError):
        session.run({"i": np.array([5])}, "y")
