"""Pictures out of videos: which key frames stand for one, and their pixels. The one door to av.

A key frame is a picture of its own: its packet and what the codec says at the start suffice to
decode it. So a frame is identified by these bytes, and copies of a video in another container, or
parts cut out of it, share their frames. Frames are found by seeking; hours cost what minutes do.

The library behind it (the extra `video`) opens playlists and devices too. Only the containers
named here are let in, and files are read for it, so that no name in a file leads anywhere.
"""

import hashlib
import importlib.util
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import (
    ImageError,
    ImageMemoryError,
    ImageUnavailableError,
    UnreadableImageError,
)
from visionquery.images.bounded import open_bounded
from visionquery.images.content import CHANGED
from visionquery.images.hdr import HLG, PQ, to_standard_range
from visionquery.images.limits import DEFAULT_LIMITS, Limits, check_pixels
from visionquery.images.video_facts import camera_of, format_of, place_of, taken_at_of
from visionquery.images.video_shape import (
    Matrix,
    reduced_size,
    square_size,
    swaps_sides,
    turned,
)
from visionquery.types import Decoded, Facts, Pixels

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

__all__ = ["KeyFrame", "decode_frame", "is_installed", "key_frames"]

_MOST_FRAMES = 100
"""Of one video: a film of two hours then has one every 72 s, about one for each scene."""

_SPACING = 2.0
"""Seconds between two frames: what is shorter than that is one view of one thing."""

_CONTAINERS = "mov,matroska,avi,mpegts,mpeg,flv,asf,ogg"
_MOST_PACKETS = 500_000
_MOST_READ = 4 << 30
"""Bytes and packets of one video that are read where its index is of no use: about an hour."""

_MOST_BETWEEN = 2_000
"""Packets from where a seek leads to the next key frame."""

_MOST_PLAIN = 3
"""Frames of one colour that are passed over at the start, where films fade in."""

_PLAIN = 4.0
"""Standard deviation, of 255, below which a frame counts as one of one colour."""

_TOLERANCE = 0.00075
"""Seconds by which a key frame may miss the time in its fragment, which has three decimals."""

_UNSPECIFIED = 2
"""For colours. Source: ITU-T H.273, table 4."""

_NO_VIDEO = "not a video that can be read"
_FRAGMENT = re.compile(r"t=(\d{1,9}(?:\.\d{1,3})?)")


@dataclass(frozen=True, slots=True)
class KeyFrame:
    """A frame of a video that is an image: where it is (`t=12.48`, in seconds) and its id."""

    fragment: str
    image_id: str


class _Video(NamedTuple):
    """An open video, its stream of pictures, and the time of its first moment in seconds."""

    container: "InputContainer"
    stream: "VideoStream"
    start: float


class _Timed(NamedTuple):
    """A key frame's packet and its time in seconds from the start of the video."""

    seconds: float
    packet: "Packet[VideoStream]"


def is_installed() -> bool:
    """Return whether the library that reads videos is installed."""
    return importlib.util.find_spec("av") is not None


def key_frames(path: Path, limits: Limits = DEFAULT_LIMITS) -> list[KeyFrame]:
    """Return the key frames that stand for a video, in order of time: evenly over its length,
    about two seconds apart or more, a hundred at most, and at least one.

    Raises ImageTooLargeError above `limits.max_pixels`, and UnreadableImageError when the file
    is no video that can be read, or the extra `video` is not installed.
    """
    with _opened(path, limits) as video:
        frames, wanted = _by_seeking(video)
    if len(frames) < min(wanted, 2):  # seeking led nowhere, or always to the start
        with _opened(path, limits) as video:
            frames = max(_by_reading(video), frames, key=len)
    if not frames:
        raise UnreadableImageError(f"{_NO_VIDEO}: no picture in it is whole")
    return frames


def decode_frame(
    path: Path,
    fragment: str,
    *,
    known_id: str = "",
    min_side: int | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Decoded:
    """Decode the last key frame that is not after a fragment (`t=12.48`, in seconds): upright,
    with square pixels, as RGB.

    With `min_side` (pixels, >= 1) the result may be smaller than the frame as long as both of
    its sides are >= `min_side`. Raises as `key_frames` does, UnreadableImageError when there is no
    such frame, and ImageUnavailableError when it is another than `known_id`, where that is given.
    """
    match = _FRAGMENT.fullmatch(fragment)
    if match is None:
        raise UnreadableImageError(f"{fragment!r} is no time in a video: write t=12.48, in seconds")
    seconds = float(match[1])
    with _opened(path, limits) as video:
        packet = _sought(video, seconds)
        if packet is not None and known_id in ("", _identity(video, packet)):
            return _picture(video, packet, path, min_side, limits)
    with _opened(path, limits) as video:
        packet = _last_until(seconds, _keys(video, _MOST_PACKETS))
        if packet is None:
            raise UnreadableImageError(f"the video has no picture at {fragment}")
        if known_id not in ("", _identity(video, packet)):
            raise ImageUnavailableError(f"it cannot be read: {CHANGED}")
        return _picture(video, packet, path, min_side, limits)


@contextmanager
def _opened(path: Path, limits: Limits) -> Iterator[_Video]:
    """Open a video for the length of a block, in which whatever goes wrong is an ImageError."""
    if not is_installed():
        raise UnreadableImageError("to look into videos: pip install 'visionquery[video]'")
    import av

    with open_bounded(path, most_bytes=_MOST_READ) as file:
        try:
            with av.open(
                file,
                "r",
                options={"format_whitelist": _CONTAINERS, "protocol_whitelist": "none"},
                metadata_errors="replace",
                buffer_size=1 << 16,
            ) as container:
                yield _video(container, limits)
        except ImageError:
            raise
        except MemoryError as error:
            raise ImageMemoryError from error
        except Exception as error:  # decoders of hostile bytes raise anything at all
            raise UnreadableImageError(f"{_NO_VIDEO}: it is damaged") from error


def _video(container: "InputContainer", limits: Limits) -> _Video:
    """Take the best stream of pictures; the cover of a piece of music is none."""
    from av.stream import Disposition

    still = Disposition.attached_pic | Disposition.timed_thumbnails
    streams = [stream for stream in container.streams.video if not stream.disposition & still]
    if not streams:
        raise UnreadableImageError(f"{_NO_VIDEO}: it has no pictures")
    best = container.streams.best("video")
    stream = next((stream for stream in streams if stream is best), streams[0])
    context = stream.codec_context
    check_pixels(context.width, context.height, limits)
    context.thread_count = 1  # threads would wait for further frames, and the callers have theirs
    context.options = {"max_pixels": str(limits.max_pixels)}
    return _Video(container, stream, (container.start_time or 0) / 1_000_000)


def _by_seeking(video: _Video) -> tuple[list[KeyFrame], int]:
    """Return what is found at times spread over the length, and how many times these were;
    nothing where the length is not known."""
    length = _length(video)
    if length == 0:
        return [], 1
    step = max(_SPACING, length / _MOST_FRAMES)
    wanted = ceil(length / step)

    def found() -> Iterator[_Timed]:
        for number in range(wanted):
            nearest = next(_after_seeking(video, number * step + _TOLERANCE), None)
            if nearest is not None:
                yield nearest

    return _chosen(video, found(), least=step / 2), wanted


def _by_reading(video: _Video) -> list[KeyFrame]:
    """Return what is met on the way through the whole video."""
    return _chosen(video, _keys(video, _MOST_PACKETS), least=_SPACING)


def _length(video: _Video) -> float:
    """Return the seconds that a video says it lasts, 0 when it says nothing."""
    stream, whole = video.stream, video.container.duration
    if stream.duration and stream.time_base:
        return max(0.0, float(stream.duration * stream.time_base))
    return max(0.0, (whole or 0) / 1_000_000)


def _chosen(video: _Video, found: Iterator[_Timed], *, least: float) -> list[KeyFrame]:
    """Keep frames at least `least` seconds apart. When they get too many, every second one goes
    and the distance is doubled. Plain ones at the start are kept only where there are no others."""
    kept: list[tuple[float, KeyFrame]] = []
    passed: list[KeyFrame] = []
    for seconds, packet in found:
        if kept and seconds < kept[-1][0] + least:
            continue
        frame = KeyFrame(_fragment(seconds), _identity(video, packet))
        if not kept and len(passed) < _MOST_PLAIN and _is_plain(video, packet):
            passed.append(frame)
            continue
        kept.append((seconds, frame))
        if len(kept) > _MOST_FRAMES:
            kept, least = kept[::2], 2 * least
    return [frame for _, frame in kept] or passed[:1]


def _fragment(seconds: float) -> str:
    return f"t={seconds:.3f}".rstrip("0").rstrip(".")


def _identity(video: _Video, packet: "Packet[VideoStream]") -> str:
    digest = hashlib.blake2b(video.stream.codec_context.extradata or b"", digest_size=16)
    digest.update(bytes(packet))
    return digest.hexdigest()


def _is_plain(video: _Video, packet: "Packet[VideoStream]") -> bool:
    """Whether a frame is (nearly) of one colour; one that cannot be decoded is no better."""
    try:
        frame = _decoded(video, packet)
        small = frame.reformat(width=64, height=36, format="gray", interpolation="AREA")
        return float(np.std(small.to_ndarray())) < _PLAIN
    except Exception:
        return True


def _after_seeking(video: _Video, seconds: float) -> Iterator[_Timed]:
    """Yield key frames from the last one not after `seconds` on; none where seeking fails."""
    from av.error import FFmpegError

    base = video.stream.time_base
    if base is None:
        return
    try:
        video.container.seek(ceil((seconds + video.start) / base), stream=video.stream)
    except FFmpegError:
        return
    yield from _keys(video, _MOST_BETWEEN)


def _keys(video: _Video, most_packets: int) -> Iterator[_Timed]:
    """Yield whole key frames among the next packets, until the file ends or breaks."""
    from av.error import FFmpegError

    rate = float(video.stream.average_rate or 25)
    packets = video.container.demux(video.stream)
    for number in range(most_packets):
        try:
            packet = next(packets)
        except (StopIteration, FFmpegError):
            return
        if packet.size and packet.is_keyframe and not packet.is_corrupt:
            stamp = packet.dts if packet.pts is None else packet.pts
            if stamp is None:
                yield _Timed(number / rate, packet)
            else:
                yield _Timed(max(0.0, float(stamp * packet.time_base) - video.start), packet)


def _sought(video: _Video, seconds: float) -> "Packet[VideoStream] | None":
    """Return the last key frame not after a time. Some containers lead to one that is later: the
    longer a run-up, the surer."""
    for run_up in (0.0, 2.0, 20.0):
        start = max(0.0, seconds + _TOLERANCE - run_up)
        packet = _last_until(seconds, _after_seeking(video, start))
        if packet is not None:
            return packet
    return None


def _last_until(seconds: float, found: Iterator[_Timed]) -> "Packet[VideoStream] | None":
    last = None
    for timed in found:
        if timed.seconds > seconds + _TOLERANCE:
            break
        last = timed.packet
        if timed.seconds >= seconds - _TOLERANCE:
            break
    return last


def _decoded(video: _Video, packet: "Packet[VideoStream]") -> "VideoFrame":
    """Decode a key frame alone."""
    context = video.stream.codec_context
    frames = [*context.decode(packet), *context.decode(None)]
    context.flush_buffers()
    if not frames:
        raise UnreadableImageError(f"{_NO_VIDEO}: this picture is not whole")
    return frames[0]


def _picture(
    video: _Video, packet: "Packet[VideoStream]", path: Path, min_side: int | None, limits: Limits
) -> Decoded:
    frame = _decoded(video, packet)
    ratio = float(video.stream.sample_aspect_ratio or 1)
    width, height = square_size(frame.width, frame.height, ratio)
    check_pixels(width, height, limits)
    matrix = _matrix(frame)
    pixels = turned(_rgb(frame, *reduced_size(width, height, min_side)), matrix)
    if swaps_sides(matrix):
        width, height = height, width
    return Decoded(np.ascontiguousarray(pixels), _facts(video.container, path, width, height))


def _rgb(frame: "VideoFrame", width: int, height: int) -> Pixels:
    """Return (height, width, 3). Colours that nothing is said of are those of their time: BT.601
    in standard definition, BT.709 above it."""
    curve = frame.color_trc
    form = "rgb48le" if curve in (PQ, HLG) else "rgb24"
    guess = "ITU709" if max(frame.width, frame.height) >= 1280 else "ITU601"
    shown = frame.reformat(
        width=width,
        height=height,
        format=form,
        src_colorspace=guess if frame.colorspace == _UNSPECIFIED else None,
        interpolation="AREA",
    )
    samples: NDArray[Any] = shown.to_ndarray()
    return to_standard_range(samples, curve) if curve in (PQ, HLG) else samples


def _matrix(frame: "VideoFrame") -> Matrix:
    side_data: Any = frame.side_data
    matrix = side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return 1, 0, 0, 1
    a, b, _, c, d = struct.unpack("=5i", bytes(matrix)[:20])
    return a, b, c, d


def _facts(container: "InputContainer", path: Path, width: int, height: int) -> Facts:
    metadata = container.metadata
    with path.open("rb") as file:
        head = file.read(64)
    latitude, longitude = place_of(metadata) or (None, None)
    return Facts(
        width=width,
        height=height,
        format=format_of(container.format.name, brand=metadata.get("major_brand", ""), head=head),
        size_bytes=path.stat().st_size,
        camera=camera_of(metadata),
        taken_at=taken_at_of(metadata),
        latitude=latitude,
        longitude=longitude,
    )
