"""What general words mean when a query excludes them: whoever wants no people wants no man either.

A picture of a man is a poor match of "people" for an encoder, so a photograph without people would
be full of them. As a wish a general word stays what it is: its best pictures are right.
"""

import re
from typing import Final

from visionquery.query.ast import And, Blend, Node, Not, Or, Text

__all__ = ["with_kinds"]

_PEOPLE = ("a man", "a woman", "a child", "a group of people", "a person's face")
_ANIMALS = ("a dog", "a cat", "a horse", "a bird", "a cow", "a sheep", "a wild animal")
_VEHICLES = ("a car", "a truck", "a bus", "a motorcycle", "a bicycle", "a boat", "a train")
_CHILDREN = ("a boy", "a girl", "a baby")
_PLANTS = ("trees", "flowers", "grass", "a plant in a pot")
_BUILDINGS = ("a house", "a tower", "a city street", "a skyscraper")
_TEXT = ("printed text", "a sign with words", "a logo")

_KINDS: Final = {
    **dict.fromkeys(("people", "person", "persons", "human", "humans", "human beings"), _PEOPLE),
    **dict.fromkeys(("animal", "animals", "pet", "pets"), _ANIMALS),
    **dict.fromkeys(("vehicle", "vehicles", "traffic"), _VEHICLES),
    **dict.fromkeys(("child", "children", "kid", "kids"), _CHILDREN),
    **dict.fromkeys(("plant", "plants", "vegetation"), _PLANTS),
    **dict.fromkeys(("building", "buildings"), _BUILDINGS),
    **dict.fromkeys(("text", "words", "writing"), _TEXT),
}


def with_kinds(node: Node, *, negated: bool = False) -> Node:
    """Return a tree in which what is excluded by a general word is excluded by its kinds too."""
    match node:
        case Blend((Text(text),)) if negated:
            kinds = _KINDS.get(re.sub("^(an?|the|any) ", "", text.lower().strip()), ())
            parts = [node, *(Blend((Text(kind),)) for kind in kinds)]
            return Or(tuple(parts)) if kinds else node
        case Not(part):
            return Not(with_kinds(part, negated=not negated))
        case And(parts):
            return And(tuple(with_kinds(part, negated=negated) for part in parts))
        case Or(parts):
            return Or(tuple(with_kinds(part, negated=negated) for part in parts))
        case _:
            return node
