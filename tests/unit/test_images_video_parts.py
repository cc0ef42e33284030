from pathlib import Path

import numpy as np
import pytest

from visionquery.errors import UnreadableImageError
from visionquery.images.bounded import open_bounded
from visionquery.images.hdr import HLG, PQ, to_standard_range
from visionquery.images.video_facts import camera_of, format_of, place_of, taken_at_of
from visionquery.images.video_shape import square_size


@pytest.mark.parametrize(("curve", "white", "gray"), [(PQ, 0.581, 0.377), (HLG, 0.75, 0.38)])
def test_high_dynamic_range_is_neither_dull_nor_burnt(
    curve: int, white: float, gray: float
) -> None:
    """Levels of white and of a gray card at 203 and 26 cd/m². Source: ITU-R BT.2408-5, table 1."""
    samples = np.round(np.array([0.0, gray, white, 1.0]) * 65535).astype(np.uint16)
    shown = to_standard_range(np.repeat(samples[None, :, None], 3, axis=2), curve)
    black, card, paper, most = (int(value) for value in shown[0, :, 0])
    assert black == 0
    assert 90 <= card <= 115
    assert 220 <= paper < most <= 255
    assert (shown[..., :1].astype(int) - shown).max() <= 1, "gray stays gray"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("+48.8577+002.2950+035.000/", (48.8577, 2.295)),
        ("-33.8568+151.2153/", (-33.8568, 151.2153)),
        ("+4830-00230/", (48.5, -2.5)),
        ("+483036.0-0023000.0/", (48.51, -2.5)),
        ("+00.0000+000.0000/", None),
        ("+91.0+000.1/", None),
        ("near Paris", None),
        ("", None),
    ],
)
def test_places_as_text(text: str, place: tuple[float, float] | None) -> None:
    assert place_of({"com.apple.quicktime.location.ISO6709": text}) == place
    assert place_of({"location": text}) == place


def test_the_time_with_a_zone_comes_first_and_unset_clocks_count_for_nothing() -> None:
    utc, local = "2021-03-04T05:06:07.000000Z", "2021-03-04T06:06:07+0100"
    assert taken_at_of({"creation_time": utc}) == "2021-03-04T05:06:07+00:00"
    both = {"creation_time": utc, "com.apple.quicktime.creationdate": local}
    assert taken_at_of(both) == "2021-03-04T06:06:07+01:00"
    for unset in ("1904-01-01T00:00:00.000000Z", "1970-01-01T00:00:00.000000Z", "soon"):
        assert taken_at_of({"creation_time": unset}) is None


def test_cameras_and_containers() -> None:
    apple = "com.apple.quicktime."
    assert camera_of({f"{apple}make": "Apple", f"{apple}model": "iPhone 12"}) == "Apple iPhone 12"
    assert camera_of({"com.android.manufacturer": "Google", "com.android.model": "Pixel 8"})
    assert camera_of({}) is None
    assert format_of("mov,mp4,m4a", brand="qt  ", head=b"") == "MOV"
    assert format_of("matroska,webm", brand="", head=b"\x1aE\xdf\xa3 webm") == "WEBM"


def test_absurd_pixels_are_taken_for_square() -> None:
    assert square_size(100, 50, 2.0) == (200, 50)
    assert square_size(100, 50, 0.5) == (100, 100)
    assert square_size(100, 50, 1e6) == (100, 50)


def test_a_file_ends_after_what_may_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(range(200)))
    with open_bounded(path, most_bytes=150) as file:
        assert file.read(100) == bytes(range(100))
        file.seek(1)
        assert file.read() == bytes(range(1, 51))
        assert file.read(1) == b""
    with pytest.raises(UnreadableImageError, match="not a regular file"):
        open_bounded(tmp_path, most_bytes=1)
