"""Have a model's files here: which model to take when nobody said, and fetching it with a word
to the person about size and licence first."""

from collections.abc import Callable

from visionquery.errors import DownloadBrokenError, WeightsMissingError
from visionquery.models.catalog import catalog, resolve
from visionquery.models.spec import ModelSpec
from visionquery.models.weights import Progress, available, pull, verify

__all__ = ["BUILT_IN", "RECOMMENDED", "acquire", "choose", "fetch"]

RECOMMENDED = "clip-vit-base-patch32"
"""The catalog's model for a new library when it is here or can be had."""

BUILT_IN = "pocket"
"""The model that comes with the program."""


def acquire(
    spec: ModelSpec,
    *,
    offline: bool,
    on_note: Callable[[str], None],
    on_download: Progress,
) -> None:
    """Fetch what is missing of a model, after telling `on_note` the size of that and the
    licence, once the hub has answered.

    Does nothing, and touches no network, when all files are here.
    Raises WeightsMissingError when they cannot be had (DownloadBrokenError when a download broke
    off), ChecksumMismatchError for wrong ones.
    """
    if spec.folder is None and not available(spec):
        fetch(spec, offline=offline, on_note=on_note, on_download=on_download)


def fetch(
    spec: ModelSpec,
    *,
    offline: bool,
    on_note: Callable[[str], None],
    on_download: Progress,
) -> None:
    """Make all files of a model present and right: those that are here are compared with their
    hash, wrong and missing ones fetched, with a note of size and licence first.

    Raises as `acquire` does.
    """

    def announce(left: int) -> None:
        on_note(
            f"Downloading the model {spec.name}: {_megabytes(left)} MB, licence {spec.license}."
        )

    if offline and not all(check.ok for check in verify(spec)):
        raise WeightsMissingError(
            f"The model {spec.name} is not on this machine and the network is switched off; "
            f"switch it on and run `visionquery models pull {spec.name}`, or choose another "
            "model with --model."
        )
    pull(spec, announce=announce, progress=on_download)


def choose(
    *, offline: bool, on_note: Callable[[str], None], on_download: Progress
) -> ModelSpec:
    """Return the model for a new library: the recommended one if it is here or can be had,
    otherwise the one in the box, with a note that says so and how to switch.

    Raises ChecksumMismatchError when what was sent is not the recommended model, and, only where
    no model is in the box, WeightsMissingError.
    """
    recommended = resolve(RECOMMENDED)
    try:
        acquire(recommended, offline=offline, on_note=on_note, on_download=on_download)
    except WeightsMissingError as error:
        if BUILT_IN not in {spec.name for spec in catalog()}:
            raise
        on_note(_instead(recommended, broke_off=isinstance(error, DownloadBrokenError)))
        return resolve(BUILT_IN)
    return recommended


def _instead(recommended: ModelSpec, *, broke_off: bool) -> str:
    name = recommended.name
    if broke_off:
        why = f"the download of {name} broke off (what came is kept)"
    else:
        why = f"{name} is not on this machine and cannot be had now"
    return (
        f"Using the built-in model {BUILT_IN}: {why}. To switch later, with a connection: "
        f"visionquery index --reencode --model {name}"
    )


def _megabytes(size_bytes: int) -> str:
    """Return a size in megabytes (10^6 bytes), with a decimal only where it is small."""
    return f"{size_bytes / 1e6:.0f}" if size_bytes >= 10e6 else f"{size_bytes / 1e6:.1f}"
