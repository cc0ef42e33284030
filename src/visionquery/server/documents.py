"""From what the library returns to the documents of the API: nothing is rounded, so that a client
has the same answer as a program beside the library.

Made by hand and not by pydantic: a file name that is no valid UTF-8 keeps its bytes as lone
surrogates, which JSON can carry (in escapes) and pydantic does not write.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, fields

from starlette.responses import Response as HttpResponse

from visionquery import __version__
from visionquery.indexing.status import LibraryStatus
from visionquery.present.documents import explanation_document
from visionquery.present.explanations import verdict
from visionquery.query.ast import Box, Node
from visionquery.query.document import as_document
from visionquery.query.editing import parts
from visionquery.query.wording import explain, unparse
from visionquery.search.result import Explanation, Hit, Part, Response
from visionquery.server.jobs import Job
from visionquery.server.settings import ServerSettings
from visionquery.store.base import Facets
from visionquery.types import KnownImage

__all__ = [
    "answer_document",
    "explained_document",
    "facets_document",
    "image_document",
    "job_document",
    "reading_document",
    "rendered",
    "respond",
    "status_document",
]

_HIT = tuple(field.name for field in fields(Hit) if field.name != "parts")
_PART = tuple(field.name for field in fields(Part))


def respond(document: Mapping[str, object], status: int = 200) -> HttpResponse:
    """Return a document as a response that no cache keeps."""
    headers = {"Cache-Control": "no-store"}
    return HttpResponse(rendered(document), status, headers, "application/json")


def rendered(document: Mapping[str, object]) -> str:
    """Return a document as JSON text in pure ASCII."""
    return json.dumps(document)


def answer_document(
    response: Response, node: Node | None, next_cursor: str | None, *, has_second: bool = False
) -> dict[str, object]:
    """Return the answer to a query; `node` is its tree, None for everything there is, and
    `has_second` says whether a second model is there to look again."""
    return {
        "query": response.query,
        "canonical": unparse(node) if node else "",
        "query_parts": _query_parts(node),
        "model": response.model,
        "exact": response.exact,
        "seconds": response.seconds,
        "min_confidence": response.min_confidence,
        "total": response.total,
        "folded_away": response.folded_away,
        "reranked_by": response.reranked_by,
        "not_reranked": response.not_reranked,
        "second_look": has_second and response.reranked_by is None and _is_compared(response),
        "results": [_hit(hit) for hit in response.hits],
        "closest": [_hit(hit) for hit in response.closest],
        "next_cursor": next_cursor,
    }


def explained_document(found: Explanation, node: Node) -> dict[str, object]:
    """Return why an image is, or is not, in the answer to a query, whose tree is `node`."""
    document = explanation_document(found, node)
    del document["image"]  # whose numbers are rounded there
    return document | {
        "verdict": verdict(found, node, name="This picture"),
        "hit": _hit(found.hit) | {"rank": found.rank},
    }


def reading_document(query: str, node: Node | None) -> dict[str, object]:
    """Return how a query is read; `node` is its tree, None for a blank one."""
    return {
        "query": query,
        "canonical": unparse(node) if node else "",
        "tree": as_document(node) if node else None,
        "outline": explain(node) if node else "",
        "query_parts": _query_parts(node),
    }


def image_document(known: KnownImage) -> dict[str, object]:
    """Return what is known of an image."""
    return {
        "image_id": known.image_id,
        **asdict(known.facts),
        "text": known.text,
        "paths": known.paths,
        "fragments": known.fragments,
    }


def facets_document(facets: Facets) -> dict[str, object]:
    """Return what filters can choose from."""
    return {
        "cameras": _counts(facets.cameras),
        "types": _counts(facets.types),
        "folders": _counts(facets.folders),
        "first_date": facets.first_date,
        "last_date": facets.last_date,
    }


def status_document(status: LibraryStatus, settings: ServerSettings) -> dict[str, object]:
    """Return a library at a glance."""
    facts = asdict(status)
    names = ("location", "present", "files", "skipped")
    facts["roots"] = [{name: root[name] for name in names} for root in facts["roots"]]
    return {
        "version": __version__,
        **facts,
        "may_index_new_folders": settings.may_index_new_folders,
    }


def job_document(job: Job) -> dict[str, object]:
    """Return an index job as it stands."""
    report = job.report
    return {
        "job_id": job.job_id,
        "paths": job.paths,
        "state": job.state,
        "done": job.done,
        "total": job.total,
        "encoded": job.encoded,
        "seconds": job.seconds,
        "report": report and asdict(report),
        "problem": job.problem,
    }


def _is_compared(response: Response) -> bool:
    return any(hit.score is not None for hit in (*response.hits, *response.closest))


def _hit(hit: Hit) -> dict[str, object]:
    document = {name: getattr(hit, name) for name in _HIT}
    document["fragment"] = hit.fragment or None
    document["box"] = _sides(hit.box)
    document["parts"] = [
        {name: getattr(part, name) for name in _PART} | {"box": _sides(part.box)}
        for part in hit.parts
    ]
    return document


def _sides(box: Box | None) -> tuple[float, ...] | None:
    return None if box is None else astuple(box)


def _query_parts(node: Node | None) -> list[dict[str, object]]:
    return [asdict(part) for part in parts(node)] if node else []


def _counts(pairs: Sequence[tuple[str, int]]) -> list[dict[str, object]]:
    return [{"value": value, "count": count} for value, count in pairs]
