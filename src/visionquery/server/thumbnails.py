"""Thumbnails on disk: made once for an image and a size, and thrown away when there are too many.

They lie in a folder of their own by image id, which is the content: a changed file is another
image. A file that is not whole (a crash, a full disk) is made anew.
"""

import contextlib
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

__all__ = ["ThumbnailCache"]

_KEPT = 0.8
_HEADER_BYTES = 8


class ThumbnailCache:
    """At most about `max_bytes` of thumbnails in a folder; safe in many threads and processes."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._counting = threading.Lock()
        self._bytes: int | None = None

    def get(self, image_id: str, size: int, make: Callable[[], bytes]) -> bytes:
        """Return the thumbnail of an image in a size, made with `make` where it is not here.

        A folder that cannot be written to is no reason to have none.
        """
        path = self._folder / str(size) / image_id[:2] / f"{image_id}.webp"
        with contextlib.suppress(OSError):
            data = path.read_bytes()
            if _is_whole(data):
                os.utime(path)  # What is looked at is kept longest.
                return data
        data = make()
        with contextlib.suppress(OSError):
            self._keep(path, data)
        return data

    def _keep(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            Path(name).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
        with self._counting:
            if self._bytes is None:
                self._bytes = sum(size for _, size, _ in self._files())
            self._bytes += len(data)
            if self._bytes > self._max_bytes:
                self._bytes = self._throw_away()

    def _throw_away(self) -> int:
        """Delete what was not looked at for longest; return how many bytes are left."""
        files = sorted(self._files())
        left = sum(size for _, size, _ in files)
        for _, size, path in files:
            if left <= _KEPT * self._max_bytes:
                break
            with contextlib.suppress(OSError):
                path.unlink()
            left -= size
        return left

    def _files(self) -> list[tuple[float, int, Path]]:
        found = []
        for path in self._folder.rglob("*.webp"):
            with contextlib.suppress(OSError):
                status = path.stat()
                found.append((status.st_mtime, status.st_size, path))
        return found


def _is_whole(data: bytes) -> bool:
    """Tell whether data is as long as the head of a RIFF file, which a WebP is, says."""
    stated = int.from_bytes(data[4:_HEADER_BYTES], "little") + _HEADER_BYTES
    return data[:4] == b"RIFF" and len(data) == stated
