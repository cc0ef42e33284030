"""Which model made the vectors of a generation, said once more beside them.

It is written before the first vector and never changed, so that it says the same as the catalog, or
what the catalog said before it was damaged.
"""

import json
import os
import zlib
from dataclasses import astuple
from pathlib import Path

from visionquery.store.vectors import sync_folder
from visionquery.types import ModelIdentity

__all__ = ["keep_identity", "kept_identity"]

_NAME = "model.json"


def keep_identity(folder: Path, model: ModelIdentity) -> None:
    """Say in the folder of a generation whose vectors it holds; on disk on return."""
    if kept_identity(folder) == model:
        return
    known = list(astuple(model))
    unfinished = folder / f"{_NAME}.unfinished"
    with unfinished.open("w", encoding="ascii") as file:
        json.dump({"model": known, "crc": _crc(known)}, file)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(folder / _NAME)
    sync_folder(folder)


def kept_identity(folder: Path) -> ModelIdentity | None:
    """Return whose vectors the folder of a generation holds; None where that is not said, or what
    says it is damaged."""
    try:
        kept = json.loads((folder / _NAME).read_text(encoding="ascii"))
        known = kept["model"]
        return ModelIdentity(*known) if _crc(known) == kept["crc"] else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _crc(known: list[object]) -> int:
    return zlib.crc32(json.dumps(known).encode("ascii"))
