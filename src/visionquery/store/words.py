"""The words of an image, and what counts as one.

A word is a run of letters or a run of digits, in one form: without case, diacritics of Latin,
Greek and Cyrillic, points of Hebrew and Arabic, and the difference of full and half width.
Everything else separates. `IMG_2034-Café` has the words `img 2034 cafe`. In scripts that set no
spaces between words (Chinese, Japanese, Thai …), and in Korean, whose particles stick to them,
each character is a word, so that any part of a sentence is words in a row.

Names and keywords have two spellings where capitals begin words within them: `BeachTrip` is
`beachtrip` and `beach trip`. Names lack what only tells the format.
"""

import re
import unicodedata
from collections.abc import Iterable

__all__ = ["holds", "image_words", "name_words", "words_of"]

_BETWEEN = " | "
"""Parts two texts of an image. No phrase has it, so none begins in one and ends in another."""

_FORMATS = frozenset(
    ("jpg", "jpeg", "png", "gif", "bmp", "tif", "tiff", "webp", "heic", "heif", "avif")
)
# Diacritics and points; and what gives emoji, which are no words, their look.
_DROPPED_MARKS = re.compile(
    "[\u0300-\u036f\u0591-\u05bd\u05bf-\u05c7\u064b-\u065f\u0670\u20d0-\u20ff\ufe00-\ufe0f]+"
)
# Characters of scripts without spaces. No pattern: making one of so many takes 2 ms at the start.
_UNSPACED = (
    range(0x0E00, 0x0F00), range(0x1000, 0x10A0), range(0x1780, 0x1800), range(0x3005, 0x3008),
    range(0x3040, 0x3100), range(0x31F0, 0x3200), range(0x3400, 0x4DC0), range(0x4E00, 0xA000),
    range(0xAC00, 0xD7A4), range(0xF900, 0xFB00), range(0x20000, 0x323B0),
)  # fmt: skip
_WORD = re.compile("[0-9]+|[^0-9 ]+")
_CAPITALS = "A-ZÀ-ÖØ-ÞΑ-ΩЁА-Я"
_CAPITAL_BEGINS = re.compile(
    rf"(?<=[^\W\d_{_CAPITALS}])(?=[{_CAPITALS}])|(?<=[{_CAPITALS}])(?=[{_CAPITALS}][a-zß-ÿа-яё])"
)
_EXTENSION = re.compile(r"(?<=[^/])\.[^./]*$")


class _Shown(dict[int, str]):
    """What each character is in a word: itself, a word of its own, or a space. Filled as asked."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if any(code in script for script in _UNSPACED):
            shown = f" {character} "
        else:
            # Letters, marks that belong to one, numbers.
            shown = character if unicodedata.category(character)[0] in "LMN" else " "
        self[code] = shown
        return shown


_SHOWN = _Shown()


def words_of(text: str) -> str:
    """Return the words of a text in their one form, with single spaces between; "" for none."""
    if not text.isascii():
        apart = _DROPPED_MARKS.sub("", unicodedata.normalize("NFKD", text))
        text = unicodedata.normalize("NFKC", apart.casefold())
    return " ".join(_WORD.findall(text.lower().translate(_SHOWN)))


def name_words(name: str) -> list[str]:
    """Return the words of the name of a folder, or of several with "/" between, in each spelling
    they have; none when it has no words."""
    return [phrase for each in _spellings(name) if (phrase := _without_formats(each))]


def image_words(
    caption: str | None, keywords: Iterable[str], paths: Iterable[str], text: str | None
) -> str:
    """Return all words of an image, with "|" between those of its caption, each keyword, each
    path (relative to its root) of a file, and the text that was read in it."""
    found = [words_of(caption or "")]
    for keyword in keywords:
        found += _spellings(keyword)
    for path in paths:
        found += name_words(_EXTENSION.sub("", path))
    found.append(words_of(text or ""))
    return _BETWEEN.join(dict.fromkeys(filter(None, found)))


def holds(words: str, phrase: str) -> bool:
    """Return whether words have those of a phrase, of one at least, in a row."""
    return f" {phrase} " in f" {words} "


def _spellings(text: str) -> list[str]:
    text = unicodedata.normalize("NFC", text)
    parted = _CAPITAL_BEGINS.sub(" ", text)
    return [words_of(text)] if parted == text else [words_of(text), words_of(parted)]


def _without_formats(words: str) -> str:
    return " ".join(word for word in words.split() if word not in _FORMATS)
