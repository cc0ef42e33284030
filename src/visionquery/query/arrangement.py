"""Plain words that say where things are or how many: "a dog left of a bicycle", "two dogs".

The rule, for a description without quotes and without punctuation but at its end:

1. Two things and one relation between them: `left of`, `to the right of`, `on the left side of`,
   `above`, `below`, `under`, `beneath`, `underneath`. Or one thing and, behind it, a side of the
   picture: `on the left`, `at the top`, `at the bottom of the picture`, and `above` or `below`.
2. A thing is one to six words. It holds no pronoun, no verb of turning, looking or moving, no
   "and" and no second relation, and does not end in a preposition or an article.
3. A number from two to six before a noun in the plural, with up to two words between them, and
   nothing else: "two dogs", "3 small children".
4. Idioms stay words: "left of centre", "right of way", "above all", "under construction",
   "below zero", "what is left of the house", "a view from above", "two weeks".

Only English is known. In doubt it is a description; nothing is lost, as the words of an arrangement
are looked for as a whole too.
"""

import re
from functools import cache
from typing import Final

from visionquery.query.ast import Arranged, Relation, Text
from visionquery.query.english import CLAUSES, PLURALS, PREPOSITIONS

__all__ = ["as_arranged", "other_counts"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_MOST_WORDS: Final = 6
_MOST_BETWEEN: Final = 2

_SIGNS: Final = _words("left right top bottom above below beneath under underneath")
"""Words of which every relation has one."""

_PICTURE: Final = r"(?: of (?:the |this |a )?(?:frame|image|photo|photograph|picture|scene))?"
_SIDE: Final = r"(?:[ -]hand)?(?: side)?"
_RELATIONS: Final[tuple[tuple[str, Relation], ...]] = (
    (rf"(?: is| are)? (?:on|at|to) the left{_SIDE}{_PICTURE}$", "left"),
    (rf"(?: is| are)? (?:on|at|to) the right{_SIDE}{_PICTURE}$", "right"),
    (rf"(?: is| are)? (?:at the top{_PICTURE}|above)$", "top"),
    (rf"(?: is| are)? (?:at the bottom{_PICTURE}|below)$", "bottom"),
    (rf"(?: is| are)?(?: just)? (?:(?:on|at|to) the )?left{_SIDE} of ", "left of"),
    (rf"(?: is| are)?(?: just)? (?:(?:on|at|to) the )?right{_SIDE} of ", "right of"),
    (r"(?: is| are)?(?: directly| far| high| just| right)? above ", "above"),
    (
        r"(?: is| are)?(?: directly| far| just| right)? (?:below|beneath|under|underneath) ",
        "below",
    ),
)

_NO_THINGS: Final = _SIGNS | _words(
    "all and anything away back been everything from has have he her him i it little me much "
    "nothing or she that them there they this those to us was we were what which who whom you "
    "bend bends bending drive drives driving faces facing glances glancing go goes going gazes "
    "gazing keep keeps leans leaning look looks looking moves moving passes passing pointing "
    "points stares staring steering swerves swerving swinging swiping tilts tilting turn turned "
    "turning turns veering veers"
)
"""Words that no thing holds: what they are part of is no place in the picture."""

_NO_ENDS: Final = PREPOSITIONS | _words("a an any her his its my no not our some the your")
"""Words that no thing ends in."""

_IDIOM: Final = (
    r"(?:\d|(?:age|arrest|attack|average|board|center|centre|construction|control|cover|deck|"
    r"development|fire|freezing|ground|influence|investigation|maintenance|market|normal|oath|par|"
    r"pressure|renovation|repair|repairs|review|siege|standard|stress|supervision|surveillance|"
    r"water|way|zero|sea level|a spell|(?<=under )the sea|"
    r"the (?:average|center|centre|influence|law|radar|weather))(?!\S))"
)
"""Words that make an idiom of a relation before them."""

_NUMBERS: Final = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "2": 2, "3": 3, "4": 4, "5": 5, "6": 6,
}  # fmt: skip
_MEASURES: Final = _words(
    "cents days decades degrees dollars euros feet grams hours inches kilometers kilometres kilos "
    "litres meters metres miles minutes months points pounds seconds stars steps thirds times "
    "weeks yards years"
)
"""Nouns of which a number tells how much, not how many are to be seen."""

_UNCHANGED: Final = _words("aircraft deer fish sheep")
_RIVALS: Final = {2: "two", 3: "three", 4: "four"}
"""Counts that a picture may rather show; more than four look like many."""


def as_arranged(text: Text) -> Arranged | None:
    """Return what a description says of where things are or how many, None where it does not say so
    beyond doubt. One with a weight or quotes is taken as it stands."""
    if text.weight != 1 or text.quotes:
        return None
    said = text.text.rstrip(",;:.!?")
    line = said.lower()
    if len(line) != len(said) or re.search(r"[,;:.!?](?!\S)", line):
        return None
    words = line.split(" ")
    if counted := _counted(text, words):
        return counted
    return None if _SIGNS.isdisjoint(re.split("[ -]", line)) else _placed(text, said)


def _placed(text: Text, said: str) -> Arranged | None:
    line = said.lower()
    for relation, named in _RELATIONS:
        if found := _pattern(relation).search(line):
            things = [part for part in (said[: found.start()], said[found.end() :]) if part]
            is_meant = all(map(_is_thing, things)) and things[0] == said[: found.start()]
            if not is_meant or _pattern(_IDIOM).match(line, found.end()):
                return None
            return Arranged(text, named, tuple(map(Text, things)))
    return None


def _is_thing(words: str) -> bool:
    small = words.lower().split(" ")
    if len(small) > _MOST_WORDS or not _NO_THINGS.isdisjoint(small):
        return False
    return small[-1] not in _NO_ENDS and any(map(str.isalpha, small[-1]))


def _counted(text: Text, words: list[str]) -> Arranged | None:
    count = _NUMBERS.get(words[0])
    *between, noun = words[1:] or [""]
    if count is None or len(between) > _MOST_BETWEEN or not _is_plural(noun):
        return None
    if any(word in PREPOSITIONS or word in CLAUSES or not word.isalpha() for word in between):
        return None
    return Arranged(text, "count", (Text(" ".join(words[1:])),), count)


def _is_plural(noun: str) -> bool:
    if noun in PLURALS or noun in _UNCHANGED:
        return noun not in _MEASURES
    has_ending = noun.endswith("s") and not noun.endswith(("ss", "us", "is"))
    return len(noun) > 3 and noun.isalpha() and has_ending and noun not in _MEASURES


def other_counts(node: Arranged) -> tuple[Text, ...]:
    """Return descriptions of the same things in other numbers: of "two dogs" these are "a dog",
    "three dogs" and "four dogs"."""
    things = node.things[0].text
    *between, noun = things.split(" ")
    single = " ".join([*between, _singular(noun)])
    article = "an" if single[0] in "aeiou" else "a"
    several = [f"{word} {things}" for count, word in _RIVALS.items() if count != node.count]
    return tuple(map(Text, [f"{article} {single}", *several]))


def _singular(noun: str) -> str:
    if noun in PLURALS:
        return PLURALS[noun]
    if noun.endswith("ies"):
        return noun[:-3] + "y"
    if re.search("(ss|sh|ch|x|zz|bus)es$", noun):
        return noun[:-2]
    return noun if noun in _UNCHANGED else noun[:-1]


@cache
def _pattern(text: str) -> re.Pattern[str]:
    """Return a pattern, made when it is first needed."""
    return re.compile(text)
