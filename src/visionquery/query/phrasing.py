"""Which things a description names, each with its attributes: "a red car", "a blue house".

The rule, for a plain English description:

1. A thing is a run of words. It ends at punctuation, at "and", at a preposition, a conjunction or
   a verb of the lists in `english`, at a word in -ing, at one in -ed with no thing behind it, and
   where an article begins the next.
2. "of" belongs to a thing ("a group of people"), and so does what stands between two colours
   ("a black and white dog"). A word in -ing after an article is an attribute ("a running dog").
3. A word in -s behind a singular ("a brown dog chases") and a plain verb behind a plural ("two dogs
   run") are verbs, and end the thing.
4. What can be seen nowhere by itself is no thing: pronouns, places of a picture ("the background"),
   and a single word without an article, but after a preposition ("in snow").

The rule knows no nouns. A description of which it finds less than two things, or more than six, has
none: it is then better judged as a whole.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from visionquery.query.english import (
    ARTICLES,
    CLAUSES,
    HEADS,
    PREPOSITIONS,
    PRONOUNS,
    SEPARATORS,
    THINGS,
)

__all__ = ["exchanged", "is_list", "things_of"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_COLOURS: Final = _words(
    "beige black blond blonde blue brown dark gold golden gray green grey light maroon orange pink "
    "purple red silver tan teal turquoise white yellow"
)
"""Words of which several, joined by "and", describe one thing."""

_FEWEST: Final = 2
_MOST: Final = 6

_DETERMINERS: Final = ARTICLES | _words("both four five six this that these those")
_SINGULAR: Final = _words("a an another one each")
_PLURALS: Final = _words("children men people women couple group kids")
_VERBS: Final = _words(
    "catch chase climb dance fight hold jump lay leap lie look play pose pull race ride run sit "
    "smile splash stand stare swim wait walk watch wear"
)
_NOWHERE: Final = _words(
    "air all another area around away back background bottom camera center centre distance each "
    "edge end foreground front it left middle one other others right side something the there "
    "they top view way which while who"
)
"""Words that are no thing by themselves: places of a picture, and what stands for a thing."""

_NO_VERBS: Final = ("ss", "us", "is", "ous")
"""Endings in -s of words that are no verbs: "grass", "bus", "tennis"."""

_TOKEN: Final = re.compile(r"[\w'’-]+|[^\w\s]")


def things_of(text: str) -> tuple[str, ...]:
    """Return the noun phrases of a description, in small letters and in their order, each once;
    () where it names less than two, or so many that the rule was hardly right."""
    words = [token.lower() for token in _TOKEN.findall(text)]
    found = dict.fromkeys(
        " ".join(thing) for start, end in _runs(words) if (thing := _thing(words, start, end))
    )
    return tuple(found) if _FEWEST <= len(found) <= _MOST else ()


def is_list(text: str, things: Sequence[str]) -> bool:
    """Tell whether the things of a description are all that it says, but for what joins them."""
    words = [token.lower() for token in _TOKEN.findall(text)]
    named = [word for thing in things for word in thing.split()]
    return [word for word in words if word[0].isalnum() and word not in SEPARATORS] == [
        word for word in named if word not in SEPARATORS
    ]


def exchanged(things: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return pairs of a thing and the same with the colour of another: of "a red car" and "a blue
    house", ("a red car", "a blue car") and ("a blue house", "a red house"). () where fewer than two
    different things have different colours."""
    parted = {thing: _by_colour(thing.split()) for thing in things}
    pairs = [
        (thing, " ".join([*_agreeing(before, other), *other, *after]))
        for thing, (before, colour, after) in parted.items()
        for _, other, others_after in parted.values()
        if colour and other and colour != other and after != others_after
    ]
    return tuple(dict.fromkeys(pairs))


def _by_colour(words: list[str]) -> tuple[list[str], list[str], list[str]]:
    """Return the words before the colours of a thing, these, and what has them; no colours where
    none stands before something."""
    coloured = [index for index, word in enumerate(words[:-1]) if word in _COLOURS]
    if not coloured:
        return [], [], words
    first, last = coloured[0], coloured[-1] + 1
    return words[:first], words[first:last], words[last:]


def _agreeing(before: list[str], colour: list[str]) -> list[str]:
    """Return the words before a colour with "a" or "an" as it asks for."""
    if before[-1:] not in (["a"], ["an"]):
        return before
    return [*before[:-1], "an" if colour[0][0] in "aeiou" else "a"]


def _runs(words: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield where each run of words that could be one thing starts and ends."""
    start = 0
    for index in range(len(words) + 1):
        if index == len(words) or _is_boundary(words, index, start):
            if index > start:
                yield start, index
            start = index + 1
        elif index > start and _begins(words, index):
            yield start, index
            start = index


def _begins(words: Sequence[str], index: int) -> bool:
    """Tell whether an article begins the next thing at `index`."""
    previous = words[index - 1]
    return words[index] in _DETERMINERS and previous not in _DETERMINERS and previous != "of"


def _is_boundary(words: Sequence[str], index: int, start: int) -> bool:
    word = words[index]
    if word in SEPARATORS or not word[0].isalnum():
        return not _joins_colours(words, index)
    if index > start and words[index - 1] in _DETERMINERS:
        return False
    return word in PREPOSITIONS or word in CLAUSES or _is_activity(words, index)


def _joins_colours(words: Sequence[str], index: int) -> bool:
    before = words[index - 1] if index else ""
    after = index + 1
    if words[index] == "," and after < len(words) and words[after] == "and":
        after += 1
    return before in _COLOURS and after < len(words) - 1 and words[after] in _COLOURS


def _is_activity(words: Sequence[str], index: int) -> bool:
    word = words[index]
    following = words[index + 1] if index + 1 < len(words) else ""
    if len(word) > 4 and word.endswith("ing"):
        return word not in THINGS and following not in HEADS
    if word in _VERBS and index:
        return words[index - 1] in _PLURALS or words[index - 1].endswith("s")
    return len(word) > 4 and word.endswith("ed") and _ends_thing(following)


def _ends_thing(word: str) -> bool:
    return (
        not word[:1].isalnum()
        or word in PREPOSITIONS
        or word in SEPARATORS
        or word in CLAUSES
        or word in _DETERMINERS
    )


def _thing(words: Sequence[str], start: int, end: int) -> list[str]:
    """Return the words of a run that name a thing, none where it names none."""
    run = list(words[start:end])
    while "of" in run and (run[0] in _NOWHERE or run[:2][-1] in _NOWHERE or run[0] == "of"):
        del run[: run.index("of") + 1]
    if _ends_in_verb(run):
        run.pop()
    bare = [word for word in run if word not in _DETERMINERS]
    if not bare or bare[-1] in _NOWHERE or bare[-1] in PRONOUNS:
        return []
    if len(run) == 1 and (start == 0 or words[start - 1] not in PREPOSITIONS - {"to"}):
        return []
    return run


def _ends_in_verb(run: Sequence[str]) -> bool:
    if len(run) < 3 or run[0] not in _SINGULAR or "of" in run:
        return False
    last = run[-1]
    return last.endswith("s") and not last.endswith(_NO_VERBS)
