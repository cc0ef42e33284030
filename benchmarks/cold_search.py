"""A search in a new process, beside the bare cost of what it cannot do without.

Bare: import onnxruntime and tokenizers, create the text session, run it once, read the vectors.
Ours: `visionquery search QUERY` on a library of the same images. The two alternate; medians.
One run of each comes before, uncounted: it leaves their compiled modules in a folder of their own,
so that none is compiled anew in every run where the environment forbids Python to keep them
(PYTHONDONTWRITEBYTECODE).

    python benchmarks/cold_search.py --model DIR --images DIR [--runs 15]

DIR is a model folder with a `model.toml`. Floor of the ratio: 1.0; target: at most 1.5.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BARE = """
import sys, glob
import numpy as np
import onnxruntime
from tokenizers import Tokenizer

model, library = sys.argv[1:]
tokens = Tokenizer.from_file(model + "/tokenizer.json").encode("a dog running on grass")
options = onnxruntime.SessionOptions()
session = onnxruntime.InferenceSession(
    model + "/text.onnx", options, providers=["CPUExecutionProvider"])
inputs = {"input_ids": np.array([tokens.ids]), "attention_mask": np.array([tokens.attention_mask])}
probe = session.run(None, inputs)[0]
vectors = np.concatenate([
    np.fromfile(path, dtype="<f4") for path in sorted(glob.glob(library + "/vectors-*/*.f32"))
]).reshape(-1, probe.shape[1])
print(np.argsort(vectors @ probe[0])[-20:])
"""


def environment(compiled: str) -> dict[str, str]:
    """This process's environment, with compiled modules kept in a folder."""
    kept = {name: v for name, v in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": compiled}


def seconds(command: list[str], variables: dict[str, str]) -> float:
    """Wall-clock seconds of one process; a search that finds nothing (exit 1) is an answer."""
    started = time.perf_counter()
    ran = subprocess.run(command, stdout=subprocess.DEVNULL, env=variables, check=False)
    if ran.returncode not in (0, 1):
        raise SystemExit(f"{command} failed with exit code {ran.returncode}")
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        library = f"{temporary}/library"
        program = [sys.executable, "-m", "visionquery"]
        common = ["--library", library, "--model", str(options.model), "--quiet"]
        subprocess.run([*program, "index", str(options.images), *common], check=True)
        ours = [*program, "search", "a dog running on grass", *common]
        bare = [sys.executable, "-c", BARE, str(options.model), library]
        variables = environment(f"{temporary}/compiled")
        times: dict[str, list[float]] = {"bare": [], "search": []}
        for _ in range(1 + options.runs):
            times["bare"].append(seconds(bare, variables))
            times["search"].append(seconds(ours, variables))
    medians = {name: statistics.median(runs[1:]) for name, runs in times.items()}
    for name, median in medians.items():
        print(f"{name:8} {median * 1000:7.0f} ms")
    print(f"ratio    {medians['search'] / medians['bare']:7.2f}    (floor 1.00, target 1.50)")


if __name__ == "__main__":
    main()
