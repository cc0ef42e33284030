"""A server that speaks as Qdrant does, as far as libraries ask it, over the client's mode without a
server: for what goes over the wire, not for what Qdrant makes of it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from qdrant_client import QdrantClient, models

__all__ = ["serving"]


@contextmanager
def serving() -> Iterator[str]:
    """Run such a server, and give its address."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.client, server.turn = QdrantClient(":memory:"), threading.Lock()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"qdrant://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        server.client.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    client: QdrantClient
    turn: threading.Lock


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        asked = json.loads(self.rfile.read(length) or b"{}")
        _, _, *names = urlsplit(self.path).path.split("/")
        try:
            with self.server.turn:
                result = _answer(self.server.client, self.command, names, asked)
            status, said = 200, {"result": result, "status": "ok", "time": 0.0}
        except Exception as error:
            status, said = 400, {"status": {"error": repr(error)}, "time": 0.0}
        body = json.dumps(said, allow_nan=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self.do_GET()

    def do_DELETE(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


def _answer(client: QdrantClient, method: str, names: list[str], asked: dict[str, Any]) -> Any:
    if not names:
        return _plain(client.get_collections())
    name, what = names[0], "/".join([method, *names[1:]])
    if what == "PUT":
        known = models.CreateCollection(**asked)
        return client.create_collection(name, vectors_config=known.vectors)
    if what == "DELETE":
        return client.delete_collection(name)
    if what.startswith("PUT") or what in ("POST/points/delete", "POST/points/batch"):
        done = {"operation_id": 1, "status": "completed"}
        _write(client, name, what, asked)
        return [done] if what == "POST/points/batch" else done
    return _read(client, name, what, asked)


def _write(client: QdrantClient, name: str, what: str, asked: dict[str, Any]) -> None:
    if what == "PUT/index":
        models.CreateFieldIndex(**asked)
    elif what == "PUT/points":
        points = models.PointsList(**asked)
        client.upsert(name, points.points, update_filter=points.update_filter)
    elif what == "POST/points/delete":
        client.delete(name, models.PointIdsList(**asked).points)
    else:
        client.batch_update_points(name, models.UpdateOperations(**asked).operations)


def _read(client: QdrantClient, name: str, what: str, asked: dict[str, Any]) -> Any:
    if what == "POST/points":
        wanted = models.PointRequest(**asked)
        return _plain(client.retrieve(
            name, wanted.ids, with_payload=wanted.with_payload, with_vectors=wanted.with_vector
        ))  # fmt: skip
    if what == "POST/points/scroll":
        scroll = models.ScrollRequest(**asked)
        points, after = client.scroll(
            name, scroll.filter, limit=scroll.limit, offset=scroll.offset,
            order_by=scroll.order_by, with_payload=scroll.with_payload,
            with_vectors=scroll.with_vector,
        )  # fmt: skip
        return {"points": _plain(points), "next_page_offset": after}
    if what == "POST/points/count":
        return _plain(client.count(name, _filter(asked.get("filter"))))
    if what == "POST/facet":
        return _plain(client.facet(name, asked["key"], limit=asked["limit"]))
    assert what == "POST/points/query/batch", what
    requests = models.QueryRequestBatch(**asked).searches
    for request in requests:
        assert request.params is not None
        request.params = None
    return _plain(client.query_batch_points(name, requests))


def _filter(asked: Any) -> models.Filter | None:
    return None if asked is None else models.Filter(**asked)


def _plain(found: Any) -> Any:
    if isinstance(found, list):
        return [_plain(each) for each in found]
    return found.model_dump(mode="json")
