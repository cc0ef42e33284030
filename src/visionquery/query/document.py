"""The tree of a query as data for other programs, ready for JSON."""

from visionquery.query.ast import (
    And,
    Arranged,
    Blend,
    Contains,
    Example,
    Filter,
    Learned,
    Like,
    Near,
    Node,
    Not,
    OneOf,
    Or,
    Picture,
    Range,
    Term,
    Text,
)

__all__ = ["as_document"]


def as_document(node: Node) -> dict[str, object]:
    """Return a tree as nested dicts, lists, texts and numbers.

    The first key tells what a dict is: `all` and `any` hold lists of parts, `not` a part, `blend`
    a list of terms (`text` with its `quotes`, `image`, `like` or `concept`, each with a `weight`,
    and for a part of an image with its `box`: left, top, width, height in percent; or an example,
    `more` or `less`), `arranged` a dict of the `text`, the `relation`, the `things` and the `count`
    of a description of where things are, `filter` the name of a field, beside which the test
    stands.
    """
    match node:
        case Blend(terms):
            return {"blend": [_term(term) for term in terms]}
        case Arranged(text, relation, things, count):
            named = [thing.text for thing in things]
            said = {"relation": relation, "things": named, "count": count}
            return {"arranged": {"text": text.text, **said}}
        case Filter(field, test):
            return {"filter": field, **_test(test)}
        case Not(part):
            return {"not": as_document(part)}
        case And(parts):
            return {"all": [as_document(part) for part in parts]}
        case Or(parts):
            return {"any": [as_document(part) for part in parts]}


def _term(term: Term) -> dict[str, object]:
    match term:
        case Text(text, weight, quotes):
            quoted = [text[start:end] for start, end in quotes]
            return {"text": text, "weight": weight, "quotes": quoted}
        case Picture(path, weight):
            return {"image": path, "weight": weight}
        case Like(image_id, weight, box):
            part = {} if box is None else {"box": [box.left, box.top, box.width, box.height]}
            return {"like": image_id, "weight": weight, **part}
        case Learned(name, weight):
            return {"concept": name, "weight": weight}
        case Example(image_id, wanted):
            return {"more" if wanted else "less": image_id}


def _test(test: Contains | Range | OneOf | Near) -> dict[str, object]:
    match test:
        case Contains(text):
            return {"contains": text}
        case OneOf(values):
            return {"one_of": list(values)}
        case Range(low, high):
            return {"low": low, "high": high}
        case Near(latitude, longitude, km):
            return {"latitude": latitude, "longitude": longitude, "km": km}
