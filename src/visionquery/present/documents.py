"""The JSON documents of `--json`: contracts that other programs are written against."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, astuple
from typing import TYPE_CHECKING

from visionquery.present.explanations import left_out_by
from visionquery.query.ast import Box, Node
from visionquery.query.document import as_document
from visionquery.query.wording import unparse
from visionquery.search.result import Explanation, Hit, Part, Response

if TYPE_CHECKING:
    # A search has its document without the code of all that others report.
    from visionquery.evaluation import Evaluation
    from visionquery.indexing.ocr import OcrReport
    from visionquery.indexing.reencode import ReencodeReport
    from visionquery.indexing.regions import RegionsReport
    from visionquery.indexing.report import IndexReport, Skipped
    from visionquery.indexing.status import LibraryStatus
    from visionquery.models.quantize import Quantized, QuantizedTower

__all__ = [
    "evaluation_document",
    "explanation_document",
    "index_document",
    "quantized_document",
    "query_document",
    "reencode_document",
    "regions_document",
    "render",
    "search_document",
    "skipped_documents",
    "status_document",
    "texts_document",
]


def render(document: Mapping[str, object], *, in_one_line: bool = False) -> str:
    """Return a document as JSON text, indented unless it is to be in one line.

    It is pure ASCII, so that any file name, even one that is not valid UTF-8, passes any pipe
    (such bytes are lone surrogates, which Python's `os.fsencode` turns back).
    """
    return json.dumps(document, indent=None if in_one_line else 2)


def search_document(response: Response) -> dict[str, object]:
    """Return `{"query", "model", "exact", "seconds", "min_confidence", "total", "folded_away",
    "reranked_by", "not_reranked", "results", "closest"}`; `min_confidence` is where relevance
    ended."""
    return {
        "query": response.query,
        "model": response.model,
        "exact": response.exact,
        "seconds": round(response.seconds, 4),
        "min_confidence": response.min_confidence,
        "total": response.total,
        "folded_away": response.folded_away,
        "reranked_by": response.reranked_by,
        "not_reranked": response.not_reranked,
        "results": _hits(response.hits),
        "closest": _hits(response.closest),
    }


def explanation_document(found: Explanation, node: Node) -> dict[str, object]:
    """Return `{"query", "model", "relevant", "rank", "images", "min_confidence", "left_out_by",
    "image"}`, the image as in the results of a search, with its parts; `node` is the tree of the
    query."""
    image = _hit(found.hit)
    del image["rank"], image["folded"]  # which are of an answer
    return {
        "query": found.query,
        "model": found.model,
        "relevant": found.is_relevant,
        "rank": found.rank,
        "images": found.images,
        "min_confidence": found.min_confidence,
        "left_out_by": left_out_by(node, found.hit.parts),
        "image": image,
    }


def _hits(hits: Sequence[Hit]) -> list[dict[str, object]]:
    return [_hit(hit) for hit in hits]


def _hit(hit: Hit) -> dict[str, object]:
    document: dict[str, object] = {
        "rank": hit.rank,
        "score": None if hit.score is None else round(hit.score, 5),
        "confidence": round(hit.confidence, 4),
        "image_id": hit.image_id,
        "path": hit.path,
        "fragment": hit.fragment or None,
        "paths": list(hit.paths),
        "width": hit.width,
        "height": hit.height,
        "taken_at": hit.taken_at,
        "box": None if hit.box is None else _sides(hit.box),
        "folded": list(hit.folded),
        "placed": hit.placed,
    }
    if hit.parts:
        document["parts"] = [_part(part) for part in hit.parts]
    return document


def _part(part: Part) -> dict[str, object]:
    return {
        "text": part.text,
        "kind": part.kind,
        "excluded": part.excluded,
        "confidence": round(part.confidence, 4),
        "score": None if part.score is None else round(part.score, 5),
        "words": list(part.words),
        "box": None if part.box is None else _sides(part.box),
    }


def _sides(box: Box) -> list[float]:
    """Return left, top, width and height of a part of an image, in percent."""
    return [round(side, 2) for side in astuple(box)]


def query_document(query: str, node: Node) -> dict[str, object]:
    """Return `{"query", "canonical", "tree"}`: how the text of a query is read."""
    return {"query": query, "canonical": unparse(node), "tree": as_document(node)}


def skipped_documents(skipped: Iterable[Skipped]) -> list[dict[str, str]]:
    """Return `[{"path", "reason"}]`, with `"fragment"` where it is a part of the file."""
    return [{name: text for name, text in asdict(item).items() if text} for item in skipped]


def index_document(report: IndexReport) -> dict[str, object]:
    """Return `{"added", "updated", "reused", "unchanged", "removed", "skipped", "images",
    "seconds", "images_per_second", "stages", "notes"}`."""
    return {
        "added": report.added,
        "updated": report.updated,
        "reused": report.reused,
        "unchanged": report.unchanged,
        "removed": report.removed,
        "skipped": skipped_documents(report.skipped),
        "images": report.images,
        "seconds": round(report.seconds, 3),
        "images_per_second": round(report.images_per_second, 2),
        "stages": {name: round(s, 3) for name, s in asdict(report.stages).items()},
        "notes": list(report.notes),
    }


def texts_document(report: OcrReport) -> dict[str, object]:
    """Return `{"read", "with_text", "left", "images", "skipped", "seconds",
    "images_per_second", "notes"}`."""
    return {
        "read": report.read,
        "with_text": report.with_text,
        "left": report.left,
        "images": report.images,
        "skipped": skipped_documents(report.skipped),
        "seconds": round(report.seconds, 3),
        "images_per_second": round(report.images_per_second, 2),
        "notes": list(report.notes),
    }


def regions_document(report: RegionsReport) -> dict[str, object]:
    """Return `{"viewed", "regions", "left", "images", "skipped", "seconds", "images_per_second",
    "notes"}`."""
    return {
        "viewed": report.viewed,
        "regions": report.regions,
        "left": report.left,
        "images": report.images,
        "skipped": skipped_documents(report.skipped),
        "seconds": round(report.seconds, 3),
        "images_per_second": round(report.images_per_second, 2),
        "notes": list(report.notes),
    }


def reencode_document(report: ReencodeReport) -> dict[str, object]:
    """Return `{"reencoded", "left", "images", "model", "complete", "skipped", "seconds",
    "images_per_second", "notes"}`."""
    return {
        "reencoded": report.reencoded,
        "left": report.left,
        "images": report.images,
        "model": report.model,
        "complete": report.complete,
        "skipped": skipped_documents(report.skipped),
        "seconds": round(report.seconds, 3),
        "images_per_second": round(report.images_per_second, 2),
        "notes": list(report.notes),
    }


def status_document(status: LibraryStatus) -> dict[str, object]:
    """Return the library's facts, roots and a move to another model included."""
    return asdict(status)


def quantized_document(made: Quantized) -> dict[str, object]:
    """Return `{"model", "source", "folder", "fingerprint", "towers", "fidelity"}`; of each tower
    `{"recipe", "layers", "float_layers", "size_bytes", "seconds"}`, the last two before and
    after."""
    return {
        "model": made.spec.name,
        "source": made.source.name,
        "folder": str(made.folder),
        "fingerprint": made.spec.identity.fingerprint,
        "towers": {tower.name: _quantized_tower(tower) for tower in made.towers},
        "fidelity": {
            name: round(value, 5) if isinstance(value, float) else value
            for name, value in asdict(made.fidelity).items()
        },
    }


def _quantized_tower(tower: QuantizedTower) -> dict[str, object]:
    return {
        "recipe": tower.recipe,
        "layers": tower.layers,
        "float_layers": tower.float_layers,
        "size_bytes": dict(zip(("before", "after"), tower.size_bytes, strict=True)),
        "seconds": {
            when: round(value, 6)
            for when, value in zip(("before", "after"), tower.seconds, strict=True)
        },
    }


def evaluation_document(evaluation: Evaluation) -> dict[str, object]:
    """Return `{"images", "captions", "hit_rate", "recall", "mrr", "median_rank"}`."""
    return {
        "images": evaluation.images,
        "captions": evaluation.captions,
        "hit_rate": {str(k): round(rate, 4) for k, rate in evaluation.hit_rate.items()},
        "recall": {str(k): round(rate, 4) for k, rate in evaluation.recall.items()},
        "mrr": round(evaluation.mrr, 4),
        "median_rank": evaluation.median_rank,
    }
