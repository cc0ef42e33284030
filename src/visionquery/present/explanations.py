"""Why an image is in an answer, in words."""

from collections.abc import Sequence

from visionquery.present.text import count, escaped
from visionquery.search.result import Explanation, Part

__all__ = ["part_rows", "summary", "verdict"]


def verdict(found: Explanation) -> str:
    """Return in a sentence whether an image is in the answer, and why not."""
    name = escaped(found.hit.path or found.hit.image_id)
    if found.rank is None:
        filters = [part for part in found.hit.parts if part.kind == "filter" and not _fits(part)]
        which = " and ".join(map(_name, filters)) or "a filter"
        return f"{name} is not in the answer: {which} leaves it out."
    place = f"rank {found.rank:,} of {count(found.images, 'image')}"
    sure = f"{100 * found.hit.confidence:.0f} %"
    if found.is_relevant:
        return f"{name} is in the answer: {place}, confidence {sure}."
    least = f"{100 * found.min_confidence:g} %"
    return f"{name} is not in the answer: its confidence of {sure} is below {least} ({place})."


def part_rows(parts: Sequence[Part]) -> list[tuple[str, str, str, str, str]]:
    """Return a row for each part: its text, whether it is wanted, confidence, cosine, words."""
    return [
        (
            _name(part),
            "no" if part.excluded else "yes",
            _certainty(part),
            "" if part.score is None else f"{part.score:.3f}",
            ", ".join(part.words),
        )
        for part in parts
    ]


def summary(parts: Sequence[Part]) -> str:
    """Return the parts of a hit on one line."""
    return "  ".join(f"{_name(part)} {_certainty(part)}{_words(part)}" for part in parts)


def _fits(part: Part) -> bool:
    return (part.confidence > 0) != part.excluded


def _name(part: Part) -> str:
    text = escaped(part.text)
    return f"-{text if len(text.split()) == 1 else f'({text})'}" if part.excluded else text


def _certainty(part: Part) -> str:
    if part.kind == "filter":
        return "yes" if part.confidence > 0 else "no"
    return f"{100 * part.confidence:.0f} %"


def _words(part: Part) -> str:
    return f" [{', '.join(part.words)}]" if part.words else ""
