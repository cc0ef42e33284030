"""Taking files up on a Ray cluster, whatever is lost over it.

Ray Data does not work through a Ray client (`ray://`), so that one actor on the cluster, the
*conductor*, runs the pipeline there, and is asked for its results block by block. Groups of files
are its rows. Where there are no GPUs each core has a worker that does everything, as decoding and
encoding would compete for it anyway; where there are, cores decode and one worker for each GPU
encodes, and pictures travel between them through Ray's object store. What comes back is vectors,
facts and reasons; one machine, the one that asked, writes.
"""

import pickle
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from visionquery.errors import EngineError, VisionQueryError
from visionquery.images.limits import Limits
from visionquery.images.scan import FoundFile
from visionquery.indexing.conductor import Conductor
from visionquery.indexing.connecting import check_address, check_nodes, connected, in_short
from visionquery.indexing.on_node import Numbered, Rows, Task, load_model, outcomes_in, packed
from visionquery.indexing.own_thread import OwnThread
from visionquery.indexing.taking import FileOutcomes, TakeUp
from visionquery.models.encoder import Encoder
from visionquery.store.base import Scope, Store
from visionquery.types import ModelIdentity

__all__ = ["check_address", "on_cluster"]

Result = TypeVar("Result")

_SMALL_FILES, _SMALL_BYTES = 64, 64 * 2**20
"""Work that is smaller is done here before a cluster is reached."""

_SECTION = 100_000
"""Files that are handed over at a time."""

_MOST_GROUPED, _GROUP_BYTES = 64, 64 * 2**20
_GROUPS_PER_WORKER = 8

_ASKED_AHEAD = 2
_SECONDS_AT_A_TIME = 0.5
_SECONDS_TO_TIDY = 5.0
_TRIES = 3
"""In a row without a single file done."""

_HEAD = "node:__internal_head__"
"""What Ray calls the node that all depend on, among the resources of a cluster."""

_FILES_AT_ONCE = 10_000
"""Records of a store that are looked at together."""


@contextmanager
def on_cluster(
    on: str,
    store: Store,
    model: ModelIdentity,
    *,
    here: TakeUp,
    limits: Limits,
    load: Callable[[ModelIdentity], Encoder] = load_model,
) -> Iterator[TakeUp]:
    """Give what takes files up on a cluster, which is reached when there is work worth it; what
    is small is taken up by `here`. `load` gives the encoder there.

    Raises, while files are taken up, EngineError where the cluster cannot be reached, is lost, or
    has another version of visionquery, and ModelError where a node does not have the model.
    """
    cluster = _Cluster(on, store, Task(model, limits, load))

    def take_up(files: Sequence[FoundFile]) -> Generator[FileOutcomes, None, None]:
        if len(files) < _SMALL_FILES and sum(each.size_bytes for each in files) < _SMALL_BYTES:
            yield from here(files)
            return
        numbered = enumerate(files)
        while section := list(islice(numbered, _SECTION)):
            yield from cluster.taken(section)

    try:
        yield take_up
    finally:
        cluster.leave()


class _WorkLostError(Exception):
    """Ray gave up some work."""


@dataclass(slots=True)
class _Cluster:
    """A cluster, connected when it is first used. `workers` counts the cores, or GPUs, that
    encode there; `known` is a reference to the ids that need no encoding."""

    on: str
    store: Store
    task: Task
    ray: Any = None
    ours: bool = False
    workers: int = 0
    gpus: int = 0
    known: list[Any] = field(default_factory=list)
    lost: bool = False
    thread: OwnThread = field(default_factory=OwnThread)

    def taken(self, files: Sequence[Numbered]) -> Iterator[FileOutcomes]:
        """Yield the outcomes of files as they come, each once, whatever is lost over it."""
        self._reach()
        left = dict(files)
        tries = 0
        while left:
            lost: Exception | None = None
            try:
                for number, outcomes in _whole(self._rows(list(left.items())), left):
                    tries = 0
                    del left[number]
                    yield outcomes
            except _WorkLostError as error:
                lost = error
            tries += 1
            if left and tries == _TRIES:
                raise EngineError(self._gone(str(lost or "nothing came back"))) from lost

    def leave(self) -> None:
        """End the connection, if it was made here."""
        if self.ray is not None and self.ours:
            self._tidy(self.ray.shutdown)
        self.thread.close()

    def _rows(self, files: Sequence[Numbered]) -> Iterator[Rows]:
        conductor = self._asked(lambda: self._conductor(files))
        waiting: deque[Any] = deque()
        stopped = threading.Event()
        more = partial(self._next, conductor, waiting, stopped)
        try:
            while (rows := self._asked(more)) is not None:
                yield rows
        finally:
            stopped.set()
            if not self.lost:
                self._tidy(lambda: self.ray.kill(conductor))

    def _conductor(self, files: Sequence[Numbered]) -> Any:
        if not self.ray.is_initialized():  # Ray would start a cluster of its own here.
            raise ConnectionError
        groups = _groups(files, self.workers)
        kind = self.ray.remote(num_cpus=0, max_restarts=0, max_task_retries=0)(Conductor)
        if _HEAD in self.ray.cluster_resources():  # Without its head there is no cluster anyway.
            kind = kind.options(resources={_HEAD: 0.001})
        return kind.remote(self.task, self.ray.put(groups), self.known, self.workers, self.gpus)

    def _next(self, conductor: Any, waiting: deque[Any], stopped: threading.Event) -> Rows | None:
        """Return the next block of results, and have those after it made meanwhile."""
        while len(waiting) < _ASKED_AHEAD:
            waiting.append(conductor.more.remote())
        while not stopped.is_set():
            try:
                rows: Rows | None = self.ray.get(waiting[0], timeout=_SECONDS_AT_A_TIME)
            except self.ray.exceptions.GetTimeoutError:
                continue
            waiting.popleft()
            return rows
        return None

    def _reach(self) -> None:
        if self.ray is not None:
            return
        self.ray, self.ours = self.thread.call(lambda: connected(self.on))
        try:
            has = self._asked(self._look)
        except _WorkLostError as error:
            raise EngineError(self._gone(str(error))) from error
        self.gpus, cores = int(has.get("GPU", 0)), int(has.get("CPU", 0))
        self.workers = self.gpus or cores
        if cores == 0:
            raise EngineError(f"The cluster {self.on} has no cores to work with: add nodes to it.")
        known = packed(_ids(self.store))
        self.known = [self._asked(lambda: self.ray.put(known))]

    def _look(self) -> dict[str, float]:
        """Return what the cluster has, once every node was found fit."""
        check_nodes(self.ray, self.task)
        return dict(self.ray.cluster_resources())

    def _asked(self, work: Callable[[], Result]) -> Result:
        """Return what a call of Ray does. Tells work that was lost, and can be asked for again,
        from a cluster that is gone: what Ray raises then is of many kinds, those of its transport
        among them."""
        try:
            return self.thread.call(work)
        except VisionQueryError:
            raise
        except self.ray.exceptions.RayError as error:
            raise _WorkLostError(in_short(error)) from error
        except Exception as error:
            self.lost = True
            raise EngineError(self._gone("the connection broke")) from error

    def _tidy(self, work: Callable[[], object]) -> None:
        """Give Ray some seconds for what is only good manners."""
        with suppress(Exception):  # The cluster may have been lost.
            self.thread.call(work, seconds=_SECONDS_TO_TIDY)

    def _gone(self, why: str) -> str:
        return (
            f"The cluster {self.on} was lost or failed ({why}). All that was finished is kept; run "
            "the same command again when it is there, or without --on to go on here."
        )


def _whole(
    blocks: Iterator[Rows], wanted: dict[int, FoundFile]
) -> Iterator[tuple[int, FileOutcomes]]:
    """Yield the outcomes of each file, with its number, once all are there."""
    gathered: dict[int, dict[int, FileOutcomes]] = {}
    for rows in blocks:
        for number, part, outcomes in outcomes_in(rows):
            if number not in wanted:
                continue
            parts = gathered.setdefault(number, {})
            parts[part] = outcomes
            if sum(map(len, parts.values())) == outcomes[0].item.count:
                del gathered[number]
                yield number, [each for place in sorted(parts) for each in parts[place]]


def _groups(files: Sequence[Numbered], workers: int) -> list[bytes]:
    """Cut files into groups: of few where there are few, so that every worker has some."""
    most = min(max(1, len(files) // (workers * _GROUPS_PER_WORKER)), _MOST_GROUPED)
    groups: list[bytes] = []
    group: list[Numbered] = []
    size = 0
    for number, file in files:
        group.append((number, file))
        size += file.size_bytes
        if len(group) == most or size >= _GROUP_BYTES:
            groups.append(pickle.dumps(group))
            group, size = [], 0
    return [*groups, pickle.dumps(group)] if group else groups


def _ids(store: Store) -> Iterator[str]:
    for root in store.roots():
        after: str | None = None
        while files := store.files(Scope(root.root_id), after=after, limit=_FILES_AT_ONCE):
            after = list(files)[-1]
            for record in files.values():
                if record.image_id is not None:
                    yield record.image_id
                yield from (part.image_id for part in record.fragments if part.image_id)
