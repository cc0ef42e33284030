"""Queries taken apart and changed, as a person does who clicks: parts go, parts are added.

A query's parts are those of an And at its top; any other query is one part. Examples (`more:ID`,
`less:ID`) stand in the vector that they teach, and come and go one by one.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from visionquery.errors import QueryError
from visionquery.query.ast import (
    And,
    Arranged,
    Blend,
    Example,
    Field,
    Filter,
    Like,
    Node,
    Not,
    Term,
    Text,
    terms_of,
)
from visionquery.query.grammar import parse
from visionquery.query.wording import unparse

__all__ = ["PartKind", "QueryPart", "edited", "parts"]

PartKind = Literal["description", "picture", "example", "filter", "group"]
"""What a part is; a vector of words and pictures is a picture, whatever is nested a group. An
example is a part of its own, though it stands in a vector."""


@dataclass(frozen=True, slots=True)
class QueryPart:
    """A part of a query. `text` is its query text, without the mark of negation where it is
    `excluded`, as an example of what is not wanted is; `field` that of a filter; `image_ids` what
    its `like:`, `more:` and `less:` terms name, each once;
    `without` the text of the query without this part, "" when nothing is left."""

    text: str
    kind: PartKind
    field: Field | None
    excluded: bool
    image_ids: tuple[str, ...]
    without: str


def parts(node: Node) -> tuple[QueryPart, ...]:
    """Return the parts of a query, in its order."""
    whole = _parts(node)
    found = []
    for place, part in enumerate(whole):
        before, after = whole[:place], whole[place + 1 :]
        asked, examples = _taken_apart(part)
        if asked or not examples:
            lone = part if not examples else Blend(asked)
            found.append(_query_part(lone, _text([*before, *after])))
        for example in examples:
            left = _all_but(part, example)
            found.append(_example_part(example, _text([*before, *left, *after])))
    return tuple(found)


def edited(text: str, *, add: str = "", drop: Collection[str] = ()) -> str:
    """Return the text of a query without its filters on some fields, and with `add` as well.

    `drop` names fields: top-level filters on them go, negated ones too. Of `add`, what is among
    the parts of the query already is not added again; its examples teach the first vector of the
    query, and take the place of what said the opposite of the same image. Either text may be
    blank. Where nothing is dropped the words stay as they were typed, if they can. Raises
    QueryError for a text that cannot be read, and for a query that would nest too deeply.
    """
    before, (added, taught) = _read(text), _without_examples(_read(add))
    if taught:
        return edited(_taught(text, taught), add=_text(added), drop=drop)
    kept = [part for part in before if _field(part) not in drop]
    new = [part for part in dict.fromkeys(added) if part not in kept]
    start = text.strip() if kept == before else _text(kept)
    if not new:
        return start
    end = add.strip() if new == added else _text(new)
    if not kept:
        return end
    wanted, joined = _all_of([*kept, *new]), f"{start} {end}"
    if _reads_as(joined, wanted):
        return joined
    canonical = unparse(wanted)
    parse(canonical)  # An Or that becomes a part is one level deeper.
    return canonical


def _read(text: str) -> list[Node]:
    return _parts(parse(text)) if text.strip() else []


def _reads_as(text: str, node: Node) -> bool:
    try:
        return parse(text) == node
    except QueryError:
        return False


def _parts(node: Node) -> list[Node]:
    return list(node.parts) if isinstance(node, And) else [node]


def _taken_apart(node: Node) -> tuple[tuple[Term, ...], tuple[Example, ...]]:
    """Return what a vector is made of and its examples; of any other part nothing."""
    if not isinstance(node, Blend):
        return (), ()
    asked = tuple(term for term in node.terms if not isinstance(term, Example))
    return asked, tuple(term for term in node.terms if isinstance(term, Example))


def _all_but(node: Node, example: Example) -> list[Node]:
    terms = tuple(term for term in terms_of(node) if term != example)
    return [Blend(terms)] if terms else []


def _without_examples(nodes: Sequence[Node]) -> tuple[list[Node], list[Example]]:
    """Return what is left of parts, and the examples that stood in them."""
    left, examples = list[Node](), list[Example]()
    for node in nodes:
        asked, taught = _taken_apart(node)
        left += [Blend(asked)] if asked else [] if taught else [node]
        examples += taught
    return left, examples


def _taught(text: str, examples: Sequence[Example]) -> str:
    """Return the text of a query whose first vector has these examples too."""
    nodes = _read(text)
    place = next((i for i, node in enumerate(nodes) if isinstance(node, Blend)), None)
    before = () if place is None else terms_of(nodes[place])
    about = {example.image_id for example in examples}
    kept = [t for t in before if not (isinstance(t, Example) and t.image_id in about)]
    blend = Blend((*kept, *dict.fromkeys(examples)))
    if place is None:
        return _text([blend, *nodes])
    joined = " ".join([text.strip(), *(unparse(Blend((one,))) for one in examples)])
    wanted = _all_of([*nodes[:place], blend, *nodes[place + 1 :]])
    return joined if _reads_as(joined, wanted) else unparse(wanted)


def _all_of(nodes: Sequence[Node]) -> Node:
    return nodes[0] if len(nodes) == 1 else And(tuple(nodes))


def _text(nodes: Sequence[Node]) -> str:
    return unparse(_all_of(nodes)) if nodes else ""


def _query_part(node: Node, without: str) -> QueryPart:
    inner = node.part if isinstance(node, Not) else node
    likes = [term.image_id for term in terms_of(node) if isinstance(term, Like | Example)]
    return QueryPart(
        text=unparse(inner),
        kind=_kind(inner),
        field=inner.field if isinstance(inner, Filter) else None,
        excluded=isinstance(node, Not),
        image_ids=tuple(dict.fromkeys(likes)),
        without=without,
    )


def _example_part(example: Example, without: str) -> QueryPart:
    text = unparse(Blend((example,)))
    return QueryPart(text, "example", None, not example.wanted, (example.image_id,), without)


def _kind(node: Node) -> PartKind:
    match node:
        case Blend(terms):
            is_text = all(isinstance(term, Text) for term in terms)
            return "description" if is_text else "picture"
        case Arranged():
            return "description"
        case Filter():
            return "filter"
        case _:
            return "group"


def _field(node: Node) -> Field | None:
    """Return the field of a filter or of a negated one, None for all else."""
    match node:
        case Filter(field):
            return field
        case Not(Filter(field)):
            return field
        case _:
            return None
