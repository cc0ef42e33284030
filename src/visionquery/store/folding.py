"""Text as filters compare it: one Unicode form, without regard to case.

A folded text is fit for SQLite too, and a pattern means the same to it as to Python: what is no
Unicode (a byte of a file name, as a surrogate) becomes one character that nobody else uses.
"""

import os
import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

__all__ = ["Pattern", "folded", "folded_place", "with_single_spaces"]

# The last plane is for private use. SQLite ends a text at a NUL where it compares with a glob.
_STORABLE = {0: " ", **{code: chr(0x100000 + code) for code in range(0xD800, 0xE000)}}


def folded(text: str) -> str:
    """Return a text in its one form, which those that differ in case alone share."""
    if text.isascii():
        return text.lower().replace("\0", " ")
    same_form = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    return same_form.translate(_STORABLE)


def folded_place(path: str) -> str:
    """Return the one form of a path, "/"-separated. What a path is made of may be folded apart."""
    return folded(path if os.sep == "/" else path.replace(os.sep, "/"))


def with_single_spaces(text: str) -> str:
    """Return a text with every run of white space as one space, and none at its ends."""
    return " ".join(text.split())


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a folded text is compared with, `text`, folded too: it must hold it somewhere
    (`part`), be it (`whole`), fit it as a glob with `*` and `?` (`glob`), or be the place of a
    file with that extension, dot included (`extension`)."""

    kind: Literal["part", "whole", "glob", "extension"]
    text: str

    def fits(self, text: str) -> bool:
        """Return whether a folded text fits."""
        if self.kind == "part":
            return self.text in text
        if self.kind == "whole":
            return self.text == text
        if self.kind == "glob":
            meaning = {"*": ".*", "?": "."}
            pieces = (meaning.get(piece, re.escape(piece)) for piece in self._pieces())
            return re.fullmatch("".join(pieces), text, re.DOTALL) is not None
        stem = text.removesuffix(self.text)
        return stem != text and stem[-1:] not in ("", "/")

    def sql(self, expression: str) -> tuple[str, str]:
        """Return the SQL condition that an expression of a folded text fits, and its value."""
        if self.kind == "part":
            return f"instr({expression}, ?)", self.text
        if self.kind == "whole":
            return f"{expression} = ?", self.text
        if self.kind == "glob":
            return f"{expression} GLOB ?", "".join(self._pieces()).replace("[", "[[]")
        length = len(self.text)
        before = f"substr({expression}, {-length - 1}, 1)"
        return f"substr({expression}, {-length}) = ? AND {before} NOT IN ('', '/')", self.text

    def _pieces(self) -> list[str]:
        # Runs of stars are one: each further one would multiply the time of a failing match.
        return re.split(r"(\*|\?)", re.sub(r"\*+", "*", self.text))
