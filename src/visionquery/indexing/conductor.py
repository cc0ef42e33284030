"""What runs on a Ray cluster: one actor that conducts the pipeline, and the stages of that."""

from collections.abc import Iterator
from typing import Any

from visionquery.indexing.on_node import KnownIds, Line, Rows, Task, Tower, prepared_rows

__all__ = ["Conductor"]

_BLOCK_BYTES = 16 * 2**20
_PICTURES_AT_ONCE = 64
"""On a GPU."""

_LOSSES = 5
"""Workers that may be lost over one group of files before it is given up."""


class Conductor:
    """Runs the pipeline on the cluster, as far as its results are asked for."""

    def __init__(
        self, task: Task, groups: list[bytes], known: list[Any], workers: int, gpus: int
    ) -> None:
        import ray.data

        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.target_max_block_size = _BLOCK_BYTES
        rows = ray.data.from_items(
            [{"group": each} for each in groups], override_num_blocks=len(groups)
        )
        if gpus:
            made = _with_gpus(rows, task, known, gpus)
        else:
            made = _on_cores(rows, task, known, min(workers, len(groups)))
        self._blocks = iter(made.iter_batches(batch_size=None, prefetch_batches=1))

    def more(self) -> Rows | None:
        """Return the next block of results, None after the last."""
        return next(self._blocks, None)


def _on_cores(rows: Any, task: Task, known: list[Any], workers: int) -> Any:
    return rows.map_batches(
        _LineWorker,
        batch_size=1,
        compute=_pool(workers),
        fn_constructor_args=(task, known),
        num_cpus=1,
        max_task_retries=_LOSSES,
    )


def _with_gpus(rows: Any, task: Task, known: list[Any], gpus: int) -> Any:
    prepared = rows.map_batches(
        _prepared, batch_size=1, fn_args=(task, known), num_cpus=1, max_retries=_LOSSES
    )
    return prepared.map_batches(
        _TowerWorker,
        batch_size=_PICTURES_AT_ONCE,
        compute=_pool(gpus),
        fn_constructor_args=(task,),
        num_cpus=0,
        num_gpus=1,
        max_task_retries=_LOSSES,
    )


def _pool(size: int) -> Any:
    from ray.data import ActorPoolStrategy

    return ActorPoolStrategy(size=size)


class _LineWorker:
    def __init__(self, task: Task, known: list[Any]) -> None:
        self._line = Line(task, _fetched(known))

    def __call__(self, batch: dict[str, Any]) -> Iterator[Rows]:
        for group in batch["group"]:
            yield from self._line.rows(group)


class _TowerWorker:
    def __init__(self, task: Task) -> None:
        self._tower = Tower(task)

    def __call__(self, batch: dict[str, Any]) -> Rows:
        return self._tower.rows(batch)


def _prepared(batch: dict[str, Any], task: Task, known: list[Any]) -> Iterator[Rows]:
    for group in batch["group"]:
        yield from prepared_rows(task, _fetched(known), group)


def _fetched(known: list[Any]) -> KnownIds:
    import ray

    return KnownIds(ray.get(known[0]))
