"""How much a run may hold at a time, and how many pictures go through an encoder at once."""

import os
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "BatchSizes",
    "Bounds",
    "batch_sizes",
    "bounds_for",
    "grown",
    "is_cpu",
    "machine_memory_bytes",
]

_MOST_IN_FLIGHT = 2 * 2**30
_LEAST_IN_FLIGHT = 256 * 2**20
_UNKNOWN_MEMORY = 4 * 2**30

_CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")
"""Where Linux says it (cgroup v2). Source: kernel.org, Control Group v2, memory.max."""

_CPU = "CPUExecutionProvider"

_WORTH_GROWING = 1.05
"""A batch of twice the size must give this many times the images per second."""

_COMPUTED_PER_PREPARED = 32
"""Bytes that an image tower keeps while it computes, for each of its input: at most 25 for the
towers of ViT-B/32, ViT-B/16 and ViT-L/14 (values of the widest layer and of attention)."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most bytes that a run holds on its way from files to vectors: `files` as they were
    read, `rasters` of pictures being decoded, `prepared` for the encoder, and `computed` while
    it works. What is larger than a bound goes alone."""

    files: int
    rasters: int
    prepared: int
    computed: int


@dataclass(frozen=True, slots=True)
class BatchSizes:
    """Pictures that go through an encoder at once: the `first` time, and at `most`. By `speed`,
    a batch grows while that makes images come faster; else always, for the same batches, and so
    the same vectors, in every run."""

    first: int
    most: int
    by_speed: bool


_BY_PROVIDER = {
    _CPU: BatchSizes(1, 4, by_speed=False),
    "OpenVINOExecutionProvider": BatchSizes(4, 16, by_speed=True),
    "CoreMLExecutionProvider": BatchSizes(8, 32, by_speed=True),
    "DmlExecutionProvider": BatchSizes(16, 64, by_speed=True),
    "CUDAExecutionProvider": BatchSizes(32, 256, by_speed=True),
}
"""On the CPU each batch has one thread, and more than four at once are no faster."""


def machine_memory_bytes(limit: Path = _CONTAINER_LIMIT) -> int:
    """Return the memory of this machine, 4 GiB where it does not say, or what a container may
    have of it, by the file `limit`."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        memory = _UNKNOWN_MEMORY
    try:
        return min(memory, int(limit.read_text("ascii")))
    except (OSError, ValueError):  # none, or "max"
        return memory


def bounds_for(memory_bytes: int) -> Bounds:
    """Return the bounds for a machine: together an eighth of its memory, but 256 MiB at least and
    2 GiB at most; of that an eighth for files, a half for pictures being decoded, an eighth for
    prepared ones, and a quarter for what the encoder computes."""
    total = min(max(memory_bytes // 8, _LEAST_IN_FLIGHT), _MOST_IN_FLIGHT)
    return Bounds(total // 8, total // 2, total // 8, total // 4)


def is_cpu(provider: str) -> bool:
    """Return whether an encoder computes on the cores that decode too."""
    return provider not in _BY_PROVIDER or provider == _CPU


def batch_sizes(
    provider: str, *, prepared_bytes: int, at_once: int, bounds: Bounds
) -> BatchSizes:
    """Return the sizes for an encoder that runs on `provider` and takes `prepared_bytes` for a
    picture, with `at_once` batches being computed. What a device computes is in its own memory;
    three batches prepared for it must be in ours."""
    usual = _BY_PROVIDER[_CPU if is_cpu(provider) else provider]
    if is_cpu(provider):
        fitting = bounds.computed // (at_once * prepared_bytes * _COMPUTED_PER_PREPARED)
    else:
        fitting = bounds.prepared // (2 * 3 * prepared_bytes)
    most = max(1, min(usual.most, fitting))
    return BatchSizes(min(usual.first, most), most, usual.by_speed)


def grown(sizes: BatchSizes, speeds: dict[int, float], size: int) -> int:
    """Return the size of the batch after one of `size`: twice that, as long as `sizes` allows it.

    `speeds` are the most images per second that batches of each size gave.
    """
    half = size // 2
    if sizes.by_speed and (
        size not in speeds or (half in speeds and speeds[size] < _WORTH_GROWING * speeds[half])
    ):
        return size
    return min(2 * size, sizes.most)
