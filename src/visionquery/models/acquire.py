"""Have a model's files here: which model to take when nobody said, and fetching it with a word
to the person about size and licence first."""

from collections.abc import Callable

from visionquery.errors import WeightsMissingError
from visionquery.models.catalog import catalog, resolve
from visionquery.models.spec import ModelSpec
from visionquery.models.weights import Progress, available, download_bytes, pull

__all__ = ["BUILT_IN", "RECOMMENDED", "acquire", "choose"]

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
    """Fetch what is missing of a model, after telling `on_note` its size and licence.

    Does nothing, and touches no network, when all files are here.
    Raises WeightsMissingError when they cannot be had, ChecksumMismatchError for wrong ones.
    """
    if spec.folder is not None or available(spec):
        return
    if offline:
        raise WeightsMissingError(
            f"The model {spec.name} is not on this machine and the network is switched off; "
            f"switch it on and run `visionquery models pull {spec.name}`, or choose another "
            "model with --model."
        )
    megabytes = download_bytes(spec) / 1e6
    on_note(f"Downloading the model {spec.name}: {megabytes:.0f} MB, licence {spec.license}.")
    pull(spec, progress=on_download)


def choose(
    *, offline: bool, on_note: Callable[[str], None], on_download: Progress
) -> ModelSpec:
    """Return the model for a new library: the recommended one if it is here or can be had,
    otherwise the one in the box, with a note that says so and how to switch."""
    recommended = resolve(RECOMMENDED)
    try:
        acquire(recommended, offline=offline, on_note=on_note, on_download=on_download)
    except WeightsMissingError:
        if BUILT_IN not in {spec.name for spec in catalog()}:
            raise
        on_note(
            f"Using the built-in model {BUILT_IN}, since {RECOMMENDED} cannot be had now. "
            f"For better answers later: visionquery models pull {RECOMMENDED}, then a new "
            f"--library with --model {RECOMMENDED}."
        )
        return resolve(BUILT_IN)
    return recommended
