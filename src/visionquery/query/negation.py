"""Plain-language negation: "a beach without people at sunset" excludes people.

The rule, for the plain words of one description:

1. A trigger (`without`, `w/o`, `excluding`, `except`, `no`, `not`, `does not show`) excludes the
   phrase after it. Linking words directly before it ("but", "and", "with", "that is") go with it.
2. The phrase ends at the next trigger, at punctuation, at a preposition, a conjunction or a verb
   of the lists in `english`, and at a later word in -ing; what follows goes back to the rest.
3. A preposition does not end the phrase when it opens it ("except at night"), follows an opening
   word in -ing or -ed ("not looking at me") or leads to its possessor ("a ball in its mouth"). One
   with nothing but a pronoun after it ("people in it", "no shirt on") is left out.
4. Within the phrase `or`, `nor`, `and` and commas before them separate things, each excluded on
   its own. An `and` whose article differs from that of the first thing ends the phrase
   ("no shirt and a hat").
5. Idioms ("no parking", "not only", "without a doubt"), numbers ("no 7") and quotes are words.

Only English is known. The lists are data: a new idiom is a word more, not a branch more.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate
from typing import Final

from visionquery.query.english import (
    ARTICLES,
    AUXILIARIES,
    CLAUSES,
    EMPTY_TAIL,
    HEADS,
    IDIOM,
    NEGATIVES,
    OWN_TAIL,
    PARTICIPLES,
    PARTICLES,
    POSSESSIVES,
    PREPOSITIONS,
    PRONOUNS,
    SEPARATORS,
    THINGS,
    TRIGGER,
)
from visionquery.query.tokens import OPERATORS, Token

__all__ = ["Division", "divide", "trigger_length"]

_LIST_WORDS: Final = 40
"""How far behind a comma the "or" or "and" that makes it a list's may stand."""


@dataclass(frozen=True, slots=True)
class Division:
    """A description and what it excludes, each as words and quotes. `open_trigger` is the last
    word of a trigger after which nothing stands, if there is one; no part contains it."""

    kept: tuple[Token, ...]
    excluded: tuple[tuple[Token, ...], ...]
    open_trigger: Token | None = None


def divide(tokens: Sequence[Token]) -> Division:
    """Return what the words and quotes of a description ask for and what they exclude.

    Dividing `kept`, or one of `excluded`, again finds nothing more.
    """
    kept, excluded, open_trigger = list(tokens), [], None
    # Words that meet where a phrase was taken out can form a trigger of their own.
    while (phrases := _Phrases(kept)).triggers:
        kept = []
        for part, is_excluded in phrases.parts():
            if is_excluded and part:
                excluded.append(part)
            elif not is_excluded:
                kept.extend(part)
        open_trigger = phrases.open_trigger() or open_trigger
    return Division(tuple(kept), tuple(excluded), open_trigger)


def trigger_length(tokens: Sequence[Token]) -> int:
    """Return how many tokens at the end of a description are a trigger, 0 for none."""
    triggers = _Phrases(tokens).triggers
    return max((end - start for start, end in triggers.items() if end == len(tokens)), default=0)


class _Phrases:
    """A description's words in the form that lists compare, and where its triggers are.

    A word with punctuation after it ends in one comma here; quotes and idioms are empty.
    """

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = tokens
        self.words = [_compared(token) for token in tokens]
        self.triggers: dict[int, int] = {}
        """Where triggers start and end."""
        self._mark()

    def _mark(self) -> None:
        """Find the triggers, and empty the words of idioms so that no list knows them."""
        if NEGATIVES.isdisjoint(self.words):
            return
        line = " ".join(self.words)
        starts = [0, *accumulate(len(word) + 1 for word in self.words)]
        number = {start: index for index, start in enumerate(starts)}
        index = 0
        while index < len(self.words):
            idiom = _pattern(IDIOM).match(line, starts[index])
            found = idiom or _pattern(TRIGGER).match(line, starts[index])
            end = number[found.end() + 1] if found else index + 1
            if idiom:
                last = "," if self.words[end - 1].endswith(",") else ""
                self.words[index:end] = [""] * (end - index - 1) + [last]
            elif found:
                self.triggers[index] = end
            index = end

    def open_trigger(self) -> Token | None:
        """Return the last word of a trigger that ends the description."""
        ends = len(self.tokens) in self.triggers.values()
        return self.tokens[-1] if ends else None

    def parts(self) -> Iterator[tuple[tuple[Token, ...], bool]]:
        """Yield the parts of the description in order, and whether each is excluded."""
        start = index = 0
        while index < len(self.words):
            if index in self.triggers:
                yield self._part(start, index), False
                things, start = self._excluded(self.triggers[index])
                yield from ((self._part(*thing), True) for thing in things)
                index = start
            else:
                index += 1
        yield tuple(self.tokens[start:]), False

    def _part(self, start: int, end: int) -> tuple[Token, ...]:
        """Return the words from `start` to `end`, without the punctuation that ended them."""
        part = list(self.tokens[start:end])
        while part and part[-1].kind == "word":
            bare = part[-1].text.rstrip(",;.!?")
            if bare and not re.fullmatch("[-–—:]+", bare):
                if bare not in OPERATORS:
                    part[-1] = replace(part[-1], text=bare)
                break
            part.pop()
        return tuple(part)

    def _excluded(self, start: int) -> tuple[list[tuple[int, int]], int]:
        """Return the (start, end) of each thing of a phrase, and where the description goes on."""
        things = []
        first = start = self._after_any(start)
        index = start
        while index < len(self.words) and not self._ends_before(index, start, first):
            if self._word(index) in SEPARATORS:
                things.append((start, index))
                start = index = self._after_any(index + 1)
            elif index > start and self.words[index - 1].endswith(","):
                things.append((start, index))
                start, index = index, index + 1
            else:
                index += 1
        things.append((start, index))
        return things, self._resume(index)

    def _after_any(self, index: int) -> int:
        """Return `index`, or the next where "any" stands before something: it excludes nothing."""
        is_any = self._at(index) == "any" and self._at(index + 1) is not None
        return index + 1 if is_any and index + 1 not in self.triggers else index

    def _ends_before(self, index: int, start: int, first: int) -> bool:
        """Tell whether the phrase from `first`, in its thing from `start`, ends before `index`."""
        word = self._word(index)
        if index in self.triggers:
            return True
        if word in SEPARATORS:
            return not self._joins(index, first)
        if index > start and self.words[index - 1].endswith(","):
            return not self._lists(index, first)
        if index == start:
            return word in AUXILIARIES
        if self._word(index - 1) in ARTICLES:
            return False  # "the opposite team", "a swimming pool"
        if word in PREPOSITIONS:
            return not self._keeps(index, start)
        return word in CLAUSES or self._is_activity(index)

    def _keeps(self, index: int, start: int) -> bool:
        """Tell whether the preposition at `index` belongs to the thing that begins at `start`."""
        has_possessor = self._at(index + 1) in POSSESSIVES and not self._is_over(index + 2)
        follows_verb = index == start + 1 and self._is_verb(start)
        continues = self._word(index - 1) in PREPOSITIONS
        own_tail = _pattern(OWN_TAIL).match(self._line(index)) is not None
        return has_possessor or follows_verb or continues or own_tail

    def _joins(self, index: int, first: int) -> bool:
        """Tell whether the separator at `index` adds a thing to the phrase from `first`."""
        following = index + 1
        if index == first or self.words[index].endswith(","):
            return False
        if self._at(following) in PREPOSITIONS and self._word(first) in PREPOSITIONS:
            return True
        if self._is_over(following):
            return False
        return self._word(index) not in ("and", "&") or self._is_like(following, first)

    def _lists(self, index: int, first: int) -> bool:
        """Tell whether the comma before `index` stands in a list that "or" or "and" closes."""
        if not self.tokens[index - 1].text.endswith(",") or not self._is_like(index, first):
            return False
        for later in range(index, min(index + _LIST_WORDS, len(self.words))):
            if self._word(later) in SEPARATORS:
                return self._joins(later, first)
            if self._ends_thing(later) or self._is_activity(later):
                return False
        return False

    def _is_like(self, index: int, first: int) -> bool:
        """Tell whether the thing at `index` begins as the one at `first`: with an article or not,
        and with no verb."""
        both = (self._word(index) in ARTICLES) == (self._word(first) in ARTICLES)
        return both and not self._is_activity(index)

    def _resume(self, index: int) -> int:
        """Return where the description goes on: past an empty tail, and past "but"."""
        index += self._tail_length(index)
        following = index + 1
        joins_nothing = self._at(index) in SEPARATORS and (
            self._at(following) in PREPOSITIONS or self._is_activity(following)
        )
        return following if self._at(index) == "but" or joins_nothing else index

    def _tail_length(self, index: int) -> int:
        """Return how many words at `index` say no more than that it is there: "standing in it"."""
        if tail := _pattern(EMPTY_TAIL).match(self._line(index)):
            return len(tail[0].split())
        place = index + 1 if self._is_activity(index) else index
        if self._at(place) not in PREPOSITIONS:
            return 0
        if self._at(place + 1) in PRONOUNS and self._is_over(place + 2):
            return place + 2 - index
        return 1 if place == index and self._is_empty(index) else 0

    def _is_empty(self, index: int) -> bool:
        """Tell whether nothing that the preposition at `index` could govern follows it."""
        following = self._at(index + 1)
        if following in PREPOSITIONS and index + 1 not in self.triggers:
            return self._word(index) in PARTICLES
        return (
            following is None
            or self.words[index].endswith(",")
            or index + 1 in self.triggers
            or following in CLAUSES
            or following in SEPARATORS
            or self._is_activity(index + 1)
        )

    def _is_over(self, index: int) -> bool:
        """Tell whether no thing can go on at `index`."""
        return (
            self._ends_thing(index)
            or self.words[index - 1].endswith(",")
            or (self._at(index) in SEPARATORS and self._word(index - 1) in PRONOUNS)
        )

    def _ends_thing(self, index: int) -> bool:
        word = self._at(index)
        return word is None or index in self.triggers or word in PREPOSITIONS or word in CLAUSES

    def _is_activity(self, index: int) -> bool:
        """Tell whether the word at `index` is a verb in -ing, not a thing or part of one."""
        word = self._at(index) or ""
        is_thing = word in THINGS or self._at(index + 1) in HEADS
        return len(word) > 4 and word.endswith("ing") and not is_thing

    def _is_verb(self, index: int) -> bool:
        word = self._word(index)
        has_ending = len(word) > 4 and word.endswith("ed")
        return has_ending or word in PARTICIPLES or self._is_activity(index)

    def _line(self, index: int) -> str:
        """Return the few words from `index` on that a tail can have."""
        return " ".join(self.words[index : index + 3])

    def _word(self, index: int) -> str:
        return self.words[index].rstrip(",")

    def _at(self, index: int) -> str | None:
        return self._word(index) if index < len(self.words) else None


_pattern = cache(re.compile)
"""Makes a pattern of `english` when it is first needed."""


def _compared(token: Token) -> str:
    """Return a word in small letters, with one comma for any punctuation that ends it."""
    if token.kind != "word":
        return ""
    word = token.text.lower().replace("’", "'")
    bare = word.rstrip(",;.:!?")
    return bare if bare == word else bare + ","
