"""What a search returns: plain values, ready to show or to serialize."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from visionquery.query.ast import Box
from visionquery.store.derived import place_that_counts

__all__ = [
    "DEFAULT_MIN_CONFIDENCE",
    "Explanation",
    "Hit",
    "Page",
    "Part",
    "Placing",
    "Response",
    "Sort",
    "path_within",
    "seen_within",
]

DEFAULT_MIN_CONFIDENCE: Final = 0.2
"""Where relevance ends unless a person says otherwise: at most one in twenty names of absent
things gets an answer there, on held-out photographs."""

Sort = Literal["relevance", "date", "path"]
"""Order of an answer: best first; newest first, undated last; by path."""


Placing = Literal["as asked", "otherwise", "unsure"]
"""Whether things lie where a query says; unsure where too little of an image tells."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one part of a query has to do with one image.

    `text` is the part as query text, `kind` what it is. `confidence`, 0..1, says how sure it is
    that the image shows the part, 1 or 0 for a filter; of a part that is `excluded` little is
    wanted. `score` is the cosine, None for a filter. `words` are the words of the part that stand
    in the image's names, caption, keywords or text. `box` is where in the image it was found, None
    where it is the whole.
    """

    text: str
    kind: Literal["description", "picture", "filter"]
    excluded: bool
    confidence: float
    score: float | None = None
    words: tuple[str, ...] = ()
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """An image in an answer.

    `rank` counts from 1 over the whole answer, whatever the offset. `score` is the cosine (mean
    cosine of the probes that are asked for, where there are several), None where no vector was
    compared; `confidence` is 0..1. `path` is the first of `paths`, all absolute; `width` and
    `height` are pixels; `taken_at` is ISO 8601. `parts` explain it, where that was asked for.
    `fragments` says, of those paths whose file holds several images, which one it is. `box` is the
    part of the image that what is asked for was found in, None where the whole says more. `folded`
    are the ids of images that are much the same and stand behind this one, where that was asked
    for. `placed` tells whether things lie where the query says, None where it says nothing of that.
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
    parts: tuple[Part, ...] = ()
    fragments: Mapping[str, str] = field(default_factory=dict, hash=False)
    box: Box | None = None
    folded: tuple[str, ...] = ()
    placed: Placing | None = None

    @property
    def fragment(self) -> str:
        """Which of several images in the file at `path` it is, "" where the file is the image."""
        return "" if self.path is None else self.fragments.get(self.path, "")


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of an answer: `hits` reach the wanted confidence, `closest` come next in order
    but do not. `total` is how many images reach it in all, on every page; `exact` tells that no
    image was skipped to save time. Where some were, both are of those that were compared. Of
    `total`, `folded_away` stand behind others, so that all pages have the difference in hits."""

    hits: tuple[Hit, ...]
    closest: tuple[Hit, ...]
    total: int
    exact: bool
    folded_away: int = 0


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a query; iterates over its hits, and is true when it has any.

    `model` names the model that compared, `exact` tells that no image was skipped to save time,
    `seconds` is the time from text to answer. `hits`, `closest`, `total` and `folded_away` are
    those of `Page`; `min_confidence` is where relevance ended. `reranked_by` names the model that
    looked at the best once more, None where none did; `not_reranked` is how many of these it could
    not look at, since their files are gone or have changed.
    """

    query: str
    model: str
    exact: bool
    seconds: float
    hits: tuple[Hit, ...]
    closest: tuple[Hit, ...]
    total: int
    min_confidence: float
    folded_away: int = 0
    reranked_by: str | None = None
    not_reranked: int = 0

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    def __len__(self) -> int:
        return len(self.hits)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an image is, or is not, in the answer to a query.

    `hit` is the image with its parts; its rank counts all images in order of relevance, and is
    None where a filter leaves the image out. `min_confidence` is where relevance ends; `images`
    is how many were compared.
    """

    query: str
    model: str
    hit: Hit
    rank: int | None
    min_confidence: float
    images: int

    @property
    def is_relevant(self) -> bool:
        """Whether the image is in the answer."""
        return self.rank is not None and self.hit.confidence >= self.min_confidence


def seen_within(hits: tuple[Hit, ...], places: Sequence[str]) -> tuple[Hit, ...]:
    """Return hits that name, of several paths of an image, one at or below `places` (any path
    where there are none)."""
    if not places:
        return hits
    return tuple(replace(hit, path=path_within(hit.paths, places)) for hit in hits)


def path_within(paths: Sequence[str], places: Sequence[str]) -> str | None:
    """Return the first of an image's paths at or below `places`, the first where there is none
    such; None of no paths."""
    return place_that_counts(paths, places) or None
