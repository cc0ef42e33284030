"""Which images a filter, or all that narrows a question down, means: as a condition for Qdrant, and
as a test of what an image carries, which alone is exact.
"""

from collections.abc import Callable, Sequence

from visionquery.query.ast import And, Arranged, Blend, Filter, Node, Not, Or
from visionquery.store.base import Root, Scope
from visionquery.store.qd.conditions import Condition, Known, every, no, one_of
from visionquery.store.qd.images import FACTS, PLACES, TEXT, Image, places_of, record_of
from visionquery.store.questions import Where
from visionquery.store.records import record_test

__all__ = ["Meant", "Test", "filter_test"]

Test = Callable[[Image], bool]

_FIELDS = {"path": PLACES, "ext": PLACES, "text": TEXT}


class Meant:
    """The images that a `Where` means: the condition `over` holds for all of them, and `fits` is
    true of these alone, told by the `fields` of an image. Where it `is_exact`, they
    are one."""

    def __init__(self, known: Known, where: Where) -> None:
        self._where = where
        self.is_everywhere = where.is_everywhere
        self._test: Test = _everything
        self.fields: set[str] = {"image_id"}
        self.is_exact = True
        parts: list[Condition] = []
        if where.scopes is not None:
            parts.append(known.of_scopes(where.scopes))
            self.fields.add(PLACES)
        if where.test is not None:
            parts.append(known.of_tree(where.test))
            self.is_exact = parts[-1] == known.of_tree(where.test, certain=True)
            self._test, fields = _tree_test(where.test, known.roots)
            self.fields |= fields
        if where.without is not None:
            parts.append(no(one_of("image_id", [where.without])))
        self.over: Condition = every(parts)

    def fits(self, image: Image) -> bool:
        """Return whether an image is meant."""
        scopes = self._where.scopes
        return (
            image.image_id != self._where.without
            and (scopes is None or any(_is_in(image, scope) for scope in scopes))
            and self._test(image)
        )


def filter_test(wanted: Filter, roots: Sequence[Root]) -> tuple[Test, str]:
    """Return the test that a filter is, and the field of an image that it looks at. Raises
    InputError when its test is not one for its field."""
    fits, field = record_test(wanted), _FIELDS.get(wanted.field, FACTS)
    if field == PLACES:
        return lambda image: fits(record_of(image, roots), places_of(image, roots)), field
    return lambda image: fits(record_of(image, ()), ()), field


def _tree_test(node: Node, roots: Sequence[Root]) -> tuple[Test, set[str]]:
    match node:
        case Filter():
            test, field = filter_test(node, roots)
            return test, {field}
        case Not(part):
            test, fields = _tree_test(part, roots)
            return lambda image: not test(image), fields
        case And(parts) | Or(parts):
            tests = [_tree_test(part, roots) for part in parts]
            fields = {field for _, some in tests for field in some}
            if isinstance(node, And):
                return lambda image: all(test(image) for test, _ in tests), fields
            return lambda image: any(test(image) for test, _ in tests), fields
        case Blend() | Arranged():
            raise AssertionError("a description has no truth, only odds")


def _is_in(image: Image, scope: Scope) -> bool:
    return any(
        seen.root_id == scope.root_id
        and (scope.path in ("", seen.path) or seen.path.startswith(f"{scope.path}/"))
        for seen in image.seen
    )


def _everything(_: Image) -> bool:
    return True
