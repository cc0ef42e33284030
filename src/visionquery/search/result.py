"""What a search returns: plain values, ready to show or to serialize."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

__all__ = ["Hit", "Page", "Response", "seen_within"]


@dataclass(frozen=True, slots=True)
class Hit:
    """An image in an answer.

    `rank` counts from 1 over the whole answer, whatever the offset. `score` is the cosine (mean
    cosine of the probes that are asked for, where there are several), None where no vector was
    compared; `confidence` is 0..1. `path` is the first of `paths`, all absolute; `width` and
    `height` are pixels; `taken_at` is ISO 8601.
    """

    rank: int
    score: float | None
    confidence: float
    image_id: str
    path: str | None
    paths: tuple[str, ...]
    width: int
    height: int
    taken_at: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of an answer: `hits` reach the wanted confidence, `closest` come next in order
    but do not. `total` is how many images reach it in all, on every page."""

    hits: tuple[Hit, ...]
    closest: tuple[Hit, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a query; iterates over its hits, and is true when it has any.

    `model` names the model that compared, `exact` tells that no image was skipped to save time,
    `seconds` is the time from text to answer. `hits`, `closest` and `total` are those of `Page`.
    """

    query: str
    model: str
    exact: bool
    seconds: float
    hits: tuple[Hit, ...]
    closest: tuple[Hit, ...]
    total: int

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    def __len__(self) -> int:
        return len(self.hits)


def seen_within(hits: tuple[Hit, ...], places: Sequence[Path]) -> tuple[Hit, ...]:
    """Return hits that name, of several paths of an image, one at or below `places` (any path
    where there are none)."""

    def is_within(path: str) -> bool:
        return any(Path(path).is_relative_to(place) for place in places)

    if not places:
        return hits
    return tuple(replace(hit, path=next(filter(is_within, hit.paths), hit.path)) for hit in hits)
