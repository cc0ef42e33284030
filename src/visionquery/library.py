"""The façade: one object for a library of images that can be asked in words.

It never prints; what a person should see goes through the callbacks. How it is opened, filled and
kept is the other half, `filled`.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from visionquery import given
from visionquery.asking import (
    NO_PICTURES,
    Wanted,
    answer,
    explain,
    known_image,
    original,
    picture_id,
)
from visionquery.filled import FilledLibrary
from visionquery.given import Place
from visionquery.images.limits import DEFAULT_LIMITS, Limits
from visionquery.indexing.places import scopes_at
from visionquery.opening import picture_or_id
from visionquery.query.ast import Blend, Like, Node
from visionquery.search.result import Explanation, Response, Sort
from visionquery.store.base import Facets
from visionquery.types import KnownImage

if TYPE_CHECKING:
    from visionquery.images.content import Content
    from visionquery.indexing.status import LibraryStatus
    from visionquery.seeing import Heatmap
    from visionquery.teaching import Concepts

__all__ = ["Library"]

def _ignore(*_: object) -> None:
    """Stand in for a callback nobody gave."""


class Library(FilledLibrary):
    """A library of images. Use `Library.open`, best as a context manager."""

    def search(
        self,
        query: str | Node,
        *,
        text: str | None = None,
        limit: int = 20,
        offset: int = 0,
        within: Place | Iterable[Place] = (),
        min_confidence: float | None = None,
        sort: Sort | None = None,
        explain: bool = False,
        exact: bool | None = None,
        fold: bool = False,
        spread: bool = False,
        pictures: Mapping[str, bytes] = NO_PICTURES,
        limits: Limits = DEFAULT_LIMITS,
        rerank: Place | None = None,
        candidates: int = 100,
        on_look: Callable[[int, int], None] = _ignore,
    ) -> Response:
        """Find images by what they show.

        `query` is text of the query language, or a tree; `text` names a tree, and only a tree,
        in the response. `within` are indexed folders or files (or one) to answer from.
        `min_confidence` (0..1) is where relevance ends; None is the default, 0 shows everything.
        `sort` by "date" (newest first) or "path" orders what is relevant; None is "relevance",
        for a query of filters alone "date". `explain` gives every hit its parts. `exact` tells
        whether every image is compared; None is where the store can. `fold` shows one of several
        alike images, `spread` different ones first, where no `sort` is given. `pictures` are
        contents of picture files that terms `image:NAME` mean, decoded within `limits`. `rerank`
        is a larger model, given like that of `open`, that looks at the best 24 to 200 `candidates`
        once more; what it has not seen yet it encodes, and tells `on_look` (done, total).
        Raises QueryError, InputError for a folder that is not indexed, ModelError.
        """
        node, name = given.tree(query, text)
        places = given.places(self._store, within)
        least = given.least(min_confidence)
        wanted = Wanted(limit, offset, sort, least, places, explain, exact, fold, spread)
        look = self._looker.wanted(rerank, candidates, self._store.model, on_look)
        return answer(
            self._store, lambda: self.encoder, node, name, wanted,
            pictures=pictures, limits=limits, looking=look,
        )  # fmt: skip

    def similar(
        self,
        image: Place,
        *,
        limit: int = 20,
        offset: int = 0,
        within: Place | Iterable[Place] = (),
        min_confidence: float = 0.0,
        exact: bool | None = None,
        fold: bool = False,
    ) -> Response:
        """Find images that look like one, given as a file or an image id; it is left out. `exact`
        and `fold` are those of `search`.

        `exact` is that of `search`. Raises InputError when `image` is neither, ImageError when it
        cannot be decoded.
        """
        term = picture_or_id(image, self._store)
        itself = term.image_id if isinstance(term, Like) else picture_id(term.path)
        places = given.places(self._store, within)
        wanted = Wanted(limit, offset, None, min_confidence, places, exact=exact, fold=fold)
        node = Blend((term,))
        return answer(self._store, lambda: self.encoder, node, str(image), wanted, without=itself)

    def explain(
        self,
        image: Place,
        query: str | Node,
        *,
        text: str | None = None,
        min_confidence: float | None = None,
        pictures: Mapping[str, bytes] = NO_PICTURES,
        limits: Limits = DEFAULT_LIMITS,
    ) -> Explanation:
        """Explain why an image, given as a file or an id, is or is not in the answer to a query:
        its rank among all, and what each part of the query has to do with it. `pictures` and
        `limits` are those of `search`.

        Raises QueryError, InputError for an image that is not in the library, ImageError for a
        file that cannot be read, ModelError.
        """
        node, name = given.tree(query, text)
        term = picture_or_id(image, self._store)
        image_id = term.image_id if isinstance(term, Like) else picture_id(term.path)
        return explain(
            self._store, lambda: self.encoder, image_id, node, name,
            min_confidence=given.least(min_confidence), pictures=pictures, limits=limits,
        )  # fmt: skip

    def heatmap(
        self,
        image: Place,
        query: str | Node,
        *,
        pictures: Mapping[str, bytes] = NO_PICTURES,
        limits: Limits = DEFAULT_LIMITS,
    ) -> "Heatmap":
        """Find where in an image, given as a file or an id, a query is seen; it takes as long as
        encoding some sixty pictures. `pictures` and `limits` are those of `search`.

        Raises as `explain` does.
        """
        from visionquery import seeing

        return seeing.heatmap(self._store, lambda: self.encoder, image, query, pictures, limits)

    def image(self, image_id: str) -> KnownImage:
        """Return what is known of the image with an id, which is given whole. Raises
        ImageNotFoundError where there is none."""
        return known_image(self._store, image_id)

    def original(self, image_id: str) -> tuple[str, "Content"]:
        """Return a file of the image with an id, given whole, as its path and content, as it was
        indexed. A part of a larger file, as a moment of a video, has a path and a fragment.

        Raises ImageNotFoundError where there is no such image, or no file of it as it was.
        """
        return original(self._store, image_id)

    @property
    def concepts(self) -> "Concepts":
        """What the library was taught, and what teaches it more (`concept:NAME` in queries)."""
        from visionquery.teaching import Concepts

        return Concepts(self._store, lambda: self.encoder)

    @property
    def image_count(self) -> int:
        """How many images the library holds."""
        return self._store.image_count()

    def facets(self) -> Facets:
        """Return what filters can choose from: cameras, types, folders and dates, with counts."""
        return self._store.facets()

    def warm_up(self, *, rerank: Place | None = None) -> None:
        """Load the encoder, and that of a second look, and use its text tower once, so that the
        first search is as fast as every other. Raises ModelError where it is missing or broken."""
        self.encoder.encode_texts(["a picture"])
        if (look := self._looker.wanted(rerank, 100, self._store.model)) is not None:
            look.bank()

    def covers(self, place: Place) -> bool:
        """Return whether a folder or file lies in an indexed folder, or has one below it."""
        return bool(scopes_at(self._store, *given.places(self._store, place)))

    def status(self, *, look: bool = False) -> "LibraryStatus":
        """Return what the library holds and which of its folders are there now; with `look`, how
        these differ from it by names, sizes and times, which takes a scan of each."""
        from visionquery.indexing.status import library_status

        return library_status(self._store, look=look)
