"""The English that `negation` knows: what triggers it, what stops it, and what only looks like it;
and nouns whose plural no rule makes.

Words are in small letters; patterns are matched against words joined by one space, where any
punctuation at the end of a word has become one comma. They stand here as text, as most queries
need none of them and making them takes a while.
"""

from typing import Final

__all__ = [
    "ARTICLES",
    "AUXILIARIES",
    "CLAUSES",
    "EMPTY_TAIL",
    "HEADS",
    "IDIOM",
    "NEGATIVES",
    "OWN_TAIL",
    "PARTICIPLES",
    "PARTICLES",
    "PLURALS",
    "POSSESSIVES",
    "PREPOSITIONS",
    "PRONOUNS",
    "SEPARATORS",
    "THINGS",
    "TRIGGER",
]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _any_of(words: frozenset[str]) -> str:
    return f"(?:{'|'.join(sorted(words))})"


PREPOSITIONS: Final = _words(
    "about above across after against along alongside amid among around at before behind below "
    "beneath beside besides between beyond by down during for from in inside into near next off "
    "on onto opposite out outside over past since through to toward towards under underneath "
    "until up upon via with within"
)
PARTICLES: Final = _words("around down in inside off on out up")
"""Prepositions that, before another one, belong to what is excluded: "no shirt on in the park"."""

AUXILIARIES: Final = _words(
    "are been can could did do does had has have is may might must should was were will would"
)
"""Verbs that begin another statement wherever they stand."""

CLAUSES: Final = AUXILIARIES | _words(
    "as be because but if so that when where which while who whose "
    "appears attaches begins climbs contains drives fixes gets goes hangs holds jumps kneels lays "
    "leans lies looks makes performs plays poses puts reaches rides runs seems sits stands swims "
    "takes throws tries uses walks wears works"
)
"""Words that begin another statement after a thing, among them verbs seldom used as nouns."""

PARTICIPLES: Final = _words("drawn hung made seen shot shown taken worn written")
"""Participles that do not end in -ed."""

POSSESSIVES: Final = _words("her his its my our their your")
PRONOUNS: Final = _words("her him it me them there us you")
ARTICLES: Final = POSSESSIVES | _words("a an another each many one several some the three two")
SEPARATORS: Final = _words("or nor and & and/or")

PLURALS: Final = {
    "men": "man", "women": "woman", "children": "child", "people": "person", "feet": "foot",
    "teeth": "tooth", "geese": "goose", "mice": "mouse", "leaves": "leaf", "knives": "knife",
    "wolves": "wolf", "shelves": "shelf", "potatoes": "potato", "tomatoes": "tomato",
    "heroes": "hero",
}  # fmt: skip
"""Nouns in the plural, and in the singular."""

EMPTY_TAIL: Final = (
    r"(?:at all|on top(?! of)|in (?:sight|view|frame)|"
    r"in (?:the|this) (?:frame|image|photo|picture|shot)),?(?!\S)"
)
"""Words after what is excluded that add nothing to it."""

OWN_TAIL: Final = r"in (?:the )?(?:back|fore)ground,?(?!\S)"
"""Words after what is excluded that are part of it."""

THINGS: Final = _words(
    "awning bedding being blessing building ceiling clothing covering drawing dressing earring "
    "evening filling flooring frosting icing king lettering lighting lining morning painting "
    "paneling packaging piercing pudding railing ring scaffolding seating siding sling spring "
    "stocking string stuffing swing thing topping wedding wing wiring writing"
)
"""Words in -ing that are no activity."""

HEADS: Final = _words(
    "bag bags board boards boat boats boots bowl chair desk dress gear garage glasses lot lots "
    "machine machines meter meters net pool pools ring rings rod rods room rooms shoes space "
    "spaces suit suits table tables trunks"
)
"""Words that make a thing of a word in -ing before them: "swimming pool"."""

_LINKS: Final = _words(
    "and but with wearing having has have is are was were that which who there "
    "showing containing contains"
)
_SHOW: Final = "(?:show|have|contain|include)"

_IDIOMS: Final = (
    r"no \d\S*",
    # "no smoking" is on a sign; "no building" and "no swimming pool" are not.
    rf"no (?!{_any_of(THINGS)},?(?!\S)|\S+ing {_any_of(HEADS)}\b)\S+ing",
    r"no (?!stop|street|traffic|road|neon|yield|warning)"
    rf"(?:(?!{_any_of(PREPOSITIONS)} )[^\s,]+ ){{1,3}}(?:sign|symbol|zones?|allowed|permitted)",
    r"no (?:access|bake|bills|body|brainer|contest|country|doubt|entrance|entry|evil|exit|fly|go|"
    r"idea|knead|left turn|less|limits?|longer|look|man'?s|matter|more|name|nonsense|one|one's|"
    r"outlet|problem|regrets?|right turn|sew|show|sleeve|stops?|thanks|time|trespassing|u?-?turns?|"
    r"vacancy|wake|way|where)",
    r"(?:at|by|dr|in|just|of|oh|or|say|says|said|to|under|yes) no",
    r"(?:aren't|isn't|not) (?:all|always|as|certain|enough|even|every\S*|far|found|guilty|just|"
    r"least|long|many|much|necessarily|only|quite|really|so|sure|that|to|too|unlike|very|yet|"
    r"a (?:bit|care|chance|lot|whole)|the (?:only|same|best|\S+est)|for (?:sale|resale))",
    rf"(?:do|does) not(?! {_SHOW}(?!\S))",
    r"(?:can|could|did|if|may|me|might|must|need|or|shall|should|to|why|will|would) not",
    r"(?:was|were) not for",
    r"with (?:and|or) without",
    r"without (?:a (?:care|cause|doubt|thought|trace)|borders|doubt|end|exception|fail|"
    r"further ado|limits?|question)",
)
IDIOM: Final = rf"(?:{'|'.join(_IDIOMS)}),?(?!\S)"
"""Words that look like a trigger and are none."""

TRIGGER: Final = (
    rf"(?:{_any_of(_LINKS)} ){{0,4}}(?:(?:(?:do|does) not|don't|doesn't) {_SHOW}"
    rf"|(?!{IDIOM})"
    r"(?:without|w/o|excluding|except for|except|aren't|isn't|not be|not|no))(?!\S)"
)
"""Words that exclude what follows them, with the words that link them to what stands before."""

NEGATIVES: Final = _words("without w/o excluding except aren't isn't don't doesn't not no")
"""Words of which every trigger has one."""
