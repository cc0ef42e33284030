"""Checksums of what a library keeps of an image, by which damage on its disk is found.

CRC-32 finds every single flipped bit and all but one in 2**32 of larger changes; it is no guard
against anybody who wants to deceive.
"""

import json
import math
import zlib

import numpy as np

from visionquery.types import Facts, Vector

__all__ = ["facts_crc", "vector_crc"]

_ENCODED = json.JSONEncoder(separators=(",", ":")).encode


def vector_crc(vector: Vector) -> int:
    """Return the CRC-32 of a vector's numbers as little-endian float32."""
    return zlib.crc32(np.ascontiguousarray(vector, dtype="<f4").data)


def facts_crc(image_id: str, facts: Facts) -> int:
    """Return the CRC-32 of an image's id and facts, the same for facts that the catalog has read
    back as for those that were written."""
    known = [
        image_id,
        facts.width,
        facts.height,
        facts.format,
        facts.size_bytes,
        facts.camera,
        facts.taken_at,
        _as_kept(facts.latitude),
        _as_kept(facts.longitude),
        facts.caption,
        facts.keywords,
    ]
    return zlib.crc32(_ENCODED(known).encode("ascii"))


def _as_kept(degrees: float | None) -> float | None:
    """Return what SQLite gives back of a number: None for NaN, 0.0 for -0.0, a float for all."""
    return None if degrees is None or math.isnan(degrees) else float(degrees) + 0.0
