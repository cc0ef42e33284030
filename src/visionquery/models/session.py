"""Running an ONNX file: the one place that knows the runtime."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import ModelError

if TYPE_CHECKING:
    import onnxruntime

__all__ = ["PREFERRED_PROVIDERS", "Port", "Session", "open_session"]

PREFERRED_PROVIDERS = (
    "CUDAExecutionProvider",
    "CoreMLExecutionProvider",
    "OpenVINOExecutionProvider",
    "DmlExecutionProvider",
)
"""Where to run when the installed runtime offers it, best first; the CPU is always the last."""

_CPU = "CPUExecutionProvider"
_FATAL_ONLY = 4
_TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output as the file declares it. `shape` has a name where any length goes that
    is the same wherever the name is, and None where any length goes."""

    name: str
    shape: tuple[int | str | None, ...]
    dtype: np.dtype[np.generic]


@dataclass(frozen=True, slots=True)
class Session:
    """An ONNX file ready to run. `provider` is what it runs on. Safe in several threads."""

    file: Path
    inputs: Mapping[str, Port]
    outputs: Mapping[str, Port]
    provider: str
    engine: "onnxruntime.InferenceSession"

    def check(self, *, required: str, known: Sequence[str], output: str) -> None:
        """Raise ModelError unless the file takes `required`, demands nothing that is not among
        `known`, and gives `output`."""
        surplus = [name for name in self.inputs if name not in known]
        if required in self.inputs and not surplus and output in self.outputs:
            return
        raise ModelError(
            f"{self.file} does not fit its description: it has the inputs "
            f"{', '.join(self.inputs)} and the outputs {', '.join(self.outputs)}, but the "
            f"description names the inputs {', '.join(known)} and the output {output}."
        )

    def run(self, feeds: Mapping[str, NDArray[np.generic]], output: str) -> NDArray[np.float32]:
        """Compute one output, as float32. Feeds are cast to the types that the file declares; an
        input that is not fed gets the smallest array of zeros that its shape allows, which is
        right only for an input that `output` does not depend on (files with two towers).

        Raises ModelError when the run fails, as with arrays of a shape that does not fit.
        """
        complete = {
            name: feeds[name].astype(port.dtype, copy=False)
            for name, port in self.inputs.items()
            if name in feeds
        }
        lengths: dict[int | str | None, int] = {}
        for name, array in complete.items():
            lengths |= dict(zip(self.inputs[name].shape, array.shape, strict=False))
        for name in set(self.inputs) - set(complete):
            complete[name] = _zeros(self.inputs[name], lengths)
        try:
            (result,) = self.engine.run([output], complete, _only_what_is_asked())
        except Exception as error:  # the runtime raises nothing narrower
            raise ModelError(f"{self.file} failed to run on {self.provider}: {error}") from error
        return np.asarray(result, np.float32)


def open_session(
    file: Path,
    *,
    threads: int = 0,
    tuned_for: Literal["batches", "first_answer"] = "batches",
    providers: Sequence[str] = PREFERRED_PROVIDERS,
) -> Session:
    """Open an ONNX file on the first of `providers` that is there and works, else on the CPU.

    `threads` is how many compute, 0 for one per core. `first_answer` opens sooner and does not
    keep cores busy between runs, `batches` computes faster.
    Raises ModelError for a file that the runtime cannot load.
    """
    import onnxruntime

    onnxruntime.set_default_logger_severity(_FATAL_ONLY)
    options = _options(threads, tuned_for)
    offered = onnxruntime.get_available_providers()
    for provider in [name for name in providers if name in offered]:
        try:
            return _open(file, options, [provider, _CPU])
        except Exception:  # a driver that is absent or too old: the CPU does as well
            continue
    try:
        return _open(file, options, [_CPU])
    except Exception as error:  # the runtime raises nothing narrower
        raise ModelError(
            f"{file} cannot be loaded as an ONNX model: {str(error).strip()} "
            "Fetch or copy the model again."
        ) from error


def _open(
    file: Path, options: "onnxruntime.SessionOptions", providers: Sequence[str]
) -> Session:
    import onnxruntime

    engine = onnxruntime.InferenceSession(
        str(file), options, providers=list(providers), enable_fallback=0
    )
    return Session(
        file=file,
        inputs={port.name: _port(port) for port in engine.get_inputs()},
        outputs={port.name: _port(port) for port in engine.get_outputs()},
        provider=engine.get_providers()[0],
        engine=engine,
    )


def _options(
    threads: int, tuned_for: Literal["batches", "first_answer"]
) -> "onnxruntime.SessionOptions":
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL_ONLY
    options.intra_op_num_threads = threads
    if tuned_for == "first_answer":
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _only_what_is_asked() -> "onnxruntime.RunOptions":
    import onnxruntime

    options = onnxruntime.RunOptions()
    options.log_severity_level = _FATAL_ONLY
    options.only_execute_path_to_fetches = True
    return options


def _port(port: "onnxruntime.NodeArg") -> Port:
    shape = tuple(port.shape or ())
    return Port(port.name, shape, np.dtype(_TYPES.get(port.type, np.float32)))


def _zeros(port: Port, lengths: Mapping[int | str | None, int]) -> NDArray[np.generic]:
    # The runtime shares memory between arrays whose named lengths agree, so they must agree.
    shape = [
        length if isinstance(length, int) else lengths.get(length, 1) if length else 1
        for length in port.shape
    ]
    return np.zeros(shape, port.dtype)
