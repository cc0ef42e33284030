import hashlib
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from visionquery.errors import ImageTooLargeError, UnreadableImageError
from visionquery.images import video
from visionquery.images.hdr import PQ, to_standard_range
from visionquery.images.limits import Limits
from visionquery.images.video import decode_frame, key_frames

av = pytest.importorskip("av")

WIDTH, HEIGHT, RATE = 160, 96, 10
SQUARE = 24
"""Pixels of the white square that stands further right with every second."""

Painter = Callable[[int], np.ndarray]


def moving(number: int) -> np.ndarray:
    """Frame of a film: red above blue, the white square where its second says."""
    frame = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    frame[: HEIGHT // 2], frame[HEIGHT // 2 :] = (220, 20, 20), (20, 20, 220)
    left = (number // RATE * 8) % (WIDTH - SQUARE)
    frame[8 : 8 + SQUARE, left : left + SQUARE] = 250
    return frame


def second_of(pixels: np.ndarray) -> int:
    """Tell from its pixels which second of a film of `moving` frames is shown."""
    row = pixels[len(pixels) * 20 // HEIGHT, :, 2] > 128
    return round(int(row.argmax()) * WIDTH / pixels.shape[1] / 8)


def film(
    path: Path,
    codec: str = "libx264",
    *,
    frames: int = 60,
    painter: Painter = moving,
    gop: int = RATE,
    pix_fmt: str = "yuv420p",
    set_up: Callable[[Any, Any], None] | None = None,
    tagged: Callable[[Any], Any] = lambda frame: frame,
    **options: str,
) -> Path:
    """Encode a film of RATE frames a second with a key frame every `gop` frames."""
    quiet = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=RATE, options=quiet)
        height, width = painter(0).shape[:2]
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.codec_context.gop_size = gop
        if set_up is not None:
            set_up(container, stream)
        for number in range(frames):
            frame = tagged(av.VideoFrame.from_ndarray(painter(number), format="rgb24"))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def remuxed(source: Path, target: Path, *, start: int = 0) -> Path:
    """Copy the packets from a second on into another file."""
    with av.open(str(source)) as whole, av.open(str(target), "w") as copy:
        stream = whole.streams.video[0]
        template = copy.add_stream_from_template(stream)
        for packet in whole.demux(stream):
            if packet.dts is not None and packet.pts * packet.time_base >= start:
                packet.stream = template
                copy.mux(packet)
    return target


def fragments(path: Path) -> list[str]:
    return [frame.fragment for frame in key_frames(path)]


def is_close(colour: Iterable[int], wanted: Iterable[int], tolerance: int = 12) -> bool:
    return bool(np.abs(np.array(colour, int) - np.array(wanted, int)).max() <= tolerance)


@pytest.mark.parametrize(
    ("name", "codec", "form"),
    [
        ("a.mp4", "libx264", "MP4"), ("a.mov", "mpeg4", "MOV"),
        ("a.mkv", "libx265", "MKV"), ("a.webm", "libvpx-vp9", "WEBM"),
        ("a.avi", "mpeg4", "AVI"), ("a.ts", "libx264", "MPEG-TS"),
        ("a.mpg", "mpeg2video", "MPEG"), ("a.flv", "flv", "FLV"),
        ("a.wmv", "wmv2", "WMV"), ("a.ogv", "libvpx", "OGG"),
    ],
)
def test_every_container_gives_its_frames(
    tmp_path: Path, name: str, codec: str, form: str
) -> None:
    source = film(tmp_path / name, codec)
    found = key_frames(source)
    times = [float(frame.fragment.removeprefix("t=")) for frame in found]
    assert len(times) == (2 if form == "WMV" else 3), "its index knows every third second"
    assert np.diff(times).min() >= 1.9
    for seconds, frame in zip(times, found, strict=True):
        decoded = decode_frame(source, frame.fragment)
        assert second_of(decoded.pixels) == int(seconds + 0.15)
        assert is_close(decoded.pixels[-8, 80], (20, 20, 220), 30)
    facts = decoded.facts
    assert (facts.width, facts.height, facts.format) == (WIDTH, HEIGHT, form)
    assert facts.size_bytes == source.stat().st_size
    assert (facts.camera, facts.taken_at, facts.latitude) == (None, None, None)


def test_a_frame_is_its_content_wherever_it_is(tmp_path: Path) -> None:
    source = film(tmp_path / "a.mp4", frames=80)
    whole = {frame.image_id for frame in key_frames(source)}
    assert len(whole) == 4
    assert {f.image_id for f in key_frames(remuxed(source, tmp_path / "b.mkv"))} == whole
    cut = remuxed(source, tmp_path / "cut.mp4", start=4)
    assert {f.image_id for f in key_frames(cut)} < whole
    other = film(tmp_path / "c.mp4", frames=80, painter=lambda number: moving(number)[:, ::-1])
    assert not whole & {frame.image_id for frame in key_frames(other)}


def test_the_id_is_of_the_codecs_head_and_the_packet(tmp_path: Path) -> None:
    source = film(tmp_path / "a.mp4", frames=1)
    with av.open(str(source)) as container:
        stream = container.streams.video[0]
        packet = next(container.demux(stream))
        hashed = hashlib.blake2b(stream.codec_context.extradata + bytes(packet), digest_size=16)
    assert key_frames(source) == [video.KeyFrame("t=0", hashed.hexdigest())]
    assert decode_frame(source, "t=0").pixels.shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize(
    ("gop", "times"),
    [(1, [0, 2, 4, 6, 8]), (10, [0, 2, 4, 6, 8]), (25, [0, 2.5, 5, 7.5]), (1000, [0])],
)
def test_frames_are_spread_over_the_length(tmp_path: Path, gop: int, times: list[float]) -> None:
    found = fragments(film(tmp_path / "a.mp4", frames=100, gop=gop))
    assert found == [f"t={seconds}" for seconds in times]


@pytest.mark.parametrize("name", ["a.mp4", "a.avi"])
def test_long_ones_have_a_hundred_at_most(tmp_path: Path, name: str) -> None:
    source = film(tmp_path / name, "mpeg4", frames=2500, painter=lambda n: moving(n)[::4, ::4])
    found = [float(text.removeprefix("t=")) for text in fragments(source)]
    assert 80 <= len(found) <= 100
    assert found[-1] > 245
    assert np.diff(found).max() <= 4


def test_without_an_index_all_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = film(tmp_path / "a.avi", "mpeg4", frames=100)
    data = whole.read_bytes()
    broken = tmp_path / "broken.avi"
    broken.write_bytes(data[: data.index(b"idx1")])
    assert key_frames(broken) == key_frames(whole)
    assert second_of(decode_frame(broken, "t=6").pixels) == 6
    monkeypatch.setattr(video, "_by_seeking", lambda _: ([], 5))
    assert key_frames(whole) == key_frames(broken)
    monkeypatch.setattr(video, "_MOST_FRAMES", 3)
    assert fragments(broken) == ["t=0", "t=4", "t=8"]


def test_a_recording_without_a_length(tmp_path: Path) -> None:
    """As a browser makes it: a stream of clusters that says nothing of its end."""
    source = film(tmp_path / "a.webm", "libvpx-vp9", frames=50, live="1")
    assert fragments(source) == ["t=0", "t=2", "t=4"]
    assert second_of(decode_frame(source, "t=4").pixels) == 4


def test_a_plain_start_is_passed_over(tmp_path: Path) -> None:
    def fading(number: int) -> np.ndarray:
        return moving(number) if number >= 35 else np.full((HEIGHT, WIDTH, 3), 9, np.uint8)

    assert fragments(film(tmp_path / "a.mp4", frames=80, painter=fading)) == ["t=3.5", "t=5.5"]
    assert fragments(film(tmp_path / "b.mp4", frames=30, painter=fading)) == ["t=0"]


def test_a_time_between_key_frames_shows_the_one_before(tmp_path: Path) -> None:
    source = film(tmp_path / "a.mp4", frames=40)
    assert second_of(decode_frame(source, "t=2.999").pixels) == 2
    assert second_of(decode_frame(source, "t=3").pixels) == 3
    assert second_of(decode_frame(source, "t=999").pixels) == 3


@pytest.mark.parametrize("fragment", ["", "t=", "t=-1", "t=1.2345", "page=2", "t=nan", "t=1e9"])
def test_other_fragments_are_refused(tmp_path: Path, fragment: str) -> None:
    with pytest.raises(UnreadableImageError, match=r"write t=12\.48"):
        decode_frame(film(tmp_path / "a.mp4", frames=1), fragment)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("is_mirrored", [False, True])
def test_frames_are_upright(tmp_path: Path, degrees: int, is_mirrored: bool) -> None:
    turns = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}
    a, b, c, d = turns[degrees]  # by which x, y of what is stored is shown, clockwise
    if is_mirrored:
        a, c = -a, -c

    def set_up(container: Any, stream: Any) -> None:
        one = 1 << 16
        stream.set_display_matrix([a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30])

    source = film(tmp_path / "a.mov", frames=5, set_up=set_up)
    wanted = np.rot90(moving(0), -degrees // 90)
    wanted = wanted[:, ::-1] if is_mirrored else wanted
    decoded = decode_frame(source, "t=0")
    assert (decoded.facts.height, decoded.facts.width) == wanted.shape[:2]
    assert decoded.pixels.shape == wanted.shape
    assert np.abs(decoded.pixels.astype(int) - wanted).mean() < 8
    small = decode_frame(source, "t=0", min_side=40)
    assert small.pixels.shape[:2] == (wanted.shape[0] // 2, wanted.shape[1] // 2)
    assert small.facts == decoded.facts


@pytest.mark.parametrize(("ratio", "size"), [((2, 1), (320, 96)), ((1, 2), (160, 192))])
def test_pixels_that_are_not_square(
    tmp_path: Path, ratio: tuple[int, int], size: tuple[int, int]
) -> None:
    from fractions import Fraction

    def set_up(container: Any, stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(*ratio)

    decoded = decode_frame(film(tmp_path / "a.mp4", frames=1, set_up=set_up), "t=0")
    assert (decoded.facts.width, decoded.facts.height) == size == decoded.pixels.shape[1::-1]


def test_no_side_falls_below_the_least_wanted(tmp_path: Path) -> None:
    source = film(tmp_path / "a.mp4", frames=1)
    for least, shape in ((None, (96, 160)), (49, (96, 160)), (48, (48, 80)), (20, (24, 40))):
        assert decode_frame(source, "t=0", min_side=least).pixels.shape[:2] == shape


def pure(number: int, size: tuple[int, int] = (96, 160)) -> np.ndarray:
    frame = np.empty((*size, 3), np.uint8)
    frame[:, : size[1] // 2], frame[:, size[1] // 2 :] = (200, 30, 30), (30, 160, 40)
    return frame


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuvj420p", "yuv444p", "yuv420p10le"])
def test_colours_are_those_that_went_in(tmp_path: Path, pix_fmt: str) -> None:
    decoded = decode_frame(film(tmp_path / "a.mp4", frames=1, painter=pure, pix_fmt=pix_fmt), "t=0")
    assert is_close(decoded.pixels[40, 20], (200, 30, 30), 6)
    assert is_close(decoded.pixels[40, 140], (30, 160, 40), 6)


@pytest.mark.parametrize("is_named", [False, True])
def test_colours_of_high_definition(tmp_path: Path, is_named: bool) -> None:
    def tagged(frame: Any) -> Any:
        return frame.reformat(format="yuv420p", dst_colorspace="ITU709")

    def set_up(container: Any, stream: Any) -> None:
        stream.codec_context.colorspace = 1 if is_named else 2

    def painter(number: int) -> np.ndarray:
        return pure(number, (720, 1280))

    film(tmp_path / "a.mp4", frames=1, painter=painter, set_up=set_up, tagged=tagged)
    pixels = decode_frame(tmp_path / "a.mp4", "t=0", min_side=96).pixels
    assert is_close(pixels[40, 20], (200, 30, 30), 6)
    assert is_close(pixels[40, -20], (30, 160, 40), 6)


def test_ten_bits_of_high_dynamic_range(tmp_path: Path) -> None:
    def set_up(container: Any, stream: Any) -> None:
        context = stream.codec_context
        context.color_trc, context.colorspace, context.color_primaries = PQ, 9, 9

    def signal(number: int) -> np.ndarray:
        ramp = np.linspace(0, 255, WIDTH).astype(np.uint8)
        return np.broadcast_to(ramp[None, :, None], (HEIGHT, WIDTH, 3)).copy()

    film(tmp_path / "a.mp4", frames=1, painter=signal, pix_fmt="yuv420p10le", set_up=set_up)
    row = decode_frame(tmp_path / "a.mp4", "t=0").pixels[40].astype(int)
    wanted = to_standard_range(signal(0).astype(np.uint16) * 257, PQ)[40]
    assert np.abs(row - wanted).max() <= 10


def test_what_the_container_says(tmp_path: Path) -> None:
    def set_up(container: Any, stream: Any) -> None:
        container.metadata.update({
            "make": "Apple", "model": "iPhone 12", "location": "+48.8577+002.2950+035.000/",
            "creation_time": "2021-03-04T05:06:07.000000Z",
        })

    facts = decode_frame(film(tmp_path / "a.mov", frames=1, set_up=set_up), "t=0").facts
    assert facts.camera == "Apple iPhone 12"
    assert facts.taken_at == "2021-03-04T05:06:07+00:00"
    assert (facts.latitude, facts.longitude) == (48.8577, 2.295)


def test_limits_hold_before_a_frame_is_decoded(tmp_path: Path) -> None:
    source = film(tmp_path / "a.mp4", frames=1)
    for call in (key_frames, lambda path, limits: decode_frame(path, "t=0", limits=limits)):
        with pytest.raises(ImageTooLargeError, match="160 × 96 pixels"):
            call(source, Limits(max_pixels=WIDTH * HEIGHT - 1))
    assert key_frames(source, Limits(max_pixels=WIDTH * HEIGHT, max_bytes=1)), "films are long"


def test_a_broken_off_video_shows_what_is_there(tmp_path: Path) -> None:
    data = film(tmp_path / "a.ts", frames=100).read_bytes()
    broken = tmp_path / "broken.ts"
    broken.write_bytes(data[: len(data) // 2])
    found = fragments(broken)
    assert 2 <= len(found) <= 3
    assert second_of(decode_frame(broken, found[-1]).pixels) == int(float(found[-1][2:]) + 0.1)


@pytest.mark.parametrize("seed", range(6))
def test_garbage_within_ends_well(tmp_path: Path, seed: int) -> None:
    data = bytearray(film(tmp_path / "a.mp4").read_bytes())
    random = np.random.default_rng(seed)
    for place in random.integers(0, len(data), 40):
        data[place] = random.integers(256)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(data)
    with suppress(UnreadableImageError, ImageTooLargeError):  # and nothing else
        for frame in key_frames(broken):
            decode_frame(broken, frame.fragment, min_side=32)


def test_sound_has_no_pictures(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=44100, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(UnreadableImageError, match="it has no pictures"):
        key_frames(tmp_path / "a.mp4")


@pytest.mark.parametrize("content", [b"", b"just words\n" * 99, b"#EXTM3U\n#EXTINF:1,\na.mp4\n",
                                     b"ffconcat version 1.0\nfile a.mp4\n", b"\0" * 5000])
def test_what_is_no_video_says_so(tmp_path: Path, content: bytes) -> None:
    film(tmp_path / "a.mp4", frames=1)
    path = tmp_path / "b.mp4"
    path.write_bytes(content)
    for call in (key_frames, lambda path: decode_frame(path, "t=0")):
        with pytest.raises(UnreadableImageError, match="not a video that can be read"):
            call(path)


def test_only_files_are_opened(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImageError, match="not there any more"):
        key_frames(tmp_path / "gone.mp4")
    with pytest.raises(UnreadableImageError, match="not a regular file"):
        key_frames(tmp_path)
    with pytest.raises(UnreadableImageError, match="no name of a file"):
        key_frames(tmp_path / "a\0.mp4")


def test_no_more_is_read_than_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = film(tmp_path / "a.ts", frames=100)
    data = source.read_bytes()
    monkeypatch.setattr(video, "_MOST_READ", len(data) // 2)
    monkeypatch.setattr(video, "_by_seeking", lambda _: ([], 5))
    assert 1 <= len(key_frames(source)) < 5


def test_any_name_will_do(tmp_path: Path) -> None:
    source = film(tmp_path / "a.mp4", frames=1)
    odd = source.rename(tmp_path / "pipe:%03d \udcff.mp4")
    assert fragments(odd) == ["t=0"]
    assert decode_frame(odd, "t=0").facts.format == "MP4"


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "is_installed", lambda: False)
    with pytest.raises(UnreadableImageError, match=r"pip install 'visionquery\[video\]'"):
        key_frames(tmp_path / "a.mp4")


def test_many_threads_and_a_quiet_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = film(tmp_path / "a.mp4")
    data = source.read_bytes()
    (tmp_path / "half.mp4").write_bytes(data[: len(data) * 2 // 3])
    seen: list[int] = []

    def look(second: int) -> None:
        seen.append(second_of(decode_frame(source, f"t={second}").pixels) - second)

    threads = [threading.Thread(target=look, args=(second,)) for second in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with pytest.raises(UnreadableImageError):
        key_frames(tmp_path / "half.mp4")
    assert seen == [0] * 6
    assert capfd.readouterr().err == ""
