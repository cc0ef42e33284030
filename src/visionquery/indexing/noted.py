"""What files beside pictures say of them: taken in with a picture, and when only they change."""

from collections.abc import Iterable

from visionquery.errors import ImageError
from visionquery.images import workers
from visionquery.images.content import load
from visionquery.images.limits import DEFAULT_LIMITS
from visionquery.images.scan import FoundFile
from visionquery.images.sidecars import read_sidecar, with_sidecar
from visionquery.indexing.outcomes import Encoded, Known, Outcome
from visionquery.indexing.pieces import Piece
from visionquery.store.base import Scope, Store
from visionquery.types import Facts

__all__ = ["facts_of", "said_anew"]


def facts_of(outcome: Encoded[Piece]) -> Facts:
    """Return the facts of a new image: what its file says, and what its sidecar does."""
    return _with_sidecar(outcome.facts, outcome.item)


def said_anew(
    store: Store, root_id: int, files: Iterable[list[Outcome[Piece]]]
) -> dict[str, Facts]:
    """Return the facts, by image id, of stored images whose sidecar came, went or changed.

    They are read from the file anew, since what a sidecar no longer says is to be forgotten.
    """
    known = [
        outcome
        for outcomes in files
        for outcome in outcomes
        if isinstance(outcome, Known) and not outcome.item.fragment
    ]
    facts: dict[str, Facts] = {}
    for outcome in known:
        if _changed(store, root_id, outcome.item.file, outcome.image_id):
            try:
                content = load(outcome.item.file.path, limits=DEFAULT_LIMITS)
                picture = workers.decode(content, min_side=1)
            except ImageError:
                continue  # It went away meanwhile: the next run sees.
            facts[outcome.image_id] = _with_sidecar(picture.facts, outcome.item)
    return facts


def _changed(store: Store, root_id: int, file: FoundFile, image_id: str) -> bool:
    """Whether a file has a sidecar, or had one: its content and that of before are the same, and
    its size is not."""
    if file.sidecar is not None:
        return True
    before = store.files(Scope(root_id, file.relative)).get(file.relative)
    same = before is not None and before.image_id == image_id
    return before is not None and same and before.size_bytes != file.size_bytes


def _with_sidecar(facts: Facts, piece: Piece) -> Facts:
    sidecar = None if piece.fragment else piece.file.sidecar
    return facts if sidecar is None else with_sidecar(facts, read_sidecar(sidecar))
