"""Distances along the surface of the Earth.

Source: the haversine formula, R. W. Sinnott, "Virtues of the Haversine", Sky and Telescope 68(2),
1984; the mean radius (2a + b) / 3 of the ellipsoid GRS 80, H. Moritz, "Geodetic Reference System
1980", Journal of Geodesy 74, 2000.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visionquery.query.ast import Near

__all__ = ["RADIUS_KM", "Box", "box_around", "kilometres"]

RADIUS_KM = 6371.0088
_SLACK_DEGREES = 1e-6  # Ten centimetres: what rounding could cost a place at the rim.


@dataclass(frozen=True, slots=True)
class Box:
    """Degrees between which places lie: latitudes `south`..`north`, and longitudes in one of two
    stretches, (west, east) each."""

    south: float
    north: float
    stretches: tuple[tuple[float, float], tuple[float, float]]


def kilometres(
    point: Near, latitudes: NDArray[np.float64], longitudes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the great-circle distances (n,), in km, of places in degrees (n,) from a point."""
    here, there = math.radians(point.latitude), np.radians(latitudes)
    across = np.radians(longitudes - point.longitude)
    half_chord_squared = (
        np.sin((there - here) / 2) ** 2 + math.cos(here) * np.cos(there) * np.sin(across / 2) ** 2
    )
    # Rounding can take the far side of the Earth just past 1.
    angles: NDArray[np.float64] = 2 * np.arcsin(np.sqrt(np.minimum(half_chord_squared, 1.0)))
    return RADIUS_KM * angles


def box_around(circle: Near) -> Box:
    """Return a box that holds every place, of longitude -180..180, in a circle.

    Source: J. P. Matuschek, "Finding Points Within a Distance of a Latitude/Longitude Using
    Bounding Coordinates", 2010 (the reach in longitude).
    """
    reach = math.degrees(circle.km / RADIUS_KM) + _SLACK_DEGREES
    south, north = circle.latitude - reach, circle.latitude + reach
    anywhere = (-180.0, 180.0)
    if south <= -90 or north >= 90:
        return Box(south, north, (anywhere, anywhere))
    sine = math.sin(math.radians(reach)) / math.cos(math.radians(circle.latitude))
    aside = math.degrees(math.asin(min(sine, 1.0))) + _SLACK_DEGREES
    centre = (circle.longitude + 180) % 360 - 180
    west, east = centre - aside, centre + aside
    # What lies past the date line has its longitude counted from the other side.
    if west < -180:
        return Box(south, north, ((west + 360, 180.0), (-180.0, east)))
    if east > 180:
        return Box(south, north, ((west, 180.0), (-180.0, east - 360)))
    return Box(south, north, ((west, east), (west, east)))
