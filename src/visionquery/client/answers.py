"""From the documents of the API to the values that a library returns."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from visionquery import errors
from visionquery.errors import EngineError, VisionQueryError
from visionquery.indexing.report import IndexReport, Progress, Skipped, Stages
from visionquery.indexing.status import LibraryStatus, ReencodingStatus, RootStatus
from visionquery.query.ast import Box
from visionquery.search.result import Explanation, Hit, Part, Response
from visionquery.store.base import Facets
from visionquery.types import Facts, KnownImage

__all__ = [
    "error_of",
    "explanation_of",
    "facets_of",
    "image_of",
    "progress_of",
    "report_of",
    "response_of",
    "status_of",
]

Document = Mapping[str, Any]

_TYPE = "urn:visionquery:"
_OF_EVERY_PROBLEM = ("type", "title", "status", "detail")


def response_of(document: Document) -> Response:
    """Return the answer to a query."""
    return Response(
        query=document["query"],
        model=document["model"],
        exact=document["exact"],
        seconds=document["seconds"],
        hits=tuple(map(_hit, document["results"])),
        closest=tuple(map(_hit, document["closest"])),
        total=document["total"],
        min_confidence=document["min_confidence"],
        folded_away=document["folded_away"],
        reranked_by=document.get("reranked_by"),
        not_reranked=document.get("not_reranked", 0),
    )


def explanation_of(document: Document) -> Explanation:
    """Return why an image is, or is not, in an answer."""
    hit = _hit(document["hit"] | {"rank": 1})  # the only one of its page
    return Explanation(
        query=document["query"],
        model=document["model"],
        hit=hit,
        rank=document["rank"],
        min_confidence=document["min_confidence"],
        images=document["images"],
    )


def image_of(document: Document) -> KnownImage:
    """Return what is known of an image."""
    facts = {field.name: document[field.name] for field in fields(Facts)}
    facts["keywords"] = tuple(facts["keywords"])
    return KnownImage(
        document["image_id"],
        Facts(**facts),
        tuple(document["paths"]),
        document["text"],
        document["fragments"],
    )


def facets_of(document: Document) -> Facets:
    """Return what filters can choose from."""
    return Facets(
        **{
            name: tuple((each["value"], each["count"]) for each in document[name])
            for name in ("cameras", "types", "folders")
        },
        first_date=document["first_date"],
        last_date=document["last_date"],
    )


def status_of(document: Document) -> LibraryStatus:
    """Return a library at a glance."""
    moving = document["reencoding"]
    names = ("location", "model", "embed_dim", "images", "size_bytes", "regions")
    return LibraryStatus(
        **{name: document[name] for name in names},
        roots=tuple(RootStatus(**root) for root in document["roots"]),
        reencoding=None if moving is None else ReencodingStatus(**moving),
        copying_from=document["copying_from"],
    )


def progress_of(job: Document) -> Progress:
    """Return how far an index job is."""
    return Progress(job["done"], job["total"], job["encoded"], job["seconds"])


def report_of(job: Document) -> IndexReport:
    """Return what an index job did that is done."""
    report = dict(job["report"])
    report["skipped"] = tuple(Skipped(**skipped) for skipped in report["skipped"])
    report["notes"] = tuple(report["notes"])
    report["stages"] = Stages(**report["stages"])
    return IndexReport(**report)


def error_of(problem: Document) -> VisionQueryError:
    """Return the error that a problem document tells: of its own class with its facts, where that
    is one of `visionquery.errors`, else an EngineError."""
    kind = getattr(errors, str(problem.get("type", "")).removeprefix(_TYPE), None)
    detail = str(problem.get("detail", "The server tells no reason."))
    if not (isinstance(kind, type) and issubclass(kind, VisionQueryError)):
        return EngineError(detail)
    facts = {name: fact for name, fact in problem.items() if name not in _OF_EVERY_PROBLEM}
    try:
        return kind(detail, **facts)
    except TypeError:  # the server's version has other facts of this error
        return EngineError(detail)


def _hit(document: Document) -> Hit:
    values = dict(document)
    del values["fragment"]  # it follows from the others
    values["paths"] = tuple(values["paths"])
    values["box"] = _box(values["box"])
    values["folded"] = tuple(values["folded"])
    values["parts"] = tuple(
        Part(**(part | {"words": tuple(part["words"]), "box": _box(part["box"])}))
        for part in values["parts"]
    )
    return Hit(**values)


def _box(sides: Sequence[float] | None) -> Box | None:
    return None if sides is None else Box(*sides)
