"""Files that hold several images: what a file is made of, and how a fragment is kept and compared.
"""

from collections.abc import Iterator

from visionquery.store.base import FileRecord, Fragment

__all__ = ["MEMBER", "compared", "fragment_bytes", "fragment_of", "images_of", "parts_of"]

MEMBER = "member="
"""How the fragments of archives begin; the member's name follows."""


def parts_of(file: FileRecord) -> tuple[Fragment, ...]:
    """Return the fragments of a file; of one that is an image, or was skipped as a whole, the one
    without a name."""
    return file.fragments or (Fragment("", file.image_id, file.problem),)


def images_of(file: FileRecord) -> Iterator[str]:
    """Yield the ids of the images that a file holds; one may come twice."""
    for part in parts_of(file):
        if part.image_id is not None:
            yield part.image_id


def compared(path: str, fragment: str) -> str:
    """Return what filters and words take for the path of an image: a member of an archive lies
    below the file, as in a folder; else it is the path of the file."""
    return f"{path}/{fragment.removeprefix(MEMBER)}" if fragment.startswith(MEMBER) else path


def fragment_bytes(fragment: str) -> bytes:
    """Return a fragment as bytes that keep every character, also one that is no text."""
    return fragment.encode("utf-8", "surrogatepass")


def fragment_of(stored: bytes) -> str:
    """Return the fragment that `fragment_bytes` made bytes of."""
    return stored.decode("utf-8", "surrogatepass")
