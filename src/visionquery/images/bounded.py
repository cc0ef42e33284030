"""Files that end early: for readers that would go through all of a file of any size."""

import io
import stat
from pathlib import Path

from visionquery.errors import UnreadableImageError
from visionquery.images.scan import reason_of

__all__ = ["open_bounded"]


class _BoundedFile(io.FileIO):
    def __init__(self, path: Path, most_bytes: int) -> None:
        super().__init__(path)
        self._left = most_bytes

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = self._left if size is None or size < 0 else min(size, self._left)
        data = super().read(wanted) or b""
        self._left -= len(data)
        return data


def open_bounded(path: Path, *, most_bytes: int) -> io.FileIO:
    """Open a regular file that ends once `most_bytes` were read of it, wherever they are.

    Raises UnreadableImageError when the file is not there, not regular or not readable.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UnreadableImageError("it cannot be read: it is not a regular file")
        return _BoundedFile(path, most_bytes)
    except OSError as error:
        raise UnreadableImageError(f"it cannot be read: {reason_of(error)}") from error
    except ValueError as error:  # a NUL character, which no file's name can hold
        raise UnreadableImageError("it cannot be read: this is no name of a file") from error
