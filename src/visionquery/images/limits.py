"""What the room refuses to read or decode, so that one hostile file cannot take the machine."""

from dataclasses import dataclass

from visionquery.errors import ImageTooLargeError

__all__ = ["DEFAULT_LIMITS", "Limits", "check_bytes", "check_pixels"]


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest picture that is taken: `max_pixels` is width × height as its header says,
    `max_bytes` the size of the file, `seconds` how long decoding it may take. The defaults admit
    the 200-megapixel pictures of phones."""

    max_pixels: int = 250_000_000
    max_bytes: int = 512 * 2**20
    seconds: float = 60.0


DEFAULT_LIMITS = Limits()


def check_bytes(size_bytes: int, limits: Limits) -> None:
    """Raise ImageTooLargeError when a file of `size_bytes` is above the limit."""
    if size_bytes > limits.max_bytes:
        raise ImageTooLargeError(
            f"the file has {size_bytes / 2**20:,.1f} MiB, more than the limit of "
            f"{limits.max_bytes / 2**20:,.1f} MiB"
        )


def check_pixels(width: int, height: int, limits: Limits) -> None:
    """Raise ImageTooLargeError when width × height, in pixels, is above the limit."""
    if width * height > limits.max_pixels:
        raise ImageTooLargeError(
            f"the picture has {width} × {height} pixels, more than the limit of "
            f"{limits.max_pixels / 1e6:,.1f} million"
        )
