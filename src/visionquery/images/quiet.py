"""Keep what Pillow has to say about damaged files out of the caller's warnings."""

import re
import threading
import warnings
from collections.abc import Iterator, MutableSequence
from contextlib import contextmanager, suppress
from typing import Any, cast

__all__ = ["without_pillow_warnings"]

_SOURCE = r"(PIL|pillow_heif)\b"
_ENTRY = ("ignore", None, Warning, re.compile(_SOURCE), 0)

_lock = threading.Lock()
_inside = 0


@contextmanager
def without_pillow_warnings() -> Iterator[None]:
    """Drop the warnings that Pillow itself issues while any thread is inside.

    `warnings.catch_warnings` swaps the whole process's filters, which threads that overlap leave
    swapped for good; here one filter comes with the first thread and goes with the last.
    """
    global _inside
    with _lock:
        _inside += 1
        if _ENTRY not in warnings.filters:
            warnings.filterwarnings("ignore", module=_SOURCE)
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                with suppress(ValueError):
                    cast(MutableSequence[Any], warnings.filters).remove(_ENTRY)
