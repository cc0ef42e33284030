"""Which decoders of pictures there are. Those that start other programs (EPS) are never asked."""

from collections.abc import Callable
from functools import cache
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

__all__ = ["FORMATS", "Opener", "decoder_version", "openers", "use_one_thread"]

FORMATS: dict[str, tuple[str, ...]] = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "PNG": (".png", ".apng"),
    "HEIF": (".heic", ".heif", ".hif", ".heics", ".heifs"),
    "AVIF": (".avif", ".avifs"),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp", ".dib"),
    "JPEG2000": (".jp2", ".j2k", ".jpx"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    "PSD": (".psd",),
    "QOI": (".qoi",),
    "ICO": (".ico",),
    "ICNS": (".icns",),
    "PCX": (".pcx",),
    "SGI": (".sgi",),
    "DDS": (".dds",),
    "CUR": (),
    "XBM": (),
    "TGA": (".tga",),  # last: it has no mark of its own, so anything may be taken for it
}
"""Decoder names, in the order they are asked, with the extensions a scan looks at."""

_DECODER = 2
"""Raised when this room learns to read more."""

Opener = tuple[
    Callable[[IO[bytes], str | bytes], "ImageFile"], Callable[[bytes], bool | str] | None
]
"""How to open a stream, and a test of its first 16 bytes (a text says why it cannot be opened)."""


@cache
def openers() -> dict[str, Opener]:
    """Return the decoders of `FORMATS` that are installed, in that order."""
    import pillow_heif
    from PIL import Image

    Image.init()
    pillow_heif.register_heif_opener()
    return {name: Image.OPEN[name] for name in FORMATS if name in Image.OPEN}


def use_one_thread() -> None:
    """Have every decoder work in the thread that calls it, for the whole process."""
    import pillow_heif
    from PIL import AvifImagePlugin

    pillow_heif.options.DECODE_THREADS = 1
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1


def decoder_version() -> str:
    """Return what decides which files can be read: another text, and it is worth trying again."""
    import pillow_heif
    from PIL import __version__ as pillow_version

    return f"{_DECODER} pillow {pillow_version} pillow-heif {pillow_heif.__version__}"
