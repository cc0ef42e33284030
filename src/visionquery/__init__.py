"""VisionQuery: search pictures in plain words.

>>> from visionquery import Library

The package imports in a few milliseconds; the façade is loaded when it is first named.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from visionquery.library import Library as Library

__version__ = "0.1.0"
__all__ = ["Library", "__version__"]


def __getattr__(name: str) -> object:
    if name == "Library":
        from visionquery.library import Library

        return Library
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
