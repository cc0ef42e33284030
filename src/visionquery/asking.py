"""From a tree and what a person wants of its answer to a response."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, get_args

from visionquery.errors import ImageError, ImageNotFoundError, InputError
from visionquery.images.limits import DEFAULT_LIMITS, Limits
from visionquery.indexing.places import named_scopes
from visionquery.opening import check_pictures
from visionquery.query.ast import And, Arranged, Blend, Filter, Like, Node, Not, Or, Picture
from visionquery.search.result import (
    DEFAULT_MIN_CONFIDENCE,
    Explanation,
    Page,
    Response,
    Sort,
    seen_within,
)
from visionquery.store.base import ImageRecord, Store
from visionquery.store.places import spelled
from visionquery.store.questions import Where
from visionquery.types import KnownImage

if TYPE_CHECKING:
    from visionquery.images.content import Content
    from visionquery.models.encoder import Encoder
    from visionquery.query.plan import Plan
    from visionquery.types import Decoded

__all__ = [
    "NO_PICTURES",
    "Wanted",
    "answer",
    "explain",
    "known_image",
    "original",
    "picture_id",
    "planned",
]


NO_PICTURES: Final[Mapping[str, bytes]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of an answer: its page, the order, where relevance ends (0..1), folders or
    files to answer from (all where there are none), whether every hit is explained, whether
    every image is compared (None: where the store can), whether alike images are folded into one,
    and whether what comes first is spread."""

    limit: int = 20
    offset: int = 0
    sort: Sort | None = None
    min_confidence: float = DEFAULT_MIN_CONFIDENCE
    within: Sequence[str] = ()
    parts: bool = False
    exact: bool | None = None
    fold: bool = False
    spread: bool = False


def answer(
    store: Store,
    encoder: Callable[[], Encoder],
    node: Node,
    text: str,
    wanted: Wanted,
    *,
    without: str | None = None,
    pictures: Mapping[str, bytes] = NO_PICTURES,
    limits: Limits = DEFAULT_LIMITS,
) -> Response:
    """Return the answer to a tree, which `text` names; the image `without` is left out.

    A term `image:NAME` means the content `pictures[NAME]` where there is one, otherwise a file;
    neither may be above `limits`. `encoder` is called once what is wanted is known to
    make sense. Raises InputError for what does not, for pictures that are not there, parts of
    images whose files are not, and folders that are not indexed; ImageError, ModelError.
    """
    from visionquery.search.executor import execute
    from visionquery.search.variety import Variety

    started = time.perf_counter()
    _check(wanted)
    check_pictures(node, given=pictures)
    scopes = named_scopes(store, wanted.within)
    with store.reading():
        _check_texts(node, store)
        page = execute(
            planned(store, encoder(), node, pictures, limits),
            store,
            where=Where(tuple(scopes) if scopes else None, without=without),
            limit=wanted.limit,
            offset=wanted.offset,
            min_confidence=wanted.min_confidence,
            sort=wanted.sort,
            places=wanted.within,
            parts=wanted.parts,
            exact=wanted.exact,
            variety=Variety(wanted.fold, wanted.spread),
        )
    return _response(page, text, store.model.name, wanted, time.perf_counter() - started)


def _response(page: Page, text: str, model: str, wanted: Wanted, seconds: float) -> Response:
    return Response(
        query=text,
        model=model,
        exact=page.exact,
        seconds=seconds,
        hits=seen_within(page.hits, wanted.within),
        closest=seen_within(page.closest, wanted.within),
        total=page.total,
        min_confidence=wanted.min_confidence,
        folded_away=page.folded_away,
    )


def explain(
    store: Store,
    encoder: Callable[[], Encoder],
    image_id: str,
    node: Node,
    text: str,
    *,
    min_confidence: float,
    pictures: Mapping[str, bytes] = NO_PICTURES,
    limits: Limits = DEFAULT_LIMITS,
) -> Explanation:
    """Return why a stored image is, or is not, in the answer to a tree, which `text` names.

    `pictures` and `limits` are those of `answer`. Raises as it does, and ImageNotFoundError for an
    image that is not stored.
    """
    from visionquery.search import executor

    check_pictures(node, given=pictures)
    with store.reading():
        _check_texts(node, store)
        rows = store.find(image_id)
        if len(rows) != 1:
            raise ImageNotFoundError(
                "The picture is not in the library, so no search can find it. Add it, or its "
                "folder, with: visionquery index PATH"
            )
        return executor.explain(
            planned(store, encoder(), node, pictures, limits),
            store,
            rows[0],
            text=text,
            min_confidence=min_confidence,
        )


def known_image(store: Store, image_id: str) -> KnownImage:
    """Return what a store knows of the image with an id, which is given whole.

    Raises ImageNotFoundError where there is none.
    """
    record = _record(store, image_id)
    return KnownImage(
        record.image_id, record.facts, record.paths, record.text, record.fragments
    )


def _record(store: Store, image_id: str) -> ImageRecord:
    with store.reading():
        for row in store.rows_of([image_id]).values():
            return store.records([row])[0]
    raise ImageNotFoundError(f"The library has no image {image_id}; it may have been removed.")


def original(store: Store, image_id: str) -> tuple[str, Content]:
    """Return the path and the content of the first file that still holds an image.

    Raises ImageNotFoundError where there is no such image, or no file of it as it was.
    """
    from visionquery.indexing.stored import content_of

    record = _record(store, image_id)
    found = content_of(record, limits=DEFAULT_LIMITS)
    if found is None:
        raise ImageNotFoundError(
            f"The file of image {image_id} is gone or has changed since it was indexed. Plug its "
            "disk in, or bring its folder up to date with: visionquery index PATH"
        )
    return found


def picture_id(path: str) -> str:
    """Return the id of the image that a file is. Raises ImageError when it cannot be read."""
    from visionquery.images import content

    return content.load(spelled(path), limits=DEFAULT_LIMITS).image_id


def planned(
    store: Store, encoder: Encoder, node: Node, pictures: Mapping[str, bytes], limits: Limits
) -> Plan:
    """Return the plan of a tree; `pictures` and `limits` are those of `answer`, and so is what is
    raised."""
    from visionquery.search.background import kept_background
    from visionquery.search.planner import plan

    def read(term: Picture | Like) -> Decoded:
        if isinstance(term, Like):
            return _part(term, store, encoder)
        return _picture(term.path, pictures.get(term.path), encoder, limits)

    return plan(
        node,
        encoder=encoder,
        store=store,
        background=kept_background(store),
        read_picture=read,
    )


def _picture(path: str, content: bytes | None, encoder: Encoder, limits: Limits) -> Decoded:
    from visionquery.images import workers
    from visionquery.images.content import load, of_bytes

    try:
        found = load(spelled(path), limits=limits) if content is None else of_bytes(content)
        return workers.decode(found, min_side=2 * encoder.image_side, limits=limits)
    except ImageError as error:
        raise type(error)(f"The picture {path} cannot be used as a query: {error}.") from error


def _part(term: Like, store: Store, encoder: Encoder) -> Decoded:
    """Decode a part of a stored image, under the limits that it was indexed under."""
    from visionquery.images import workers
    from visionquery.indexing.stored import content_of

    assert term.box is not None, "a whole image has its vector"
    with store.reading():
        (record,) = store.records(store.find(term.image_id))
    place = record.paths[0] if record.paths else "its file"
    found = content_of(record, limits=DEFAULT_LIMITS)
    if found is None:
        raise InputError(
            f"like:{term.image_id}@ needs the picture itself, but {place} is gone or has changed "
            "since it was indexed. Plug its disk in, or bring its folder up to date with: "
            "visionquery index PATH"
        )
    place, content = found
    try:
        return workers.decode_part(content, term.box, min_side=2 * encoder.image_side)
    except ImageError as error:
        raise type(error)(f"The picture {place} cannot be used as a query: {error}.") from error


def _check(wanted: Wanted) -> None:
    for name, value in (("limit", wanted.limit), ("offset", wanted.offset)):
        if not isinstance(value, int):
            raise InputError(f"{name} is {value!r}; it must be a whole number.")
    orders = get_args(Sort)
    if wanted.sort is not None and wanted.sort not in orders:
        raise InputError(f"An answer cannot be sorted by {wanted.sort!r}: give {_listed(orders)}.")
    if wanted.spread and wanted.sort in ("date", "path"):
        raise InputError(
            f"An answer has one order: leave out spread, or the order by {wanted.sort}."
        )


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _check_texts(node: Node, store: Store) -> None:
    """Raise InputError where a query asks for text in pictures and none was ever read: an empty
    answer would say that none of them has it."""
    if _asks_for_text(node) and not store.has_texts():
        raise InputError(
            "text: looks at the text that was read in pictures, and in this library none was read "
            "so far. Read it with: visionquery index --ocr FOLDER"
        )


def _asks_for_text(node: Node) -> bool:
    match node:
        case Filter(field):
            return field == "text"
        case Not(part):
            return _asks_for_text(part)
        case And(parts) | Or(parts):
            return any(map(_asks_for_text, parts))
        case Blend() | Arranged():
            return False
