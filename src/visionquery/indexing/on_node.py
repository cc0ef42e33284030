"""What a machine of a cluster does of a run: it tells what it lacks, reads, decodes and encodes.

Nothing here knows how machines are reached. Files come in groups, each with its number in the run,
as bytes; rows go back, dicts of arrays of one length, which is what passes between machines.
"""

import os
import pickle
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from socket import gethostname

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import ModelError
from visionquery.images.kinds import readers
from visionquery.images.limits import Limits
from visionquery.images.scan import FoundFile
from visionquery.indexing.ahead import ordered_map
from visionquery.indexing.bounds import Bounds, bounds_for, machine_memory_bytes
from visionquery.indexing.outcomes import Encoded, Failed, Known, Loaded, Outcome, Ready, Several
from visionquery.indexing.pieces import Piece, by_file, read_piece, weigh
from visionquery.indexing.pipeline import flow, made_ready
from visionquery.indexing.workers import Room
from visionquery.models.catalog import resolve
from visionquery.models.encoder import Encoder, ImageTower, load_encoder
from visionquery.types import Decoded, Matrix, ModelIdentity, Vector

__all__ = [
    "FAILED",
    "KnownIds",
    "Line",
    "Numbered",
    "Rows",
    "Task",
    "Tower",
    "lack",
    "load_model",
    "outcomes_in",
    "packed",
    "prepared_rows",
]

Numbered = tuple[int, FoundFile]
"""A file and its number in the run."""

Rows = dict[str, NDArray[np.generic]]
"""Columns of one length: `file` is the number of a file, `part` the place in it of the first of its
`outcomes` that are here, pickled. Between decoder and encoder there is also `prepared`, the
encoder's input as bytes, or none."""

FAILED = -1
"""The number in a row whose outcomes are why a machine cannot go on: a sentence."""

_READ_AHEAD = 8
_NOT_PREPARED = np.empty(0, np.float32)


@dataclass(frozen=True, slots=True)
class Task:
    """What machines are to know of a run. `load` gives the encoder of a model, or raises
    ModelError."""

    model: ModelIdentity
    limits: Limits
    load: Callable[[ModelIdentity], Encoder]


def load_model(model: ModelIdentity) -> Encoder:
    """Return the encoder of a model by its source, on the machine that is asked, for one thread.

    Raises ModelError where it is not there, or another one is.
    """
    spec = resolve(model.source)
    if spec.identity.fingerprint != model.fingerprint:
        raise ModelError(f"{model.source} is another version of the model {model.name} there")
    return load_encoder(spec, threads=1)


def lack(task: Task, wanted_readers: str) -> str:
    """Return what keeps this machine from a task, as the end of a sentence; "" when nothing."""
    if readers() != wanted_readers:
        ours, theirs = set(readers().split()), set(wanted_readers.split())
        apart = ", ".join(sorted(ours ^ theirs))
        return (
            f"reads other kinds of files than this machine ({apart} is on one of them only): "
            "install the same extras of visionquery on both."
        )
    try:
        task.load(task.model)
    except ModelError:
        return _without_model(task.model)
    return ""


def _without_model(model: ModelIdentity) -> str:
    if model.source == model.name:
        what = f"does not have the model {model.name}: run visionquery models pull {model.name}"
    else:
        what = f"does not have the model {model.name} as it is here at {model.source}: put it"
    return f"{what} there, or on a disk that all nodes share."


# -- what is known already ---------------------------------------------------------------------
def packed(image_ids: Iterable[str]) -> NDArray[np.bytes_]:
    """Return ids of 32 hexadecimal digits as a sorted array of 16 bytes each."""
    joined = bytearray()
    for image_id in image_ids:
        if len(image_id) == 32:
            joined += bytes.fromhex(image_id)
    return np.unique(np.frombuffer(bytes(joined), "S16"))


@dataclass(frozen=True, slots=True, eq=False)
class KnownIds:
    """Ids of images that need no encoding, as `packed` gives them."""

    ids: NDArray[np.bytes_]

    def __contains__(self, image_id: str) -> bool:
        (wanted,) = packed([image_id])  # Both without the zeros at their end, as NumPy gives them.
        place = int(np.searchsorted(self.ids, wanted))
        return place < len(self.ids) and bool(self.ids[place] == wanted)


# -- all on one core ---------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class _KeptOpen:
    """An encoder whose image tower is opened once for all groups of files."""

    encoder: Encoder
    tower: ImageTower

    @property
    def image_side(self) -> int:
        return self.encoder.image_side

    def prepare(self, decoded: Decoded) -> NDArray[np.float32]:
        return self.encoder.prepare(decoded)

    def image_tower(self) -> ImageTower:
        return self.tower


@dataclass(slots=True)
class Line:
    """The whole line of a run on one core, as it is where everything is done on one machine."""

    task: Task
    known: KnownIds
    _encoder: _KeptOpen | None = field(default=None, init=False)

    def rows(self, group: bytes) -> Iterator[Rows]:
        """Take up a group of files; a row comes as soon as a file is done."""
        numbered: list[Numbered] = pickle.loads(group)
        try:
            with closing(self._flow([file for _, file in numbered])) as outcomes:
                files = by_file(outcomes)
                for (number, _), results in zip(numbered, files, strict=True):
                    yield _row(number, list(map(_placed, results)))
        except ModelError as error:
            yield _failure(error)

    def _flow(self, files: Sequence[FoundFile]) -> Generator[Outcome[Piece], None, None]:
        if self._encoder is None:
            encoder = self.task.load(self.task.model)
            self._encoder = _KeptOpen(encoder, encoder.image_tower())
        return flow(
            map(Piece, files),
            read=partial(read_piece, limits=self.task.limits),
            weigh=weigh,
            is_stored=self.known.__contains__,
            encoder=self._encoder,
            limits=self.task.limits,
            threads=1,
            bounds=_bounds(),
        )


# -- in two stages: cores prepare what other devices encode ------------------------------------
def prepared_rows(task: Task, known: KnownIds, group: bytes) -> Iterator[Rows]:
    """Read, hash and decode a group of files; a row for each of their pieces."""
    numbered: list[Numbered] = pickle.loads(group)
    read = partial(read_piece, limits=task.limits)
    room = Room(_bounds().rasters)
    try:
        encoder = task.load(task.model)
    except ModelError as error:
        yield _failure(error) | {"prepared": _objects([b""])}
        return
    with ThreadPoolExecutor(_READ_AHEAD, thread_name_prefix="visionquery-read") as pool:
        contents = ordered_map(
            pool, read, (Piece(file) for _, file in numbered), ahead=_READ_AHEAD
        )
        for (number, _), content in zip(numbered, contents, strict=True):
            each = map(read, content.items) if isinstance(content, Several) else [content]
            for part, found in enumerate(each):
                made = _prepared(found, known, encoder, task.limits, room)
                yield _prepared_row(number, part, made)


def _prepared(
    found: Loaded[Piece] | Failed[Piece] | Several[Piece],
    known: KnownIds,
    encoder: Encoder,
    limits: Limits,
    room: Room,
) -> Ready[Piece] | Known[Piece] | Failed[Piece]:
    if not isinstance(found, Loaded):
        assert isinstance(found, Failed)  # a part is never several once more
        return found
    if found.content.image_id in known:
        return Known(found.item, found.content.image_id, found.read_seconds)
    return made_ready(found, encoder, limits, room)


def _prepared_row(
    number: int, part: int, made: Ready[Piece] | Known[Piece] | Failed[Piece]
) -> Rows:
    if not isinstance(made, Ready):
        return _row(number, [_placed(made)], part) | {"prepared": _objects([b""])}
    bare = _row(number, [replace(made, prepared=_NOT_PREPARED)], part)
    return bare | {"prepared": _objects([made.prepared.tobytes()])}


@dataclass(slots=True)
class Tower:
    """The image tower of a model, to which pictures come prepared."""

    task: Task
    _encoder: _KeptOpen | None = field(default=None, init=False)

    def rows(self, prepared: Rows) -> Rows:
        """Encode what is to be encoded of rows that `prepared_rows` gave."""
        outcomes = [pickle.loads(each) for each in prepared["outcomes"]]
        places = [place for place, each in enumerate(prepared["prepared"]) if each]
        if places:
            try:
                vectors, seconds = self._encoded([prepared["prepared"][place] for place in places])
            except ModelError as error:
                return _failure(error)
            for place, vector in zip(places, vectors, strict=True):
                (ready,) = outcomes[place]
                outcomes[place] = [_encoded(ready, vector, seconds)]
        pickled = _objects([pickle.dumps(each) for each in outcomes])
        return {"file": prepared["file"], "part": prepared["part"], "outcomes": pickled}

    def _encoded(self, inputs: Sequence[bytes]) -> tuple[Matrix, float]:
        if self._encoder is None:
            encoder = self.task.load(self.task.model)
            self._encoder = _KeptOpen(encoder, encoder.image_tower())
        side = self._encoder.image_side
        started = time.perf_counter()
        batch = np.stack([np.frombuffer(each, np.float32) for each in inputs])
        vectors = self._encoder.tower.encode(batch.reshape(-1, 3, side, side))
        return vectors, (time.perf_counter() - started) / len(inputs)


def _encoded(ready: Ready[Piece], vector: Vector, seconds: float) -> Encoded[Piece]:
    return Encoded(
        ready.item, ready.image_id, ready.facts, vector,
        ready.read_seconds, ready.decode_seconds, seconds,
    )  # fmt: skip


# -- rows --------------------------------------------------------------------------------------
def outcomes_in(rows: Rows) -> Iterator[tuple[int, int, list[Outcome[Piece]]]]:
    """Yield outcomes of pieces of a file, with its number and the place of the first of them.
    Raises ModelError where the rows say that a machine cannot go on."""
    columns = (rows["file"], rows["part"], rows["outcomes"])
    for number, part, pickled in zip(*columns, strict=True):
        outcomes = pickle.loads(pickled)
        if number == FAILED:
            raise ModelError(outcomes)
        yield int(number), int(part), outcomes


def _row(number: int, outcomes: object, part: int = 0) -> Rows:
    columns = {"file": np.array([number]), "part": np.array([part])}
    return {**columns, "outcomes": _objects([pickle.dumps(outcomes)])}


def _placed(outcome: Outcome[Piece]) -> Outcome[Piece]:
    """Say, of what another machine may have, where it was looked for."""
    if isinstance(outcome, Failed) and outcome.may_pass:
        return replace(outcome, reason=f"{outcome.reason} (on the node {gethostname()})")
    return outcome


def _failure(error: ModelError) -> Rows:
    return _row(FAILED, f"The node {gethostname()} cannot encode: {error}")


def _objects(values: Sequence[bytes]) -> NDArray[np.generic]:
    """Return bytes as they are: in an array of bytes their last zeros would be lost."""
    array = np.empty(len(values), object)
    array[:] = values
    return array


def _bounds() -> Bounds:
    """Return what a worker may hold where each core of a machine has one."""
    return bounds_for(machine_memory_bytes() // (os.cpu_count() or 1))
