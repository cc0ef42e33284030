"""Points of Qdrant, asked for and written: the one importer of its client.

Conditions are data, in the form of Qdrant's own JSON (`conditions`). Every call is made here, so
that errors are translated, and what may pass is tried again, in one place. All calls can be
repeated: they say what is to be there, not what is to change.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import InputError
from visionquery.store.qd.address import Address
from visionquery.store.qd.batches import batches
from visionquery.store.qd.conditions import Condition
from visionquery.store.qd.faults import is_foreign, is_passing, translation
from visionquery.types import Matrix, Vector

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

__all__ = ["Engine", "Point", "connected"]

Key = int | str

_TRIES = 3
_WAIT_SECONDS = 0.2
_PAGE = 2_000
_POINTS_PER_CALL = 256
_BREADTH = 128
_OVERSAMPLING = 2.0


class Point(NamedTuple):
    """A point: its id, what it carries, and its vector where that was asked for."""

    key: Any
    payload: dict[str, Any]
    vector: Vector | None = None


def connected(address: Address) -> "Engine":
    """Return the engine at an address; nothing is asked of it yet. Raises InputError when the
    client is not installed, LibraryBusyError, EngineError."""
    if find_spec("qdrant_client") is None:
        raise InputError(
            "A library in Qdrant needs its client: run  pip install 'visionquery[qdrant]'"
        )
    import qdrant_client

    try:
        if address.folder is not None:
            client = qdrant_client.QdrantClient(
                path=address.folder, force_disable_check_same_thread=True
            )
        else:
            client = qdrant_client.QdrantClient(
                host=address.host, port=address.port, grpc_port=address.grpc_port,
                https=address.https, prefer_grpc=address.prefer_grpc, api_key=address.api_key,
                timeout=address.timeout, check_compatibility=False,
            )  # fmt: skip
    except (OSError, RuntimeError, ValueError) as error:
        raise translation(
            error, address.shown, local=address.folder is not None, secret=address.api_key or ""
        ) from None
    return Engine(client, address)


class Engine:
    """A client of Qdrant. Safe in several threads."""

    def __init__(self, client: "QdrantClient", address: Address) -> None:
        self.address = address
        self._client = client
        self._is_local = address.folder is not None
        # Without a server nothing keeps two threads apart.
        self._one_at_a_time = threading.RLock()

    def collections(self) -> set[str]:
        """Return the names of all collections."""
        return {each.name for each in self._ask(self._client.get_collections).collections}

    def make(self, name: str, embed_dim: int | None, indexes: Mapping[str, str]) -> None:
        """Make a collection, of vectors of `embed_dim` numbers or of none, with indexes of its
        payload, where there is none of that name."""
        from qdrant_client import models

        if name not in self.collections():
            vectors = None
            if embed_dim is not None:
                # Not the cosine, for which Qdrant would change the vectors: they have length 1.
                vectors = models.VectorParams(
                    size=embed_dim, distance=models.Distance.DOT, on_disk=True
                )
            bytes_for_numbers = models.ScalarQuantization(
                scalar=models.ScalarQuantizationConfig(
                    type=models.ScalarType.INT8, quantile=0.99, always_ram=True
                )
            )
            self._ask(
                self._client.create_collection,
                name,
                vectors_config={} if vectors is None else vectors,
                quantization_config=None if vectors is None else bytes_for_numbers,
                shard_number=self.address.shards,
                replication_factor=self.address.replicas,
                # Whoever reads from another replica sees what was written.
                write_consistency_factor=self.address.replicas,
            )
        if not self._is_local:  # which has no indexes
            for field, kind in indexes.items():
                schema = models.PayloadSchemaType(kind)
                self._ask(self._client.create_payload_index, name, field, schema, wait=True)

    def drop(self, name: str) -> None:
        """Drop a collection; without it, do nothing."""
        self._ask(self._client.delete_collection, name)

    def get(
        self, name: str, keys: Iterable[Key], *, fields: Sequence[str] | bool = True,
        vectors: bool = False,
    ) -> dict[Any, Point]:  # fmt: skip
        """Return points by their ids, with the fields of their payload that are named."""
        found: dict[Any, Point] = {}
        for some in batches(keys, _PAGE):
            points = self._ask(
                self._client.retrieve, name, list(some), with_payload=fields, with_vectors=vectors
            )
            found.update((point.id, _point(point)) for point in points)
        return found

    def scroll(
        self, name: str, where: Condition, *, fields: Sequence[str] | bool = True,
        vectors: bool = False, limit: int | None = None,
    ) -> Iterator[Point]:  # fmt: skip
        """Yield the points for which a condition holds, in order of ids, `limit` at most."""
        after, left = None, limit
        while left is None or left > 0:
            points, after = self._ask(
                self._client.scroll, name, scroll_filter=self._filter(where), offset=after,
                limit=_PAGE if left is None else min(left, _PAGE),
                with_payload=fields, with_vectors=vectors,
            )  # fmt: skip
            yield from map(_point, points)
            if after is None:
                return
            left = None if left is None else left - len(points)

    def first(
        self, name: str, where: Condition, by: str, *, limit: int, fields: Sequence[str] | bool,
        falling: bool = False,
    ) -> list[Point]:  # fmt: skip
        """Return the points with the smallest, or largest, values of an indexed number."""
        from qdrant_client import models

        direction = models.Direction.DESC if falling else models.Direction.ASC
        points, _ = self._ask(
            self._client.scroll, name, scroll_filter=self._filter(where), limit=limit,
            order_by=models.OrderBy(key=by, direction=direction), with_payload=fields,
        )  # fmt: skip
        return [_point(point) for point in points]

    def count(self, name: str, where: Condition, *, exact: bool = True) -> int:
        """Return for how many points a condition holds, or about how many."""
        found = self._ask(
            self._client.count, name, count_filter=self._filter(where), exact=exact
        )
        return int(found.count)

    def values(self, name: str, field: str, *, limit: int) -> list[str]:
        """Return the different values of an indexed field, `limit` at most."""
        found = self._ask(self._client.facet, name, field, limit=limit, exact=True)
        return [str(hit.value) for hit in found.hits]

    def put(
        self, name: str, points: Sequence[Point], *, only_if: Condition | None = None
    ) -> None:
        """Store points in place of those that are there; of these, those only for which a condition
        holds, if one is given."""
        from qdrant_client import models

        for some in batches(points, _POINTS_PER_CALL):
            structs = [
                models.PointStruct(
                    id=key, payload=payload, vector={} if vector is None else vector.tolist()
                )
                for key, payload, vector in some
            ]
            options = {} if only_if is None else {"update_filter": self._filter(only_if)}
            self._ask(
                self._client.upsert, name, structs, wait=True,
                ordering=models.WriteOrdering.STRONG, **options,
            )  # fmt: skip

    def amend(self, name: str, payloads: Mapping[int, Mapping[str, Any]]) -> None:
        """Store fields of points that are there, by their ids; other fields stay."""
        from qdrant_client import models

        for some in batches(payloads.items(), _POINTS_PER_CALL):
            here = self.get(name, [key for key, _ in some], fields=False)
            operations = [
                models.SetPayloadOperation(
                    set_payload=models.SetPayload(payload=dict(payload), points=[key])
                )
                for key, payload in some
                if key in here
            ]
            if operations:
                self._ask(
                    self._client.batch_update_points, name, operations, wait=True,
                    ordering=models.WriteOrdering.STRONG,
                )  # fmt: skip

    def remove(self, name: str, keys: Sequence[Key]) -> None:
        """Remove points; those that are not there are passed over."""
        from qdrant_client import models

        for some in batches(keys, _PAGE):
            self._ask(
                self._client.delete, name, list(some), wait=True,
                ordering=models.WriteOrdering.STRONG,
            )  # fmt: skip

    def nearest(
        self, name: str, vectors: Matrix, limit: int, where: Condition
    ) -> list[list[int]]:
        """Return, for each of the vectors (q, d), the ids of about the `limit` points nearest to
        it, the nearest first, of those for which a condition holds."""
        found = self._query(name, vectors, limit, where, exact=False)
        return [[int(point.id) for point in answer.points] for answer in found]

    def products(
        self, name: str, vectors: Matrix, keys: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the exact products (q, n) of vectors (q, d) with the points that have these ids
        (n,), rising; 0 where there is no such point."""
        scores = np.zeros((len(vectors), len(keys)), dtype=np.float32)
        for start in range(0, len(keys), _PAGE):
            some = keys[start : start + _PAGE]
            where = {"must": [{"has_id": some.tolist()}]}
            answers = self._query(name, vectors, len(some), where, exact=True)
            for row_scores, answer in zip(scores, answers, strict=True):
                ids = np.array([point.id for point in answer.points], dtype=np.int64)
                values = [point.score for point in answer.points]
                row_scores[start + np.searchsorted(some, ids)] = values
        return scores

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _query(
        self, name: str, vectors: Matrix, limit: int, where: Condition, *, exact: bool
    ) -> Sequence[Any]:
        from qdrant_client import models

        if not len(vectors) or limit < 1:
            return []
        how = None if self._is_local else models.SearchParams(  # where all is exact
            exact=exact,
            hnsw_ef=None if exact else max(_BREADTH, limit),
            quantization=models.QuantizationSearchParams(
                ignore=exact, rescore=True, oversampling=_OVERSAMPLING
            ),
        )
        asked = [
            models.QueryRequest(
                query=vector.tolist(), filter=self._filter(where), limit=limit, params=how
            )
            for vector in vectors
        ]
        return self._ask(self._client.query_batch_points, name, asked)  # type: ignore[no-any-return]

    def _filter(self, where: Condition) -> Any:
        from qdrant_client import models

        return models.Filter.model_validate(where) if where else None

    def _ask(self, call: Callable[..., Any], *values: Any, **named: Any) -> Any:
        for attempt in range(_TRIES):
            try:
                if self._is_local:
                    with self._one_at_a_time:
                        return call(*values, **named)
                return call(*values, **named)
            except Exception as error:
                if not is_foreign(error, local=self._is_local):
                    raise
                last = attempt == _TRIES - 1 or self._is_local
                if last or not is_passing(error):
                    raise translation(
                        error, self.address.shown, local=self._is_local,
                        secret=self.address.api_key or "",
                    ) from error  # fmt: skip
                time.sleep(_WAIT_SECONDS * 4**attempt)
        raise AssertionError("the last try returns or raises")


def _point(found: Any) -> Point:
    vector = found.vector
    is_vector = isinstance(vector, list) and len(vector) > 0
    return Point(
        found.id,
        found.payload or {},
        np.array(vector, dtype=np.float32) if is_vector else None,
    )
