"""What an engine is here, and the list of those that are compared.

This module imports none of them: each is loaded in a worker process of its own.
"""

import importlib
import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from visionquery.types import Matrix, Vector

__all__ = ["CHOICES", "OURS", "Choice", "Engine", "append_file", "replace_file"]

OURS = "visionquery"


class Engine(Protocol):
    """One way to keep vectors in a folder and to search them."""

    efforts: tuple[int, ...]
    """Settings of a search to try, cheapest first; empty where every search is exact."""

    def build(self, folder: Path, vectors: Matrix) -> None:
        """Put vectors (n, dim) in an empty folder; what a new process needs is there on return."""

    def open(self, folder: Path, dim: int) -> None:
        """Make what was built ready to be searched."""

    def set_effort(self, effort: int) -> None:
        """Search with one of the efforts from now on."""

    def search(self, query: Vector, limit: int) -> NDArray[np.intp]:
        """Return the rows (limit,) nearest to a unit query (dim,), best first."""

    def add(self, first_row: int, vectors: Matrix) -> None:
        """Add vectors (n, dim) as the rows from `first_row` on; they outlive the process."""


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine that can be asked for. `target` is its "module:class" below this package,
    `imports` what must be installed. `rewrites` says that adding writes everything anew, and
    `syncs` is False where it does not wait for the disk."""

    name: str
    target: str
    imports: tuple[str, ...]
    pip: str
    settings: str
    rewrites: bool = False
    syncs: bool = True

    def is_installed(self) -> bool:
        """Say whether everything it imports is there."""
        return all(importlib.util.find_spec(name) for name in self.imports)

    def load(self) -> Engine:
        """Import it and make one."""
        module, _, name = self.target.partition(":")
        engine: Engine = getattr(importlib.import_module(f"benchmarks.beside.{module}"), name)()
        return engine


CHOICES = (
    Choice(
        OURS, "ours:Ours", ("visionquery",), "visionquery",
        "all by bytes, the rest by float32 where a bound does not rule it out",
    ),
    Choice(
        "visionquery-likely", "ours:Likely", ("visionquery",), "visionquery",
        "all by signs, some by bytes, the best by float32",
    ),
    Choice(
        "visionquery-answer", "ours:Answers", ("visionquery",), "visionquery",
        "as visionquery, with confidence, total and records",
    ),
    Choice(
        "rclip", "with_rclip:Rclip", ("rclip", "tqdm"), "rclip==3.3.*",
        "RClip.search, given the text's vector",
    ),
    Choice("numpy-f32", "plain:Float32", (), "numpy", "matrix product, argpartition"),
    Choice(
        "faiss-flat", "with_faiss:Flat", ("faiss",), "faiss-cpu", "IndexFlatIP", rewrites=True
    ),
    Choice(
        "faiss-fp16", "with_faiss:Half", ("faiss",), "faiss-cpu",
        "IndexScalarQuantizer fp16", rewrites=True,
    ),
    Choice(
        "faiss-hnsw", "with_faiss:Graph", ("faiss",), "faiss-cpu",
        "IndexHNSWFlat M=32, efConstruction=80, efSearch tuned", rewrites=True,
    ),
    Choice(
        "faiss-binary", "with_faiss:Binary", ("faiss",), "faiss-cpu",
        "IndexBinaryFlat of centred signs, 1,000 rescored in fp16", rewrites=True,
    ),
    Choice(
        "lancedb-flat", "with_lance:Flat", ("lancedb",), "lancedb",
        "a table without an index", syncs=False,
    ),
    Choice(
        "lancedb-ivfpq", "with_lance:Indexed", ("lancedb",), "lancedb",
        "IVF_PQ as by default, nprobes = refine_factor tuned", syncs=False,
    ),
    Choice(
        "sqlite-vec", "with_sqlite:Exact", ("sqlite_vec", "apsw"), "sqlite-vec apsw",
        "vec0, float32, cosine",
    ),
    Choice(
        "sqlite-vec-bit", "with_sqlite:Bits", ("sqlite_vec", "apsw"), "sqlite-vec apsw",
        "vec0, bits of centred signs, as many rescored in float32 as needed",
    ),
    Choice(
        "qdrant-exact", "with_qdrant:Exact", ("qdrant_edge",), "qdrant-edge-py",
        "no index, exact=True",
    ),
    Choice(
        "qdrant-hnsw", "with_qdrant:Graph", ("qdrant_edge",), "qdrant-edge-py",
        "HNSW m=16, ef_construct=100, hnsw_ef tuned",
    ),
    Choice(
        "usearch-exact", "with_usearch:Exact", ("usearch",), "usearch",
        "search(exact=True) on a mapped fp16 matrix",
    ),
    Choice(
        "usearch-f16", "with_usearch:Half", ("usearch",), "usearch",
        "HNSW f16 as by default, expansion_search tuned", rewrites=True,
    ),
    Choice(
        "usearch-i8", "with_usearch:Bytes", ("usearch",), "usearch",
        "HNSW i8 as by default, expansion_search tuned", rewrites=True,
    ),
)  # fmt: skip


def replace_file(path: Path, write: Callable[[str], object]) -> None:
    """Have a file written beside its place, make it durable, and put it in its place."""
    beside = path.with_name(path.name + ".new")
    write(str(beside))
    with beside.open("r+b") as file:
        os.fsync(file.fileno())
    beside.replace(path)


def append_file(path: Path, rows: NDArray[np.generic]) -> None:
    """Append an array's bytes to a file, durably."""
    with path.open("ab") as file:
        file.write(np.ascontiguousarray(rows).tobytes())
        file.flush()
        os.fsync(file.fileno())
