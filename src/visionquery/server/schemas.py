"""The shapes of requests and answers, for OpenAPI; `documents` makes what fits them."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from visionquery.search.result import Placing, Sort

__all__ = [
    "MAX_QUERY",
    "PICTURE_BODY",
    "Answer",
    "Explained",
    "FacetsShape",
    "Health",
    "ImageFacts",
    "IndexRequest",
    "JobList",
    "JobShape",
    "LibraryFacts",
    "PageRequest",
    "ProblemShape",
    "QueryReading",
    "SearchRequest",
    "TokenRequest",
    "content",
]

_ID = "da975eab981b56d86de92a9039f10b2d"
_PATH = "/home/me/Pictures/2024/beach.jpg"
MAX_QUERY = 2000
"""Characters of a query."""

_MAX_LIMIT = 1000
_MAX_OFFSET = 10**9

PICTURE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The bytes of a picture.",
        "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
    }
}
"""How OpenAPI describes a body that is a picture."""


def content(media_type: str, description: str) -> dict[int | str, dict[str, Any]]:
    """Return how OpenAPI describes an answer that is no JSON."""
    return {200: {"content": {media_type: {}}, "description": description}}


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PageRequest(_Shape):
    """Which stretch of an answer is wanted."""

    limit: int = Field(100, ge=1, le=_MAX_LIMIT, description="Results at most.")
    offset: int = Field(0, ge=0, le=_MAX_OFFSET, description="Results to leave out first.")
    cursor: str | None = Field(
        None,
        max_length=200,
        description="`next_cursor` of the page before, to go on where it ended; instead of offset.",
    )
    min_confidence: float | None = Field(
        None, ge=0, le=1, description="Where relevance ends; left out, the default."
    )
    exact: bool | None = Field(
        None, description="Compare every image; left out, up to a million, 20,000 in an engine."
    )
    fold: bool = Field(
        False,
        description="Give one hit for images that are much the same, as of a burst; limit, offset "
        "and cursor count such hits.",
    )
    within: list[str] = Field(
        [], max_length=50, description="Indexed folders or files to answer from; all if none."
    )


class SearchRequest(PageRequest):
    """A query and what is wanted of its answer."""

    q: str = Field(
        "",
        max_length=MAX_QUERY,
        description="Text of the query language. Blank: everything, newest first; with a picture, "
        "which it calls `image:upload`: that picture alone.",
        examples=["a dog on a beach -people date:2024"],
    )
    sort: Sort | None = Field(None, description="Order of what is relevant; else best first.")
    spread: bool = Field(
        False, description="Give different images first; for no order but best first."
    )
    explain: bool = Field(False, description="Give every hit its parts.")
    rerank: bool = Field(
        False, description="Have the server's second model look at the best once more."
    )
    candidates: int = Field(100, ge=24, le=200, description="How many of the best it looks at.")


_BOX = Field(
    description="Where in the image it was found: left, top, width and height in percent; null "
    "where it is the whole.",
    examples=[[50.0, 0.0, 50.0, 50.0]],
)


class PartShape(_Shape):
    """What one part of a query has to do with an image."""

    text: str = Field(examples=["a dog"])
    kind: Literal["description", "picture", "filter"]
    excluded: bool
    confidence: float = Field(ge=0, le=1)
    score: float | None = Field(description="Cosine; null for a filter.")
    words: list[str] = Field(description="Words of the part in the image's names and texts.")
    box: tuple[float, float, float, float] | None = _BOX


class HitShape(_Shape):
    """An image in an answer."""

    rank: int | None = Field(description="Counts from 1 over the whole answer.", examples=[1])
    score: float | None = Field(description="Cosine; null where none was compared.")
    confidence: float = Field(ge=0, le=1, examples=[0.93])
    image_id: str = Field(examples=[_ID])
    path: str | None = Field(examples=[_PATH])
    fragment: str | None = Field(
        description="Which of several images in the file at `path`; null where the file is it.",
        examples=["t=12.48", "page=3", "member=a/b.jpg"],
    )
    paths: list[str] = Field(examples=[[_PATH]])
    fragments: dict[str, str] = Field(
        description="The fragment for each of `paths` whose file holds several images."
    )
    width: int = Field(description="Pixels as a person sees the picture.", examples=[4032])
    height: int = Field(examples=[3024])
    taken_at: str | None = Field(description="ISO 8601.", examples=["2024-07-14T18:22:05"])
    box: tuple[float, float, float, float] | None = _BOX
    placed: Placing | None = Field(
        description="Whether things lie where the query says; null where it says nothing of that."
    )
    parts: list[PartShape] = Field(description="Filled when `explain` was asked for.")
    folded: list[str] = Field(
        description="Ids of relevant images that are much the same and stand behind this one, best "
        "first; filled when `fold` was asked for."
    )


class QueryPartShape(_Shape):
    """A part of a query at its top: the parts of an AND, or the whole."""

    text: str = Field(examples=["date:2024"])
    kind: Literal["description", "picture", "example", "filter", "group"]
    field: str | None = Field(description="The field of a filter.", examples=["date"])
    excluded: bool
    image_ids: list[str] = Field(
        description="Images that `like:`, `more:` and `less:` terms of the part name."
    )
    without: str = Field(description="The query without this part.", examples=["a dog"])


class Answer(_Shape):
    """The answer to a query."""

    query: str = Field(examples=["a dog date:2024"])
    canonical: str = Field(description="The query without plain language, as it is read.")
    query_parts: list[QueryPartShape]
    model: str = Field(examples=["pocket"])
    exact: bool = Field(description="Every image was compared.")
    seconds: float = Field(description="From text to answer, without HTTP.", examples=[0.012])
    min_confidence: float = Field(description="Where relevance ended.", examples=[0.2])
    total: int = Field(description="Relevant images on all pages.", examples=[31])
    folded_away: int = Field(
        description="How many of these stand behind others: all pages together have so many hits "
        "less.",
        examples=[0],
    )
    reranked_by: str | None = Field(description="The model that looked again; null for none.")
    not_reranked: int = Field(description="How many of the best it could not look at.")
    second_look: bool = Field(description="Whether `rerank` would refine this answer.")
    results: list[HitShape]
    closest: list[HitShape] = Field(description="What came near, but is below `min_confidence`.")
    next_cursor: str | None = Field(description="For the next page; null at the end.")


class QueryReading(_Shape):
    """How a query is read, after editing."""

    query: str = Field(examples=["a dog date:2024"])
    canonical: str
    tree: dict[str, object] | None = Field(description="The query as data; null for a blank one.")
    outline: str = Field(description="The tree in words, a line for each node.")
    query_parts: list[QueryPartShape]


class ImageFacts(_Shape):
    """What is known of an image."""

    image_id: str = Field(examples=[_ID])
    width: int = Field(examples=[4032])
    height: int = Field(examples=[3024])
    format: str = Field(examples=["JPEG"])
    size_bytes: int = Field(examples=[2_345_678])
    camera: str | None = Field(examples=["SONY ILCE-7M3"])
    taken_at: str | None = Field(examples=["2024-07-14T18:22:05"])
    latitude: float | None = Field(description="Degrees, WGS 84.", examples=[43.55])
    longitude: float | None = Field(examples=[7.02])
    caption: str | None
    keywords: list[str]
    text: str | None = Field(description="Text read in the picture; null when nobody has looked.")
    paths: list[str] = Field(description="All places where it lies.", examples=[[_PATH]])
    fragments: dict[str, str] = Field(
        description="The fragment for each of `paths` whose file holds several images."
    )


class Explained(_Shape):
    """Why an image is, or is not, in the answer to a query."""

    query: str
    model: str
    relevant: bool
    rank: int | None = Field(description="Among all images; null where a filter leaves it out.")
    images: int = Field(description="How many were compared.")
    min_confidence: float
    left_out_by: list[str] = Field(description="Parts that leave it out whatever it shows.")
    verdict: str = Field(description="The same in a sentence.")
    hit: HitShape


class CountShape(_Shape):
    """A value and how many images have it."""

    value: str = Field(examples=["SONY ILCE-7M3"])
    count: int = Field(examples=[812])


class FacetsShape(_Shape):
    """What filters can choose from, most frequent first."""

    cameras: list[CountShape]
    types: list[CountShape] = Field(description="Extensions, for `ext:`.")
    folders: list[CountShape] = Field(description="Indexed folders and those in them.")
    first_date: str | None
    last_date: str | None


class RootShape(_Shape):
    """An indexed folder."""

    location: str
    present: bool = Field(description="Whether it is there now.")
    files: int
    skipped: int


class ReencodingShape(_Shape):
    """A move to another model."""

    model: str
    source: str
    done: int
    images: int


class LibraryFacts(_Shape):
    """A library at a glance."""

    version: str = Field(description="Of the program.")
    location: str
    model: str
    embed_dim: int
    images: int
    size_bytes: int
    roots: list[RootShape]
    reencoding: ReencodingShape | None
    copying_from: str | None = Field(description="Of which library this is an unfinished copy.")
    regions: int = Field(description="How many images were looked at in parts.")
    may_index_new_folders: bool


class IndexRequest(_Shape):
    """Folders or pictures to bring the library up to date with; none stands for all its folders."""

    paths: list[str] = Field([], max_length=100, examples=[["/home/me/Pictures"]])


class SkippedShape(_Shape):
    """A file that could not be indexed."""

    path: str
    reason: str


class ReportShape(_Shape):
    """What an index job did, in images."""

    added: int
    updated: int
    reused: int
    unchanged: int
    removed: int
    images: int
    seconds: float
    stages: dict[str, float] = Field(description="Seconds of each stage; they overlap.")
    skipped: list[SkippedShape]
    notes: list[str]


class ProblemShape(BaseModel):
    """What went wrong (RFC 9457), and what to do next."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:visionquery:QueryError"])
    title: str = Field(examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["At character 7: a quote is not closed; add the second one."])


class JobShape(_Shape):
    """An index job as it stands."""

    job_id: str = Field(examples=["5f0c2d9be1a87746"])
    paths: list[str]
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    done: int = Field(description="Files dealt with.")
    total: int = Field(description="Files to deal with.")
    encoded: int = Field(description="Images that went through the encoder.")
    seconds: float
    report: ReportShape | None
    problem: ProblemShape | None


class JobList(_Shape):
    """Index jobs, newest first."""

    jobs: list[JobShape]


class TokenRequest(_Shape):
    """The token, to be exchanged for a session."""

    token: str = Field(max_length=1000)


class Health(_Shape):
    """That the server answers."""

    status: Literal["ok"]
