"""How much is held and encoded at once, by machine, model and what the model runs on."""

import pytest

from visionquery.indexing.bounds import (
    BatchSizes,
    batch_sizes,
    bounds_for,
    grown,
    machine_memory_bytes,
)

GIB = 2**30
SMALL, LARGE = 4 * 3 * 128**2, 4 * 3 * 384**2


@pytest.mark.parametrize(
    ("memory", "total"), [(0, GIB // 4), (8 * GIB, GIB), (16 * GIB, 2 * GIB), (512 * GIB, 2 * GIB)]
)
def test_all_bounds_together_are_a_part_of_the_memory(memory, total):
    bounds = bounds_for(memory)
    assert bounds.files + bounds.rasters + bounds.prepared + bounds.computed == total


def test_this_machine_says_what_it_has():
    assert machine_memory_bytes() >= GIB // 2


def test_a_container_has_what_it_may(tmp_path):
    limit = tmp_path / "memory.max"
    assert machine_memory_bytes(limit) == machine_memory_bytes(tmp_path)
    for content, memory in (("max", machine_memory_bytes(tmp_path)), ("134217728\n", GIB // 8)):
        limit.write_text(content)
        assert machine_memory_bytes(limit) == memory


@pytest.mark.parametrize(
    ("provider", "sizes"),
    [
        ("CPUExecutionProvider", BatchSizes(1, 4, by_speed=False)),
        ("AProviderOfTomorrow", BatchSizes(1, 4, by_speed=False)),
        ("CUDAExecutionProvider", BatchSizes(32, 227, by_speed=True)),
        ("CoreMLExecutionProvider", BatchSizes(8, 32, by_speed=True)),
    ],
)
def test_a_device_is_filled(provider, sizes):
    bounds = bounds_for(16 * GIB)
    assert batch_sizes(provider, prepared_bytes=SMALL, at_once=2, bounds=bounds) == sizes


def test_batches_fit_the_memory():
    cpu = batch_sizes(
        "CPUExecutionProvider", prepared_bytes=LARGE, at_once=16, bounds=bounds_for(0)
    )
    gpu = batch_sizes(
        "CUDAExecutionProvider", prepared_bytes=LARGE, at_once=1, bounds=bounds_for(0)
    )
    assert (cpu.first, cpu.most) == (1, 1)
    assert (gpu.first, gpu.most) == (3, 3)


def test_on_the_cpu_sizes_do_not_depend_on_the_clock():
    sizes = BatchSizes(1, 4, by_speed=False)
    assert grown(sizes, {}, 1) == grown(sizes, {1: 9.0, 2: 1.0}, 1) == 2
    assert grown(sizes, {2: 1.0, 1: 9.0}, 2) == 4
    assert grown(sizes, {}, 4) == 4


def test_on_a_device_batches_grow_while_that_pays():
    sizes = BatchSizes(32, 256, by_speed=True)
    assert grown(sizes, {}, 32) == 32, "nothing is known yet"
    assert grown(sizes, {32: 1000.0}, 32) == 64
    assert grown(sizes, {32: 1000.0, 64: 1500.0}, 64) == 128
    assert grown(sizes, {64: 1500.0, 128: 1510.0}, 128) == 128
    assert grown(sizes, {128: 1500.0, 256: 3000.0}, 256) == 256
